"""The instants where a death matters, named once. docs/journey-of-a-message.md tells what follows; tests kill."""

from collections.abc import Callable
from enum import StrEnum


class CrashPoint(StrEnum):
    """In the order of a message's journey."""

    BEFORE_ADMIT = "before_admit"
    ADMITTED = "admitted"
    CLAIMED = "claimed"
    RESERVED = "reserved"
    FIRST_TOKEN = "first_token"
    BEFORE_CREATE = "before_create"
    CREATED = "created"
    PART_KEPT = "part_kept"
    ANSWER_RECORDED = "answer_recorded"
    SHOWN_WHOLE = "shown_whole"
    COMMITTED = "committed"
    SETTLED = "settled"


_hook: Callable[[CrashPoint], None] | None = None


def on_reach(hook: Callable[[CrashPoint], None] | None) -> None:
    """Call `hook` at every crash point from now on (None: never). For tests; nothing else sets it."""
    global _hook
    _hook = hook


def reach(point: CrashPoint) -> None:
    """This instant has come."""
    if _hook is not None:
        _hook(point)
