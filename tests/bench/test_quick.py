"""The benchmark still measures everything; what it measures is nobody's assertion."""

import re
import subprocess
import sys
from pathlib import Path

GOALS = (
    "parley --help",
    "start to ready",
    "memory at its highest",
    "waits on Redis per turn",
    "waits on Redis before the model is called",
    "CPU per turn",
    "added p50",
    "throughput over 100 conversations",
    "10,000 stored messages against 50",
    "append + load of the last 50",
    "memory against that at a tenth of the turns",
    "429s while 20 answers stream",
    "first post after its moment",
    "gateway frame to the first call",
    "Slack: 20 answers at once under the tiers, refused calls",
    "Slack: envelope to first Web API call",
)


def test_every_goal_is_measured_and_printed() -> None:
    """A quick run ends well and prints a figure with a verdict for each goal."""
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-m", "bench", "--quick"], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stdout.splitlines() if re.search(r" -?[\d,.]+ .*[<>]= [\d.]+  (ok|short)", line)]
    assert [goal for goal in GOALS if not any(goal in line for line in lines)] == []
