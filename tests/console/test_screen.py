"""What a person sees in the terminal while an answer grows: `adapters.console.reply.Screen`."""

import asyncio
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.console.markup import rendered
from adapters.console.reply import ConsoleReply, Screen
from tests.fakes import FakeDraft

ROWS, COLUMNS = 12, 40


class Terminal(io.StringIO):
    """Understands text, line feeds, "n lines up" and "erase below"; `lines` is all that was ever on it, in order.

    What has scrolled out of its rows cannot be reached any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self.row = 0
        self.drawn = 0

    def write(self, text: str, /) -> int:
        for up, erase, line, feed in re.findall(r"\x1b\[(\d+)F|(\x1b\[J)|((?:\x1b\[[\d;]*m|[^\n\x1b])+)|(\n)", text):
            if up:
                self.row -= int(up)
                assert self.row >= len(self.lines) - ROWS, "drew where nothing can be drawn any more"
            elif erase:
                del self.lines[self.row + 1 :]
                self.lines[self.row] = ""
            elif feed:
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            else:
                self.lines[self.row] += re.sub(r"\x1b\[[\d;]*m", "", line)
                self.drawn += 1
        return len(text)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).strip()


@pytest.fixture(autouse=True)
def size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("LINES", str(ROWS))


def printed(text: str) -> str:
    """The text as it is printed in one go."""
    terminal = Terminal()
    Screen(terminal).finish(text)
    return terminal.text


paragraphs = st.lists(st.sampled_from(["word", "**bold**", "`code`", "long-word-" * 3]), max_size=25).map(" ".join)
code = st.lists(st.sampled_from(["x = 1", "", "def f():"]), max_size=30).map(
    lambda lines: "\n".join(["```", *lines, "```"])
)
items = st.integers(1, 30).map(lambda count: "\n".join(f"- item {number}" for number in range(count)))
texts = st.lists(st.one_of(paragraphs, code, items), max_size=5).map("\n\n".join)


@settings(max_examples=25, deadline=None)
@given(texts, st.integers(3, 40))
def test_a_streamed_answer_looks_as_if_printed_at_once(text: str, step: int) -> None:
    """However it came, no line of the answer is missing, repeated or left over, longer than the screen or not."""
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show("")
    for end in range(0, len(text), step):
        screen.show(text[:end])
    screen.finish(text)
    assert re.sub(r"\s+", " ", terminal.text) == re.sub(r"\s+", " ", printed(text))


def test_a_growing_block_is_not_drawn_over_and_over() -> None:
    """Lines that did not change are not drawn again: nothing flickers."""
    terminal = Terminal()
    screen = Screen(terminal)
    text = "\n".join(f"- item {number}" for number in range(200))
    for end in range(0, len(text), 5):
        screen.show(text[:end])
    screen.finish(text)
    assert terminal.drawn < 1000
    assert terminal.text.split("\n") == [f" • item {number}".strip() for number in range(200)][:1] + [
        f" • item {number}" for number in range(1, 200)
    ]


def test_a_sign_of_life_gives_way_to_the_text() -> None:
    """Before the first word there is a sign, and afterwards no trace of it."""
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show("")
    assert terminal.text == "…"
    screen.finish("Hello.")
    assert terminal.text == "Hello."


def test_a_new_start_is_told_where_the_old_one_cannot_be_taken_back() -> None:
    """A short first try is overwritten; one whose blocks are finished stays, and the new start says so."""
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show("The first")
    screen.finish("The second.")
    assert terminal.text == "The second."
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show("One block.\n\nAnother")
    screen.finish("All new.")
    assert terminal.text.split("\n") == ["One block.", "", "Another", "", "(I start again:)", "", "All new."]


def test_a_notice_stands_below_what_was_said() -> None:
    """A failure keeps the text, closes its code, and adds the notice."""
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show("Look:\n\n```\nx = 1")
    screen.fail("The model broke off.")
    assert terminal.text.split("\n")[0] == "Look:"
    assert "x = 1" in terminal.text
    assert terminal.text.endswith("The model broke off.")
    assert rendered("The model broke off.", COLUMNS - 1) == ["The model broke off."]


async def test_the_last_words_are_seen_though_no_more_come() -> None:
    """Where the model pauses right behind a draw, what came since is drawn without waiting for a new word."""
    out = Terminal()
    paper = Screen(out, cadence_s=0.02)
    reply = ConsoleReply(paper=paper, draft=FakeDraft(), news=None, is_live=True, quote="")
    async with reply:
        reply.show("One")
        reply.show("One two")
        reply.show("One two three")
        async with asyncio.timeout(10):
            while "three" not in "".join(out.lines):
                await asyncio.sleep(0)
