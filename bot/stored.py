"""JSON as it lies in Redis: events in lanes and entries of transcripts, validated by pydantic when they are read."""

import json
import logging
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast
from zoneinfo import ZoneInfo

from pydantic import Field, TypeAdapter, ValidationError

from bot.events import EVENT_VERSION, Address, Attachment, CommandInvoked, MessageReceived, MessageRef, Question, Quote

log = logging.getLogger(__name__)
T = TypeVar("T")
# All control characters but tab and line feed, and the marks that turn the direction of text around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# What would end a name early where it stands before a text, or in a tag.
_NAME = re.compile(r"[\[\]<>{}\"\s]+")
_FILE_NAME = re.compile(r"[<>\"\s]+")
# Also with signs in between that nobody sees.
_TAG = re.compile("<(?=[\\s/\u200b-\u200f\u2060\ufeff]*(?:quote|file)\\b)", re.IGNORECASE)
QUOTES, QUOTE_CHARACTERS = 5, 2_000
"""So many quotes of a message are taken, and so much of each: a message of either platform fits whole."""


class UnknownVersion(Exception):
    """An event that a newer Parley stored: it stays for a newer worker."""


class CorruptEvent(Exception):
    """Stored text that is no event of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a transcript, as stored (defaults are left out of the JSON).

    `n` counts entries of a conversation from 1 and never changes; `stamp` is the date and time as the model reads it,
    fixed at admit; an answer names its `questions` (message ids) and who asked them, its `turn`, its message's
    `parts` (ids), and keeps its other `versions`; `replaces` is the id of the answer whose place it takes. A question
    names its `attachments`; an answer keeps, in `attached`, what the model read of the files of its questions.
    """

    id: str
    kind: Literal["asked", "heard", "answer", "border"]
    text: str
    at: float
    n: int = 0
    author: str = ""
    name: str = ""
    stamp: str = ""
    questions: tuple[str, ...] = ()
    askers: tuple[str, ...] = ()
    turn: str = ""
    parts: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    replaces: str = ""
    is_cut: bool = False
    attachments: tuple[Attachment, ...] = ()
    attached: str = ""
    v: int = 1


def _plain(value: Any) -> dict[str, object]:
    # What dataclasses.asdict gives, without its deep copies, which cost ten times as much.
    return {field.name: getattr(value, field.name) for field in fields(value)}


dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
"""A dataclass as compact JSON."""
_DEFAULTS = {field.name: field.default for field in fields(Entry)}


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


_EVENT = Annotated[Question, Field(discriminator="type")]


def warm() -> None:
    """Build the validators now, so that the first turn does not pay for them."""
    for kind in (_EVENT, list[Entry], Address, MessageRef):
        _reader(kind)


def dump_event(event: Question) -> str:
    """The event as JSON with its version."""
    # A platform may hand over half a surrogate pair, which no UTF-8 can hold.
    return dump({"v": EVENT_VERSION, **_plain(event)}).encode("utf-8", "replace").decode()


def load_event(raw: str) -> Question:
    """The event in this text; raises UnknownVersion or CorruptEvent."""
    try:
        return cast(Question, _reader(_EVENT).validate_json(raw))
    except ValidationError as error:
        stored = re.match(r'\{"v":(\d+)', raw)  # as `dump_event` writes it
        if stored and int(stored[1]) > EVENT_VERSION:
            raise UnknownVersion(f"event of version {stored[1]}") from None
        raise CorruptEvent(str(error)) from None


def entry_of(event: MessageReceived | CommandInvoked, *, is_heard: bool = False, zone: str = "UTC") -> Entry:
    """The transcript entry of what a person said, dated in a time zone. Names and text are cleaned here, once.

    What the message quotes stands in front of its text, as data in `<quote>` tags that no text can fake.
    """
    text = dict(event.options).get("question", "") if isinstance(event, CommandInvoked) else event.text
    quotes = [_quoted(quote) for quote in event.quotes[:QUOTES] if quote.text.strip()]
    return Entry(
        id=event.id,
        kind="heard" if is_heard else "asked",
        text="".join([*quotes, material(text)]),
        at=event.at,
        author=event.author.id,
        name=_named(event.author.name),
        stamp=datetime.fromtimestamp(event.at, UTC if zone == "UTC" else ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M"),
        attachments=tuple(replace(one, name=_file_name(one.name)) for one in event.attachments),
    )


def material(text: str) -> str:
    """Text as the model may read it: cleaned, and with nothing in it that could pose as a `<quote>` or `<file>` tag."""
    return _TAG.sub("&lt;", _clean(text))


def _quoted(quote: Quote) -> str:
    author, text = _named(quote.author), material(quote.text).strip()
    who = f'from="{author}" ' if author else ""
    kept = text if len(text) <= QUOTE_CHARACTERS else f"{text[:QUOTE_CHARACTERS]} [cut here]"
    return f'<quote {who}kind="{quote.kind}">\n{kept}\n</quote>\n'


def _named(name: str) -> str:
    return _NAME.sub(" ", _clean(name)).strip()[:40]


def _file_name(name: str) -> str:
    """A file's name in one line; its end tells what it is."""
    return _FILE_NAME.sub(" ", _clean(name)).strip()[-80:] or "unnamed"


def _clean(text: str) -> str:
    """Text without control characters and lone surrogates, with plain line ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode()


def dump_entry(entry: Entry) -> str:
    """The entry as compact JSON, without `n` (the store numbers it)."""
    values = {name: getattr(entry, name) for name in _DEFAULTS if name != "n"}
    return dump({name: value for name, value in values.items() if value != _DEFAULTS[name]})


def load_entries(raw: Sequence[str]) -> list[Entry]:
    """The entries in order; a corrupt one is skipped, counted and logged, never fatal."""
    try:
        return cast(list[Entry], _reader(list[Entry]).validate_json(f"[{','.join(raw)}]"))
    except ValidationError:
        return list(_readable(raw))


def _readable(raw: Iterable[str]) -> Iterable[Entry]:
    skipped = 0
    for one in raw:
        try:
            yield from _reader(list[Entry]).validate_json(f"[{one}]")
        except ValidationError:
            skipped += 1
    log.warning("skipped %d corrupt transcript entries", skipped)


def load(kind: type[T], raw: str) -> T:
    """A dataclass of this kind from JSON; raises CorruptEvent."""
    try:
        return cast(T, _reader(cast(Hashable, kind)).validate_json(raw))
    except ValidationError as error:
        raise CorruptEvent(f"no {kind.__name__}: {error}") from None
