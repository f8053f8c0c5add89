"""What people said, as transcript entries. Pure."""

import re
from datetime import UTC, datetime

from bot.events import ActionTaken, CommandInvoked, MessageReceived, ReplyLapsed
from bot.inbox import OpenTurn
from bot.stored import Entry

# All control characters but tab and line feed, and the marks that turn the direction of text around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NAME = re.compile(r"[\[\]<>{}\s]+")


def entry_of(event: MessageReceived | CommandInvoked, *, is_heard: bool = False) -> Entry:
    """The transcript entry of what a person said, with its date as text. Names and text are cleaned here, once."""
    text = dict(event.options).get("question", "") if isinstance(event, CommandInvoked) else event.text
    return Entry(
        id=event.id,
        kind="heard" if is_heard else "asked",
        text=clean(text),
        at=event.at,
        author=event.author.id,
        name=_NAME.sub(" ", clean(event.author.name)).strip()[:40],
        stamp=datetime.fromtimestamp(event.at, UTC).strftime("%a %Y-%m-%d %H:%M"),
    )


def asked(turn: OpenTurn) -> list[Entry]:
    """The entries of a turn's questions, in order; controls that stand in a lane have none."""
    return [entry_of(event) for event in turn.questions if not isinstance(event, ActionTaken | ReplyLapsed)]


def clean(text: str) -> str:
    """Text without control characters and lone surrogates, with plain line ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode()
