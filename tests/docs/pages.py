"""The project's pages as text, and what stands in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text(encoding="utf-8")


def pages() -> list[str]:
    """The names of all pages that people read."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


def links(text: str) -> list[str]:
    """The targets of a page's links, those in code left out."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """What a link may name behind `#`: each heading in small letters, without signs, with hyphens for spaces."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def quoted(text: str) -> set[str]:
    """What a page has between back-ticks on one line, code blocks left out."""
    return set(re.findall(r"`([^`\n]+)`", _FENCE.sub("", text)))


def block(text: str, start: str) -> list[str]:
    """The lines of the code blocks that have a line beginning with `start`."""
    found = [match.group().splitlines()[1:-1] for match in _FENCE.finditer(text)]
    return [line for lines in found if any(line.startswith(start) for line in lines) for line in lines]
