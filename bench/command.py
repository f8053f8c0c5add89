"""The real command, started as a person or a service starts it: until it is ready, and how much memory it takes."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.side import resident_mb

_RUN = "import sys; from bot.cli import main; sys.exit(main())"
"""What the installed script `parley` does."""
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Seconds from the start of a process until it was ready and until its first answer; its highest memory then."""

    ready_s: float
    answered_s: float
    peak_mb: float


def help_s() -> float:
    """How long `parley --help` takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _RUN, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def chat(model_url: str, folder: Path, questions: int) -> Start:
    """`parley chat` with a pipe, with the embedded store; ready once it has introduced its model."""
    with _parley("chat", folder, _model(model_url)) as (process, started):
        _read(process.stderr, lambda line: line.startswith("Model:"))
        ready_s = time.perf_counter() - started
        answered_s = 0.0
        for number in range(questions):
            print(_question(number), file=process.stdin, flush=True)
            _read(process.stdout, lambda line: line.endswith("done.\n"))
            answered_s = answered_s or time.perf_counter() - started
        return Start(ready_s=ready_s, answered_s=answered_s, peak_mb=resident_mb(process.pid, "VmHWM"))


def run(model_url: str, folder: Path, questions: int) -> Start:
    """`parley run` with Discord and Slack, each our server of its protocol; ready once both are connected."""
    with ExitStack() as stack:
        discord, slack = (stack.enter_context(serving(f"tests.servers.{name}")) for name in ("discord", "slack"))
        platforms = {
            "DISCORD_TOKEN": "discord-token-of-the-tests",
            "DISCORD_API_BASE": f"{discord}/api/v10",
            "SLACK_BOT_TOKEN": "xoxb-of-the-tests",
            "SLACK_APP_TOKEN": "xapp-of-the-tests",
            "SLACK_API_URL": f"{slack}/api/",
        }
        process, started = stack.enter_context(_parley("run", folder, {**_model(model_url), **platforms}))
        for _ in range(2):
            _read(process.stderr, lambda line: "ready after" in line)
        ready_s = time.perf_counter() - started
        answered_s = 0.0
        for number in range(questions):
            for platform in (discord, slack):
                _post(f"{platform}/control/say", {"text": _question(number)})
                _read(process.stderr, lambda line: "answered" in line)
                answered_s = answered_s or time.perf_counter() - started
        return Start(ready_s=ready_s, answered_s=answered_s, peak_mb=resident_mb(process.pid, "VmHWM"))


@contextmanager
def serving(module: str, *words: str) -> Iterator[str]:
    """One of the tests' servers in a process of its own: the first line that it says is where it listens."""
    process = subprocess.Popen([sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _parley(command: str, folder: Path, env: Mapping[str, str]) -> "Iterator[tuple[subprocess.Popen[str], float]]":
    home = {name: str(folder) for name in ("HOME", "PARLEY_DATA_DIR")}
    pipe = subprocess.PIPE
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[1]), **home, **env},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    )
    timer = threading.Timer(_PATIENCE_S, process.kill)
    timer.start()
    try:
        yield process, started
    finally:
        process.terminate()
        process.communicate()
        timer.cancel()


def _question(number: int) -> str:
    return f"How much is {number} and {number}?"


def _model(url: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": url, "PARLEY_MODEL": "gpt-6-luna", "PARLEY_PERSON_RATE": "0"}


def _read(stream: IO[str] | None, is_it: Callable[[str], bool]) -> None:
    """Read on up to the line that is meant; what came instead is told if the process ends before."""
    lines: list[str] = []
    assert stream
    for line in stream:
        if is_it(line):
            return
        lines.append(line)
    raise SystemExit("the process ended:\n" + "".join(lines[-20:]))


def _post(url: str, body: Mapping[str, str]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request):
        pass
