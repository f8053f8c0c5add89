"""Draws docs/images/chat.svg: a real `parley chat` in tmux before a scripted model server, its screen as it stands.

Run it from the checkout: `.venv/bin/python docs/images/picture.py`. It needs tmux. Nothing leaves this machine.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers.model import Answer, ModelServer  # noqa: E402 - the checkout's, wherever this is run from

COLUMNS, ROWS = 88, 37
TALK = (
    (
        "How do I read a big CSV file in Python without loading all of it?",
        "Read it row by row; only one row is in memory at a time:\n\n"
        "```python\nimport csv\n\n"
        'with open("big.csv", newline="") as file:\n'
        "    for row in csv.DictReader(file):\n"
        '        print(row["name"])\n```\n\n'
        '`newline=""` lets the `csv` module handle the line ends itself.',
    ),
    (
        "And if I need sums and averages?",
        "For *that* file, it depends on how much you want to write yourself:\n\n"
        "| way | memory | you write |\n|---|---|---|\n"
        "| the loop above | one row | the sums |\n"
        "| `sqlite3`, imported once | a little | one `SELECT` |\n"
        "| a data frame | the whole file | one line |\n\n"
        "With a few million rows I would take **sqlite3**: it is in the standard library.",
    ),
    ("Tell me the long story of the comma.", "Once there was a comma that could not bear to end a sentence, and so it"),
)
# Background, text, then the eight colours of a terminal, plain and bright.
_SHADES = bytes.fromhex("""181a1f d6dae0
    282c34 e06c75 78be78 deb86c 61a0ef c678dd 56b6c2 c8ccd4
    6e7480 f0828a 96d296 f0cd82 82b9ff d796eb 73cdd7 f0f2f5""")
BACK, TEXT, *COLOURS = zip(_SHADES[::3], _SHADES[1::3], _SHADES[2::3], strict=True)
THEME = TerminalTheme(BACK, TEXT, COLOURS[:8], COLOURS[8:])


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ("tmux", "-S", str(folder / "tmux"), "-f", os.devnull)

    def run(self, *words: str) -> str:
        """What tmux says to this command."""
        return subprocess.run((*self._tmux, *words), check=True, capture_output=True, text=True).stdout

    def screen(self, *flags: str) -> str:
        """What the window shows; with `-e` as it was coloured."""
        return self.run("capture-pane", "-p", *flags).rstrip("\n")

    async def type(self, text: str) -> None:
        """Type a line and press Enter."""
        self.run("send-keys", "-l", text)
        self.run("send-keys", "Enter")

    async def shows(self, pattern: str) -> None:
        """Wait until the screen's end matches."""
        try:
            async with asyncio.timeout(30):
                while not re.search(pattern + r"\s*\Z", self.screen()):  # noqa: ASYNC110 - a screen has no event
                    await asyncio.sleep(0.05)
        except TimeoutError:
            sys.exit(f"The screen does not end with {pattern!r}:\n{self.screen()}")


async def drawn(folder: Path) -> str:
    """The screen after the talk, with its colours as escape sequences."""
    shim = folder / "bin" / "parley"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from bot.cli import main; exit(main())" "$@"\n')
    shim.chmod(0o755)
    async with ModelServer(models=(("scripted-model", None),), gap_s=0.01) as server:
        for _, answer in TALK[:-1]:
            server.script(Answer(chunks=tuple(re.findall(r"\S+\s*", answer)), usage=None))
        last = tuple(re.findall(r"\S+\s*", TALK[-1][1]))
        server.script(Answer(chunks=(*last, "never shown"), stall_at=len(last)))
        env = {
            "PATH": f"{shim.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OPENAI_BASE_URL": server.base_url,
            "PARLEY_MODEL": "scripted-model",
            "PARLEY_DATA_DIR": str(folder / "data"),
            "PS1": "$ ",
        }
        words = [f"{name}={value}" for name, value in env.items()]
        terminal = Terminal(folder)
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        terminal.run("new-session", "-d", *size, "-c", str(folder), "env", *words, "sh")
        try:
            await terminal.shows(r"\$")
            await terminal.type("parley chat")
            for question, _ in TALK[:-1]:
                await terminal.shows("\n>")
                await terminal.type(question)
                await server.asked(len(server.requests) + 1)
            await terminal.shows("\n>")
            await terminal.type(TALK[-1][0])
            await server.stalled()
            await terminal.shows(r"Once there was[^\n]*")
            terminal.run("send-keys", "C-c")
            await terminal.shows("\n>")
            return terminal.screen("-e")
        finally:
            await terminal.type("/quit")
            try:
                await terminal.shows(r"\n\$[^\n]*")
            finally:
                terminal.run("kill-server")


def svg(screen: str) -> str:
    """The screen as a picture that needs no font from elsewhere."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(screen), overflow="ignore", no_wrap=True)
        text = console.export_svg(title="parley chat", theme=THEME, unique_id="chat")
    text = re.sub(r"\s*@font-face \{.*?\}\n", "\n", text, flags=re.DOTALL)
    text = re.sub(r"font-family: ?[^;]*;", "font-family: ui-monospace, Menlo, Consolas, monospace;", text)
    return re.sub(r"<!-- .*? -->\s*", "", text)


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        screen = asyncio.run(drawn(Path(folder)))
    Path(__file__).with_name("chat.svg").write_text(svg(screen), encoding="utf-8")
    print(Text.from_ansi(screen).plain)


if __name__ == "__main__":
    main()
