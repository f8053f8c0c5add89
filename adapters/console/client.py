"""The terminal as a platform: a conversation in a terminal, lines from a pipe, or one question of a command line."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper

from adapters.console.markup import clean
from adapters.console.reply import ConsoleReply, Screen, Stream
from adapters.console.translate import action, command, question
from bot.commands import CommandSpec, form, parsed
from bot.errors import BotError
from bot.events import Address, Question
from bot.ports import Draft, Intake


class Console:
    """The adapter of a terminal or a pipe; with a `question` it asks just this one.

    `name` is the platform's name: processes with the same name answer each other's questions. `exit_code` is 0 where
    all answers were whole, and always for a conversation in a terminal. `call_s` bounds the wait when it is cancelled.
    A line that begins with `/` and the name of one of the `commands` is that command.
    """

    def __init__(
        self,
        *,
        name: str = "console",
        question: str | None = None,
        call_s: float = 5.0,
        commands: Sequence[CommandSpec] = (),
    ) -> None:
        self.platform = name
        self.exit_code = 0 if question is None else 1
        self._question = question
        self._call_s = call_s
        self._commands = {f"/{spec.name}": spec for spec in commands}
        self._in, self._out, self._err = sys.stdin, sys.stdout, sys.stderr
        self._is_terminal = question is None and self._in.isatty() and self._out.isatty()
        self._news: dict[str, asyncio.Queue[bool | None]] = {}

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Ask what is typed, piped or given, one after the other, until there is no more."""
        if isinstance(self._out, TextIOWrapper):
            self._out.reconfigure(errors="replace")
        ready()
        if self._is_terminal:
            is_blocking = os.get_blocking(0)
            try:
                await self._talk(intake)
            finally:  # the loop reads without blocking; the shell that goes on here must find it as it was
                os.set_blocking(0, is_blocking)
        elif self._question is not None:
            if clean(self._question).strip():
                self.exit_code = await self._ask(intake, question(self.platform, self._question, *_stamp()))
            else:
                print("There is no question.", file=self._err)
        else:
            async for line in _lines(self._in.fileno()):
                if text := clean(line).strip():
                    event = await self._meant(text)
                    self.exit_code |= await self._ask(intake, event) if event else 1

    def reply(self, address: Address, draft: Draft) -> ConsoleReply:
        """An answer to what was asked here, shown as it comes, or to an earlier question, which is quoted."""
        paper = Screen(self._out) if self._is_terminal else Stream(self._out, self._err)
        is_live = self._is_terminal or self._question is not None
        news = self._news.get(address.reply_to)
        quote = address.quote if news is None else ""
        return ConsoleReply(paper=paper, draft=draft, news=news, is_live=is_live, quote=quote)

    async def close(self) -> None:
        """Let go of a reader that is gone: the end of the process would stumble over it."""
        try:
            self._out.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    async def _meant(self, text: str, prompt: Callable[[str], Awaitable[str]] | None = None) -> Question | None:
        """What a line is: a command, something about the last answer, or a question. None if it was refused."""
        word, _, rest = text.partition(" ")
        if word in ("/retry", "/continue"):
            return action(self.platform, "retry" if word == "/retry" else "continue", *_stamp())
        if (spec := self._commands.get(word)) is None or spec.name == "ask":
            return question(self.platform, rest if spec else text, *_stamp())
        try:
            options = parsed(spec, rest)
        except BotError as error:
            print(error.notice, file=self._err)
            return None
        if prompt is not None:
            for option in form(spec, options):
                options[option.name] = clean(await prompt(f"{option.help}: ")).strip()
        return command(self.platform, spec.name, options, *_stamp())

    async def _ask(self, intake: Intake, event: Question) -> int:
        """Ask and wait for the answer: 0 if it is whole. The first interrupt stops it, a second one the waiting.

        The news of a question are None for an interrupt, and whether the answer was whole at its end.
        """
        news = self._news[event.id] = asyncio.Queue()
        try:
            await intake(event)
            if (is_whole := await news.get()) is None:
                await intake(action(self.platform, "stop", *_stamp()))
                is_whole = await news.get()
        except BotError as error:
            print(error.notice, file=self._err)
            return 1
        except asyncio.CancelledError:
            if self._question is not None:
                with suppress(BotError, TimeoutError):
                    async with asyncio.timeout(self._call_s):
                        await intake(action(self.platform, "stop", *_stamp()))
            raise
        finally:
            del self._news[event.id]
        return int(not is_whole)

    async def _talk(self, intake: Intake) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.input.typeahead import store_typeahead
        from prompt_toolkit.keys import Keys

        session = PromptSession[str]("> ", completer=WordCompleter([*self._commands, "/quit"], sentence=True))
        keyboard = session.input

        def read() -> None:
            """While an answer comes: Ctrl-C interrupts it, what else is typed waits for the next prompt."""
            presses = keyboard.read_keys()
            if any(press.key == Keys.ControlC for press in presses):
                for news in self._news.values():
                    news.put_nowait(None)
            store_typeahead(keyboard, [press for press in presses if press.key != Keys.ControlC])

        def prompt(words: str) -> Awaitable[str]:
            return PromptSession[str]().prompt_async(words, handle_sigint=False)

        while True:
            try:
                text = clean(await session.prompt_async(handle_sigint=False)).strip()
                event = await self._meant(text, prompt) if text and text != "/quit" else None
            except (EOFError, KeyboardInterrupt):
                if session.default_buffer.text:
                    continue
                return
            if text == "/quit":
                return
            if event:
                with keyboard.raw_mode(), keyboard.attach(read):
                    await self._ask(intake, event)


def _stamp() -> tuple[str, float]:
    """A new event's id and time."""
    return f"{time.time_ns():x}-{secrets.token_hex(4)}", time.time()


async def _lines(fd: int) -> AsyncIterator[str]:
    """The lines of a pipe or a file, each as soon as it is whole."""
    rest = b""
    while chunk := await _read(fd):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    yield rest.decode(errors="replace")


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
