"""What to show when, and where to split: text and time in, parts out. Knows no platform, no clock, no task."""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

_MARGIN = r"^(?P<prefix>[ \t>]{0,24}(?P<list>(?:[-*+]|\d{1,9}[.)])[ \t]{1,4})?)"
_FENCE = re.compile(_MARGIN + r"(?P<marks>`{3,16}(?!`)|~{3,16}(?!~))(?P<info>.*)", re.MULTILINE)
_FENCE_LIKE = re.compile(_MARGIN + r"(?:`{3,16}|~{3,16})", re.MULTILINE)
"""What may be a fence once it is cut."""
_SEPARATOR = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?\s*")
_HEADING = re.compile(r"#{1,6}[ \t]")
_FULL_STOP = r"[.!?\u2026][\"')\]*_]*"
_WIDE_STOP = r"[\u3002\uff01\uff1f]"
_FIRST_SENTENCE = re.compile(rf"(?<!\d){_FULL_STOP}\s|{_WIDE_STOP}|\S[ \t]*\n")
_SENTENCE = re.compile(rf"(?:{_FULL_STOP}[ \t]+(?=\S)|{_WIDE_STOP}[\u300d\u300f\uff09]?)(?!```|~~~)")
_WORD = re.compile(r"(?<=\S)[ \t]+(?=\S)(?!```|~~~)")
_BLANK_LINES = re.compile(r"(?:[ \t\r]*\n)*")
_BLANK_REST = re.compile(r"\s*\Z")
_LANGUAGE_CHARACTERS = 20
_FLOORS = (2, 8)
"""A place to cut is looked for behind a half of the message first, then behind an eighth of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform allows, as data.

    `characters` is the longest message in UTF-16 code units, `cadence_s` the seconds between two writes of one reply,
    `sign_every_s` how often its sign of life (typing, status) is renewed. The first post comes at a sentence end, at
    `first_characters`, or `first_s` after the first token. `max_parts` is the most messages that a reply may have.
    """

    characters: int
    cadence_s: float
    sign_every_s: float
    first_characters: int = 80
    first_s: float = 0.7
    max_parts: int | None = None

    def __post_init__(self) -> None:
        if self.characters < 200:
            raise ValueError("a message of less than 200 characters has no room for repeated fences and table headers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A code block that is open: what a part adds to close it, and what the next adds to open it again."""

    closer: str
    opener: str
    marks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of a text: `source` is its slice of the text, `text` is what is shown for it.

    `is_cut` marks the last of `Limits.max_parts` whose source is longer than what it can show. `fence` and `header`
    (a table's header and separator) are open at its end: the next part begins with one of them.
    """

    source: str = ""
    text: str = ""
    is_cut: bool = False
    fence: Fence | None = None
    header: str = ""

    @property
    def lead(self) -> str:
        """What the next part begins with."""
        return self.fence.opener if self.fence else self.header


@dataclass(slots=True, kw_only=True)
class _Places:
    """Where a part may end, by kind and in order; `table` is the start of a table that is still open at the end."""

    table: int | None
    header: str
    paragraphs: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)


def due_at(text: str, limits: Limits, first_token_s: float) -> float:
    """When a reply's first post is due, on the clock of `first_token_s`, the time of its first token."""
    if len(text) >= limits.first_characters or _FIRST_SENTENCE.search(text):
        return first_token_s
    return first_token_s + limits.first_s


def units(text: str) -> int:
    """The length in UTF-16 code units, which is how platforms count."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def seal(text: str) -> str:
    """The text with its last code fence closed, so that something else may follow."""
    fence = _fence_after(text, None)
    return f"{text.rstrip()}{fence.closer}" if fence else text


def split(text: str, limits: Limits, earlier: tuple[Part, ...] = ()) -> tuple[Part, ...]:
    """The messages that show this text; their sources joined are the text.

    Each is within the limit, its code fences are closed (and opened again in the next), a table that goes on has its
    header again, and it ends at the best place near its end: paragraph, line, sentence, word, else a grapheme. A table
    starts a message of its own rather than being cut; a row or grapheme is cut only where it is longer than a message.
    White space that is longer than a message makes parts that show nothing.

    Where a part ends depends on nothing behind its own limit but blank lines and a closing fence that follow at once.
    So when text is appended, all parts but the last two stay exactly as they are, and the last but one changes only to
    take in such a fence. `earlier` is the result for a beginning of this text under the same limits (for another text
    it does no harm): all but its last two parts are taken from there, which makes streaming linear.
    """
    parts: list[Part] = []
    at = 0
    for part in earlier[:-2]:
        if not text.startswith(part.source, at):
            break
        parts.append(part)
        at += len(part.source)
    while at < len(text):
        part = _next(text, at, parts[-1] if parts else Part(), limits)
        if len(parts) + 1 == limits.max_parts and at + len(part.source) < len(text):
            part = Part(source=text[at:], text=part.text, is_cut=True)
        parts.append(part)
        at += len(part.source)
    return tuple(parts)


def _next(text: str, start: int, before: Part, limits: Limits) -> Part:
    """The part that begins at `start`, behind the part `before`."""
    begin = start if before.fence else _end_of(_BLANK_LINES, text, start)
    room = limits.characters - units(before.lead)
    end = _fit(text, begin, room)
    if _BLANK_REST.match(text, end):
        fence = _fence_after(text[begin:], before.fence)
        if units(shown := _shown(before, text[begin:], fence)) <= limits.characters:
            return Part(source=text[start:], text=shown, fence=fence)
    closers = [len(like.group()) + 1 for like in _FENCE_LIKE.finditer(text[begin:end])]
    end = _fit(text, begin, room - max([len(before.fence.closer) if before.fence else 0, *closers]))
    places = _survey(text[begin:end], begin, before, is_blank_next=text.startswith("\n", end))
    cut = _cut(text, begin, end, places)
    fence = _fence_after(text[begin:cut], before.fence)
    if fence and (line := _FENCE.match(text, cut)) and _closes(line, fence):
        longer = _shown(before, text[begin : line.end()], None)
        if units(longer) <= limits.characters:
            cut, fence = line.end(), None
    shown = _shown(before, text[begin:cut], fence)
    behind = cut if fence else _end_of(_BLANK_LINES, text, cut)
    is_in_table = places.table is not None and places.table < cut == behind
    header = places.header if is_in_table and units(places.header) <= limits.characters // 3 else ""
    return Part(source=text[start : _end_of(_BLANK_REST, text, behind)], text=shown, fence=fence, header=header)


def _shown(before: Part, source: str, fence: Fence | None) -> str:
    return f"{before.lead}{source.rstrip()}{fence.closer if fence else ''}"


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _fit(text: str, begin: int, room: int) -> int:
    """The furthest end of a slice from `begin` that is at most `room` UTF-16 code units long."""
    end = min(len(text), begin + room)
    while (excess := units(text[begin:end]) - room) > 0:
        end -= (excess + 1) // 2
    return end


def _fence_after(text: str, fence: Fence | None) -> Fence | None:
    """The fence that is open at the end of a text at whose beginning `fence` is."""
    if "```" in text or "~~~" in text:
        for line in _FENCE.finditer(text):
            fence = _opened(line) if fence is None else None if _closes(line, fence) else fence
    return fence


def _opened(line: re.Match[str]) -> Fence | None:
    """The fence that this line opens; a line with back-ticks behind its back-ticks is inline code."""
    marks, info = line["marks"], line["info"].strip()
    if marks.startswith("`") and "`" in info:
        return None
    item = line["list"] or ""
    prefix = line["prefix"].removesuffix(item) + " " * len(item)
    language = info.partition(" ")[0]
    if len(language) > _LANGUAGE_CHARACTERS or not language.isascii():
        language = ""
    return Fence(closer=f"\n{prefix}{marks}", opener=f"{prefix}{marks}{language}\n", marks=marks)


def _closes(line: re.Match[str], fence: Fence) -> bool:
    return line["marks"].startswith(fence.marks) and not line["list"] and not line["info"].strip()


def _survey(window: str, begin: int, before: Part, *, is_blank_next: bool) -> _Places:
    """Where a window, which starts at `begin` behind the part `before`, may end: never behind what heads a line."""
    found = _Places(table=begin if before.header else None, header=before.header)
    fence, above, at = before.fence, "", begin
    is_new, is_glued = False, True
    lines = window.split("\n")
    for number, line in enumerate(lines, start=1):
        is_open_end = number == len(lines) and not is_blank_next
        is_blank = not line.strip() and not is_open_end
        mark = _FENCE.match(line)
        kind = found.paragraphs if is_new or is_blank else found.lines
        heads = False
        if fence:
            kind = found.lines
            is_new = mark is not None and _closes(mark, fence)
            fence, is_glued = (None, True) if is_new else (fence, is_glued)
        elif line.lstrip(" \t>").startswith("|") or (is_open_end and not line and found.table is not None):
            if found.table is None:
                found.table, found.header, found.rows = at, "", []
                heads = True
            elif not found.header and found.table == at - len(above) - 1 and _SEPARATOR.fullmatch(line):
                found.header = f"{above}\n{line}\n"
                heads = True
            else:
                kind = found.rows
            is_new = False
        else:
            is_glued = is_glued and found.table is None
            found.table = None
            fence = _opened(mark) if mark else None
            is_heading = _HEADING.match(line) is not None
            kind = found.paragraphs if fence or is_heading else kind
            heads = fence is not None or is_heading or (is_blank and is_glued)
            is_new = is_blank
        if not is_glued and at > begin:
            kind.append(at)
        is_glued, above = heads, line
        at += len(line) + 1
    return found


def _cut(text: str, begin: int, end: int, places: _Places) -> int:
    """The best place in the window to end a part at."""
    if places.table is not None and (places.table > begin or places.rows):
        return places.rows[-1] if places.table == begin else places.table
    for share in _FLOORS:
        floor = begin + (end - begin) // share
        for found in (places.paragraphs, places.lines):
            if found and found[-1] >= floor:
                return found[-1]
        for pattern in (_SENTENCE, _WORD):
            for match in reversed(list(pattern.finditer(text, floor, end))):
                if _is_boundary(text, match.end()):
                    return match.end()
    return _last_boundary(text, begin, end)


@cache
def _grapheme() -> "regex.Pattern[str]":
    import regex

    return regex.compile(r"\X")


def _is_boundary(text: str, at: int) -> bool:
    """Whether a new grapheme begins behind a space or a full stop that ends at `at`."""
    return text[at : at + 1].isascii() or _grapheme().fullmatch(text, at - 1, at + 1) is None


def _last_boundary(text: str, begin: int, end: int) -> int:
    """The last place up to `end` where a grapheme begins; `end` itself where a single one fills the window."""
    if text[begin : end + 1].isascii() and text[end - 1 : end + 1] != "\r\n":
        return end
    last = start = max(begin, text.rfind("\n", begin, end) + 1)
    for match in _grapheme().finditer(text, start):
        if match.end() > end:
            break
        last = match.end()
    return last if last > begin else end
