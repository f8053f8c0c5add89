"""How an answer looks in a terminal. Pure: text in, text and lines out."""

import re
from io import StringIO

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")


def clean(text: str) -> str:
    """The text without what could drive a terminal or break a store: control characters and lone surrogates."""
    return _CONTROL.sub("", text)


def finished(text: str) -> int:
    """How much of a growing text is finished: its whole blocks before the last one, which keep their look."""
    marks, above = "", ""
    at = end = 0
    for line in text.splitlines(keepends=True):
        bare = line.strip()
        if not marks and not above and not line[0].isspace():
            end = at
        if marks:
            marks = "" if bare.startswith(marks) and not bare.strip(marks[0]) else marks
        elif fence := _FENCE.match(bare):
            marks = fence.group()
        above = bare
        at += len(line)
    return end


def rendered(text: str, width: int) -> list[str]:
    """Markdown as the lines of a terminal, each at most `width` columns wide."""
    if not text.strip():
        return []
    from rich.console import Console
    from rich.markdown import Markdown

    out = StringIO()
    console = Console(file=out, force_terminal=True, width=width, legacy_windows=False)
    console.print(Markdown(clean(text), code_theme="ansi_dark", hyperlinks=False))
    return [line.rstrip() for line in out.getvalue().removesuffix("\n").split("\n")]
