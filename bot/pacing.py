"""What to show when, and where to split: text and time in, parts out. Knows no platform, no clock, no task."""

import re
from dataclasses import dataclass

import regex

_FENCE = re.compile(
    r"^(?P<prefix>[ \t>]{0,24}(?P<list>(?:[-*+]|\d{1,9}[.)])[ \t]{1,4})?)(?P<marks>`{3,16}(?!`)|~{3,16}(?!~))"
    r"(?P<info>[ \t]*(?P<language>[!-~]{1,20}(?!\S))?.*)",
    re.MULTILINE,
)
_TABLE_HEADER = re.compile(r"[ \t>]*\|.*\n[ \t>]*\|[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?\s*?\n")
_ROW = re.compile(r"[ \t>]*\|")
_HEADING = re.compile(r"#{1,6}[ \t]")
_FULL_STOP = r"[.!?\u2026][\"')\]*_]*"
_WIDE_STOP = r"[\u3002\uff01\uff1f]"
_FIRST_SENTENCE = re.compile(rf"(?<!\d){_FULL_STOP}\s|{_WIDE_STOP}|\S[ \t]*\n")
_SENTENCE = re.compile(rf"(?:{_FULL_STOP}[ \t]+(?=\S)|{_WIDE_STOP}[\u300d\u300f\uff09]?)")
_WORD = re.compile(r"(?<=\S)[ \t]+(?=\S)")
_GRAPHEME = regex.compile(r"\X")
_BLANK_LINES = re.compile(r"(?:[ \t\r]*\n)*")
_BLANK_REST = re.compile(r"\s*\Z")
_FLOORS = (2, 8)
"""A place to cut is looked for behind a half of the message first, then behind an eighth of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a platform allows, as data.

    `characters` is the longest message in UTF-16 code units (at least 200: what is repeated needs room),
    `cadence_s` the seconds between two writes of one reply, `sign_every_s` how often its sign of life (typing, status)
    is renewed. The first post comes at a sentence end, at `first_characters`, or `first_s` after the first token.
    """

    characters: int
    cadence_s: float
    sign_every_s: float
    first_characters: int = 80
    first_s: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """A code block that is open: what a part adds to close it, and what the next adds to open it again."""

    closer: str
    opener: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of a text: `source` is its slice of the text, `text` is what is shown for it.

    The next part begins with `lead`: what opens the `fence` again that is open here, or the header of a table.
    """

    source: str = ""
    text: str = ""
    fence: Fence | None = None
    lead: str = ""


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

    Where a part ends depends on nothing behind its own limit but what follows at once: blank lines, a fence's marks.
    So when text is appended, all parts but the last two stay exactly as they are, and the last but one changes only
    while such marks grow. `earlier` is the result for a beginning of this text under the same limits (for another text
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
        parts.append(part)
        at += len(part.source)
    return tuple(parts)


def _next(text: str, start: int, before: Part, limits: Limits) -> Part:
    """The part that begins at `start`, behind the part `before`."""
    begin = start if before.fence else _behind_blank_lines(text, start)
    room = limits.characters - units(before.lead)
    while True:
        end = min(len(text), begin + room)
        is_last = _BLANK_REST.match(text, end)
        cut, header = (len(text), "") if is_last else _cut(text, begin, end, before)
        fence = _fence_after(text[begin:cut], before.fence)
        if fence and (line := _FENCE.match(text, cut)) and _closes(line, fence):
            cut, fence = line.end(), None
        shown = f"{before.lead}{text[begin:cut].rstrip()}{fence.closer if fence else ''}"
        if (excess := units(shown) - limits.characters) <= 0:
            break
        room -= (excess + 1) // 2  # a character may be two units
    behind = cut if fence else _behind_blank_lines(text, cut)
    if behind > cut or units(header) > limits.characters // 3:
        header = ""
    return Part(source=text[start:behind], text=shown, fence=fence, lead=fence.opener if fence else header)


def _behind_blank_lines(text: str, at: int) -> int:
    match = _BLANK_LINES.match(text, at)
    return match.end() if match else at


def _fence_after(text: str, fence: Fence | None) -> Fence | None:
    """The fence that is open at the end of a text at whose beginning `fence` is."""
    if "```" in text or "~~~" in text:
        for line in _FENCE.finditer(text):
            fence = _opened(line) if fence is None else None if _closes(line, fence) else fence
    return fence


def _opened(line: re.Match[str]) -> Fence | None:
    """The fence that this line opens; a line with back-ticks behind its back-ticks is inline code."""
    marks, item = line["marks"], line["list"] or ""
    if marks.startswith("`") and "`" in line["info"]:
        return None
    margin = line["prefix"].removesuffix(item) + " " * len(item)
    return Fence(closer=f"\n{margin}{marks}", opener=f"{margin}{marks}{line['language'] or ''}\n")


def _closes(line: re.Match[str], fence: Fence) -> bool:
    return line["marks"].startswith(fence.closer.strip("\n\t >")) and not line["list"] and not line["info"].strip()


def _cut(text: str, begin: int, end: int, before: Part) -> tuple[int, str]:
    """The best place up to `end` for a part to end at, and the header of the table that it cuts there.

    It is never behind what heads something: a heading, an opening fence, a table's header.
    """
    paragraphs, lines, rows = list[int](), list[int](), list[int]()
    fence, at, is_new, is_glued = before.fence, begin, False, True
    header, body = "" if fence else before.lead, begin + 1
    table = begin if header else None
    if not before.lead and (match := _TABLE_HEADER.match(text, begin, end)):
        header, body = match.group(), match.end()
    for line in text[begin : end + 1].split("\n"):
        if at > end:
            break
        mark, is_blank, heads = _FENCE.match(line), not line.strip(), False
        kind = paragraphs if is_new or (is_blank and not fence) else lines
        is_new = False
        if fence:
            if mark and _closes(mark, fence):
                fence, is_new = None, True
        elif _ROW.match(line):
            if table is None:
                table = at
            else:
                kind = rows
        else:
            table, header, is_new = None, "", is_blank
            fence = _opened(mark) if mark else None
            heads = fence is not None or _HEADING.match(line) is not None
            kind = paragraphs if heads else kind
            heads = heads or (is_blank and is_glued)
        if at > begin and not is_glued and (kind is not rows or at >= body):
            kind.append(at)
        is_glued = heads
        at += len(line) + 1
    if table is not None and (table > begin or rows):
        return (table, "") if table > begin else (rows[-1], header)
    words = [_ends(pattern, text, begin, end) for pattern in (_SENTENCE, _WORD)]
    for share in _FLOORS:
        for places in (paragraphs, lines, *words):
            if places and places[-1] >= begin + (end - begin) // share:
                return places[-1], header
    return _last_boundary(text, begin, end), header


def _ends(pattern: re.Pattern[str], text: str, begin: int, end: int) -> list[int]:
    """Where a match ends and a grapheme begins, but no marks that would open a fence at the start of a message."""
    ends = [match.end() for match in pattern.finditer(text, begin, end)]
    plain = [at for at in ends if not text.startswith(("```", "~~~"), at)]
    return [at for at in plain if text[at].isascii() or not _GRAPHEME.fullmatch(text, at - 1, at + 1)]


def _last_boundary(text: str, begin: int, end: int) -> int:
    """The last place up to `end` where a grapheme begins; `end` itself where a single one fills the window."""
    start = max(begin, text.rfind("\n", begin, end) + 1)
    ends = [match.end() for match in _GRAPHEME.finditer(text, start, end + 1) if match.end() <= end]
    last = max(ends, default=start)
    return last if last > begin else end
