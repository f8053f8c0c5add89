"""One answer on a terminal or a stream. What is printed cannot be edited: a new start is printed below the old one."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from typing import Self, TextIO

from adapters.console.markup import clean, finished, rendered
from bot.errors import ReplyUndeliverable
from bot.events import MessageRef
from bot.pacing import seal
from bot.ports import Button, Draft


def write(out: TextIO, text: str) -> None:
    """Print at once. Raises ReplyUndeliverable where the reader is gone."""
    try:
        out.write(text)
        out.flush()
    except OSError as error:
        raise ReplyUndeliverable(f"nobody reads: {error}") from error


@dataclass(slots=True)
class Stream:
    """Plain text on one stream, notices on the other."""

    out: TextIO
    notices: TextIO
    cadence_s: float = 0.0
    _printed: str = ""

    def show(self, text: str) -> None:
        """The whole text so far."""
        if not text.startswith(self._printed):
            write(self.out, "\n\n")
            self._printed = ""
        write(self.out, clean(text[len(self._printed) :]))
        self._printed = text

    def finish(self, text: str) -> None:
        """The whole final text."""
        self.show(text.removesuffix("\n") + "\n")

    def fail(self, notice: str) -> None:
        """The notice; what was printed stays."""
        if self._printed:
            write(self.out, "\n")
        write(self.notices, f"{notice}\n")


@dataclass(slots=True)
class Screen:
    """Markdown in a terminal: finished blocks are printed once, the last one is drawn anew as it grows.

    Only lines that are still on the screen are drawn again; those that have scrolled out of it stay as they are.
    """

    out: TextIO
    cadence_s: float = 0.05
    _text: str = ""
    _done: int = 0
    _gone: int = 0
    _lines: list[str] = field(default_factory=list)

    def show(self, text: str) -> None:
        """The whole text so far; without any, a sign of life."""
        if (self._done or self._gone) and not text.startswith(self._text):
            self._settle("", "(I start again:)", "")
            self._done = 0
        self._text = text
        if size := finished(text[self._done :]):
            self._draw(text[self._done : self._done + size])
            self._settle("")
            self._done += size
        self._draw(text[self._done :] or "…")

    def finish(self, text: str) -> None:
        """The whole final text."""
        self.show(text)
        self._settle("")

    def fail(self, notice: str) -> None:
        """The notice, below what was shown."""
        self.finish(f"{seal(self._text.rstrip())}\n\n{notice}".lstrip())

    def _draw(self, block: str) -> None:
        columns, rows = shutil.get_terminal_size()
        lines = rendered(block, columns - 1)[self._gone :]
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._lines, lines, strict=False)))
        up = len(self._lines) - same
        write(self.out, (f"\x1b[{up}F\x1b[J" if up else "") + "".join(f"{line}\n" for line in lines[same:]))
        self._lines = lines[1 - rows :]
        self._gone += len(lines) - len(self._lines)

    def _settle(self, *lines: str) -> None:
        """What is drawn stays; these lines follow it."""
        write(self.out, "".join(f"{line}\n" for line in lines))
        self._gone, self._lines = 0, []


@dataclass(slots=True, kw_only=True)
class ConsoleReply:
    """A `bot.ports.Reply` on paper. Once it is left, the `news` tell whether a whole answer was printed.

    With `is_live` the text is shown as it comes. With a `quote`, of a question that nobody waits for here, it is shown
    when it is whole, and above what the person is typing.
    """

    paper: Stream | Screen
    draft: Draft
    news: asyncio.Queue[bool | None] | None
    is_live: bool
    quote: str
    _is_whole: bool = False
    _next_at: float = 0.0
    _text: str = ""
    _timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self.show("")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stop()
        if self.news is not None:
            self.news.put_nowait(self._is_whole)

    def show(self, text: str) -> None:
        self._text = text
        if not self.is_live or self.quote or self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._next_at:
            self._timer = loop.call_at(self._next_at, self._show_late)
            return
        self._next_at = loop.time() + self.paper.cadence_s
        self.paper.show(text)

    def _show_late(self) -> None:
        self._timer = None
        with suppress(ReplyUndeliverable):  # whoever writes next finds the same
            self.show(self._text)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def finish(self, text: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        ref = self.draft.refs.get(0)
        if ref is None or ref.id != self.draft.turn:  # what an earlier turn printed cannot be written over
            await self.draft.keep(0, None)
            await self._print(self.paper.finish, text)
            ref = MessageRef(channel="", id=self.draft.turn)
            await self.draft.keep(0, ref)
        self._is_whole = not any(button.action == "continue" for button in buttons)
        return (ref,)

    async def fail(self, notice: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        await self._print(self.paper.fail, notice)
        return (MessageRef(channel="", id=self.draft.turn),)

    async def discard(self) -> None:
        """What is printed stays."""

    async def _print(self, print_it: Callable[[str], None], text: str) -> None:
        self._stop()
        if self.quote:
            text = f"> {self.quote}\n\n{text}"
        async with self.draft.writing():
            if self.quote and isinstance(self.paper, Screen):
                from prompt_toolkit.application import run_in_terminal

                await run_in_terminal(partial(print_it, text))
            else:
                print_it(text)
