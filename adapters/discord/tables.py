"""Tables of the model's Markdown for Discord, which knows none: columns that stand, or bullets (pure)."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

import regex

WIDEST = 60
"""Columns of text that a phone shows in a code block before it wraps; a wider table becomes bullets."""
_FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?P<marks>`{3,}|~{3,})(?P<info>.*)")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_BAR = re.compile(r"(?<!\\)\|")
_BOLD = re.compile(r"\*\*(\S(?:.*?\S)?)\*\*")
_GRAPHEME = regex.compile(r"\X")
_GAP, _NOTHING = "  ", "\u2013"


def with_tables(text: str) -> str:
    """The text with each table aligned in a code block or, where that is too wide, as bullets; all else as it was.

    What stands in a code block already is left alone. A table that is still being written is shown with the rows that
    are there; while it grows it changes its form once at most, from columns to bullets.
    """
    if "|" not in text:
        return text
    lines, shown, at, fence = text.split("\n"), list[str](), 0, ""
    while at < len(lines):
        line = lines[at]
        fence, is_code = _fence_after(line, fence), bool(fence)
        end = at if is_code or fence else _table_end(lines, at)
        if end > at:
            shown += _table(lines[at:end])
            at = end
        else:
            shown.append(line)
            at += 1
    return "\n".join(shown)


def width(text: str) -> int:
    """How many columns a text takes in a font of fixed width: two for wide characters and emoji, none for marks."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, _GRAPHEME.findall(text)))


def _columns(grapheme: str) -> int:
    if "\ufe0f" in grapheme or any(unicodedata.east_asian_width(sign) in "WF" for sign in grapheme):
        return 2
    if any("\U0001f1e6" <= sign <= "\U0001f1ff" for sign in grapheme):  # the letters of a flag
        return 2
    return 0 if all(unicodedata.category(sign) in ("Mn", "Me", "Cf", "Cc") for sign in grapheme) else 1


def _fence_after(line: str, fence: str) -> str:
    """The marks of the fence that is open behind this line, empty where none is."""
    found = _FENCE.match(line)
    if not found:
        return fence
    if fence:
        return "" if found["marks"].startswith(fence) and not found["info"].strip() else fence
    is_inline = found["marks"].startswith("`") and "`" in found["info"]
    return "" if is_inline else found["marks"]


def _table_end(lines: Sequence[str], at: int) -> int:
    """Behind the last line of the table that begins here; `at` where none does, or where its rule may still grow."""
    if at + 2 >= len(lines) or not _BAR.search(lines[at]) or "|" not in lines[at + 1]:
        return at
    if not _RULE.fullmatch(lines[at + 1]) or len(_cells(lines[at])) != len(_cells(lines[at + 1])):
        return at
    end = at + 2
    while end < len(lines) and _BAR.search(lines[end]):
        end += 1
    return end


def _cells(line: str) -> list[str]:
    """The cells of a row."""
    row = line.strip().removeprefix("|")
    if _BAR.search(row[-1:]) and not row.endswith("\\|"):
        row = row[:-1]
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(row)]


def _table(lines: Sequence[str]) -> list[str]:
    rows = [_cells(line) for line in (lines[0], *lines[2:])]
    count = max(map(len, rows))
    rows = [row + [""] * (count - len(row)) for row in rows]
    plain = [[_BOLD.sub(r"\1", cell) for cell in row] for row in rows]
    widths = [max(width(row[column]) for row in plain) for column in range(count)]
    is_wide = sum(widths) + len(_GAP) * (count - 1) > WIDEST
    if is_wide or any("```" in line for line in lines):
        return list(_bullets(rows))
    rights = [mark.endswith(":") for mark in _cells(lines[1])] + [False] * count
    body = [_row(row, widths, rights) for row in plain]
    rule = _GAP.join("-" * max(1, size) for size in widths)
    return ["```", body[0], rule, *body[1:], "```"]


def _row(cells: Sequence[str], widths: Sequence[int], rights: Sequence[bool]) -> str:
    padded = []
    for cell, size, is_right in zip(cells, widths, rights, strict=False):
        space = " " * (size - width(cell))
        padded.append(space + cell if is_right else cell + space)
    return _GAP.join(padded).rstrip()


def _bullets(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each row as a bullet with its first cell, and the others below it under the names of their columns."""
    names, *body = rows
    if not body:
        yield "- " + " / ".join(names)
    for first, *others in body:
        subject = "**" + _BOLD.sub(r"\1", first) + "**" if first else _NOTHING
        yield f"- {names[0]}: {subject}" if names[0] else f"- {subject}"
        for name, cell in zip(names[1:], others, strict=True):
            yield f"  - {name}: {cell or _NOTHING}" if name else f"  - {cell or _NOTHING}"
