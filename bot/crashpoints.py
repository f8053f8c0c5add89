"""The instants where a death matters, named once. docs/journey-of-a-message.md tells what follows; tests kill there."""

from collections.abc import Callable
from enum import StrEnum

CrashPoint = StrEnum(
    "CrashPoint",
    "BEFORE_ADMIT ADMITTED CLAIMED RESERVED FIRST_TOKEN BEFORE_CREATE CREATED PART_KEPT ANSWER_RECORDED SHOWN_WHOLE "
    "COMMITTED SETTLED",
)
"""In the order of a message's journey; a value is its name in lower case."""

_hook: Callable[[CrashPoint], None] | None = None


def on_reach(hook: Callable[[CrashPoint], None] | None) -> None:
    """Call `hook` at every crash point from now on (None: never). For tests; nothing else sets it."""
    global _hook
    _hook = hook


def reach(point: CrashPoint) -> None:
    """This instant has come."""
    if _hook is not None:
        _hook(point)
