"""The terminal as a platform: a conversation in a terminal, lines from a pipe, or one question of a command line."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from adapters.console.markup import clean
from adapters.console.reply import ConsoleReply, Screen, Stream
from adapters.console.translate import action, question
from bot.errors import BotError
from bot.events import Address, Question
from bot.ports import Draft, Intake

if TYPE_CHECKING:
    from prompt_toolkit.input import Input

_HELP = "/retry answers the last question again, /quit or Ctrl-D ends, Ctrl-C stops an answer."


class Console:
    """The adapter of a terminal or a pipe; with a `question` it asks just this one.

    `name` is the platform's name: processes with the same name answer each other's questions. `exit_code` is 0 where
    all answers were whole, and always for a conversation in a terminal. `inputs` is a file for what was typed before.
    """

    def __init__(
        self, *, name: str = "console", question: str | None = None, call_s: float = 5.0, inputs: Path | None = None
    ) -> None:
        self.platform = name
        self.exit_code = 0 if question is None else 1
        self._question = question
        self._call_s = call_s
        self._inputs = inputs
        self._in, self._out, self._err = sys.stdin, sys.stdout, sys.stderr
        self._is_terminal = question is None and self._in.isatty() and self._out.isatty()
        self._news: dict[str, asyncio.Queue[Literal["whole", "cut", "interrupt"]]] = {}

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Ask what is typed, piped or given, one after the other, until there is no more."""
        if isinstance(self._out, TextIOWrapper):
            self._out.reconfigure(errors="replace")
        ready()
        if self._is_terminal:
            await self._talk(intake)
        elif self._question is not None:
            self.exit_code = await self._ask(intake, self._asked(self._question))
        else:
            async for line in _lines(self._in.fileno()):
                self.exit_code |= await self._ask(intake, self._asked(line))

    def reply(self, address: Address, draft: Draft) -> ConsoleReply:
        """An answer to what was asked here, shown as it comes, or to an earlier question, which is quoted."""
        is_live = self._question is not None
        paper = Screen(self._out) if self._is_terminal else Stream(self._out, self._err, is_live=is_live)
        quote = "" if address.reply_to in self._news else address.quote
        return ConsoleReply(paper=paper, draft=draft, ended=partial(self._ended, address.reply_to), quote=quote)

    async def close(self) -> None:
        """Let go of a reader that is gone: the end of the process would stumble over it."""
        try:
            self._out.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    async def _ask(self, intake: Intake, event: Question) -> int:
        """Ask and wait for the answer: 0 if it is whole. The first interrupt stops it, a second one the waiting."""
        news = self._news[event.id] = asyncio.Queue()
        try:
            await intake(event)
            if (last := await news.get()) == "interrupt":
                await intake(self._action("stop"))
                last = await news.get()
        except BotError as error:
            print(error.notice, file=self._err)
            return 1
        except asyncio.CancelledError:
            if self._question is not None:
                with suppress(BotError, TimeoutError):
                    async with asyncio.timeout(self._call_s):
                        await intake(self._action("stop"))
            raise
        finally:
            del self._news[event.id]
        return int(last != "whole")

    def _ended(self, id: str, is_whole: bool) -> None:
        if id in self._news:
            self._news[id].put_nowait("whole" if is_whole else "cut")

    async def _talk(self, intake: Intake) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory, InMemoryHistory

        session = PromptSession[str](history=FileHistory(self._inputs) if self._inputs else InMemoryHistory())
        while True:
            try:
                text = clean(await session.prompt_async("> ", handle_sigint=False)).strip()
            except EOFError:
                return
            except KeyboardInterrupt:
                if session.default_buffer.text:
                    continue
                return
            match text:
                case "":
                    continue
                case "/quit":
                    return
                case "/help":
                    print(_HELP, file=self._out)
                    continue
            event = self._action("retry") if text == "/retry" else self._asked(text)
            with self._interruptible(session.input, event.id):
                await self._ask(intake, event)

    @contextmanager
    def _interruptible(self, keyboard: "Input", id: str) -> Iterator[None]:
        """In here Ctrl-C interrupts the answer; what else is typed waits for the next prompt."""
        from prompt_toolkit.input.typeahead import store_typeahead
        from prompt_toolkit.keys import Keys

        def read() -> None:
            presses = keyboard.read_keys()
            if id in self._news and any(press.key == Keys.ControlC for press in presses):
                self._news[id].put_nowait("interrupt")
            store_typeahead(keyboard, [press for press in presses if press.key != Keys.ControlC])

        with keyboard.raw_mode(), keyboard.attach(read):
            yield

    def _asked(self, text: str) -> Question:
        return question(self.platform, text, id=_new_id(), at=time.time())

    def _action(self, name: Literal["stop", "retry"]) -> Question:
        return action(self.platform, name, id=_new_id(), at=time.time())


def _new_id() -> str:
    return f"{time.time_ns():x}-{secrets.token_hex(4)}"


async def _lines(fd: int) -> AsyncIterator[str]:
    """The lines of a pipe or a file that are not blank, each as soon as it is whole."""
    rest = b""
    while chunk := await _read(fd):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if text := clean(line.decode(errors="replace")).strip():
                yield text
    if text := clean(rest.decode(errors="replace")).strip():
        yield text


async def _read(fd: int) -> bytes:
    """The next bytes. No thread: one that waits for input would keep the process from ending."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    with suppress(OSError, NotImplementedError):  # a regular file cannot be waited for, and need not be
        loop.add_reader(fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(fd)
    return os.read(fd, 65_536)
