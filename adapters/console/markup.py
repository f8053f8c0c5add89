"""How an answer looks in a terminal. Pure: text in, text and lines out."""

import re
from io import StringIO

from bot.pacing import seal

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_GAP = re.compile(r"\n[ \t]*\n(?=\S)")


def clean(text: str) -> str:
    """The text without what could drive a terminal or break a store: control characters and lone surrogates."""
    return _CONTROL.sub("", text)


def finished(text: str) -> int:
    """How much of a growing text is finished: its whole blocks before the last one, which keep their look."""
    for gap in reversed(list(_GAP.finditer(text))):
        if seal(before := text[: gap.end()]) == before:
            return gap.end()
    return 0


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
