"""A console between streams of the test, and an inbox in memory that answers at once."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol, TextIO

import pytest
from prompt_toolkit.application import create_app_session, get_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from adapters.console.client import Console
from bot.errors import BotError
from bot.events import ActionTaken, Event, MessageReceived
from bot.ports import Admission, Reply
from tests.fakes import FakeDraft

Answer = Callable[["Talk", str, Reply], Awaitable[object]]


async def echo(talk: "Talk", text: str, reply: Reply) -> None:
    """The usual answer."""
    await reply.finish(f"Answer: {text}")


class Talk:
    """One run of a console. `out` and `err` are what it printed, `asked` what it asked; `answer` answers it.

    `refuse` are raised by the intake, one each; `failed` are the errors that ended turns.
    """

    def __init__(self, console: Console, out: io.StringIO, err: io.StringIO, answer: Answer) -> None:
        self.console = console
        self.out = out
        self.err = err
        self.answer = answer
        self.asked: list[str] = []
        self.actions: list[str] = []
        self.refuse: list[BotError] = []
        self.failed: list[BotError] = []
        self.told = asyncio.Event()
        self.ready = asyncio.Event()
        self._turns = asyncio.TaskGroup()

    async def run(self) -> int:
        """Until the console's input ends and all is answered; its exit code."""
        async with self._turns:
            await self.console.run(self.intake, self.ready.set)
        await self.console.close()
        return self.console.exit_code

    async def intake(self, event: Event) -> Admission:
        """A stop is only `told`; all else is answered."""
        if self.refuse:
            raise self.refuse.pop(0)
        match event:
            case MessageReceived():
                self.asked.append(event.text)
                self.begin(event.text, self.console.reply(event.address, FakeDraft(event.id)))
            case ActionTaken(action="retry"):
                self.actions.append("retry")
                self.begin("again", self.console.reply(event.address, FakeDraft(event.id)))
            case ActionTaken():
                self.actions.append("stop")
                self.told.set()
            case _:
                raise AssertionError(event)
        return Admission.ADMITTED

    def begin(self, text: str, reply: Reply) -> None:
        """Answer in this reply."""
        self._turns.create_task(self._turn(text, reply))

    async def _turn(self, text: str, reply: Reply) -> None:
        async with reply:
            try:
                await self.answer(self, text, reply)
            except BotError as error:
                self.failed.append(error)


class Pipe(Protocol):
    """Makes a console whose standard input is a file with these bytes, or with a question of the command line."""

    def __call__(self, lines: bytes = b"", *, answer: Answer = echo, question: str | None = None) -> Talk: ...


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pipe]:
    path = tmp_path / "stdin"
    opened: list[TextIO] = []

    def make(lines: bytes = b"", *, answer: Answer = echo, question: str | None = None) -> Talk:
        path.write_bytes(lines)
        opened.append(path.open())
        out, err = io.StringIO(), io.StringIO()
        for name, stream in (("stdin", opened[-1]), ("stdout", out), ("stderr", err)):
            monkeypatch.setattr(sys, name, stream)
        return Talk(Console(question=question), out, err, answer)

    yield make
    for stream in opened:
        stream.close()


class Tty(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Terminal(Protocol):
    """Makes a console in a terminal and the keyboard of it."""

    def __call__(self, *, answer: Answer = echo) -> tuple[Talk, PipeInput]: ...


class Drawn(DummyOutput):
    """A screen that tells when the prompt has been drawn on it."""

    def __init__(self) -> None:
        self.drawn = asyncio.Event()

    def flush(self) -> None:
        self.drawn.set()


def drawn() -> asyncio.Event:
    """Set once the prompt has been drawn."""
    screen = get_app_session().output
    assert isinstance(screen, Drawn)
    return screen.drawn


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=Drawn()):

        def make(*, answer: Answer = echo) -> tuple[Talk, PipeInput]:
            out, err = Tty(), Tty()
            for name, stream in (("stdin", Tty()), ("stdout", out), ("stderr", err)):
                monkeypatch.setattr(sys, name, stream)
            return Talk(Console(), out, err, answer), keys

        yield make
