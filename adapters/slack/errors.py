"""What Slack's error codes mean for us, by the one table of errors.toml: the way out of every call."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable


class Fate(StrEnum):
    """What an error code asks of us."""

    AGAIN = "again"
    """Slack may take the same request later."""
    GONE = "gone"
    """The message does not exist any more."""
    OTHERWISE = "otherwise"
    """Slack takes the same thing in another shape: posted instead of streamed, or as plain text."""
    HINT = "hint"
    """Somebody in the workspace can help; the notice says how."""
    STOP = "stop"
    """The workspace does not want us any more: nothing works until the settings change."""
    NEVER = "never"


_TABLE = tomllib.loads((Path(__file__).parent / "errors.toml").read_text("utf-8"))
_HINTS: dict[str, list[str]] = _TABLE.pop("hints")
NOTICES = {code: notice for notice, codes in _HINTS.items() for code in codes}
"""What the person reads, by code."""
FATES: dict[str, Fate] = dict.fromkeys(NOTICES, Fate.HINT) | {
    code: Fate(fate) for fate, codes in _TABLE.items() for code in codes
}
"""Each known code's fate."""


def fate_of(error: BotError) -> Fate:
    """The fate of an error that `errors_as_ours` made; its text begins with Slack's code."""
    return FATES.get(str(error).partition(" ")[0]) or Fate.NEVER


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn what slack-sdk and aiohttp raise into PlatformUnavailable (again later) or ReplyUndeliverable (never).

    A refusal's text is Slack's code; of a missing scope the scope's name stands behind it.
    """
    try:
        yield
    except SlackApiError as error:
        told = getattr(error.response, "data", None)  # an answer that is no JSON is aiohttp's own: it has no `data`
        code = told.get("error") if isinstance(told, dict) else None
        fate = Fate.AGAIN if code is None else FATES.get(code, Fate.NEVER)
        if fate is Fate.AGAIN:
            wait_s = float(error.response.headers.get("Retry-After", 2))
            raise PlatformUnavailable(str(error), retry_in_s=wait_s) from error
        needed = f" ({told['needed']})" if isinstance(told, dict) and told.get("needed") else ""
        kind = MessageGone if fate is Fate.GONE else ReplyUndeliverable
        raise kind(f"{code}{needed}", notice=NOTICES.get(str(code))) from error
    except (aiohttp.ClientError, OSError) as error:
        raise PlatformUnavailable(str(error)) from error
