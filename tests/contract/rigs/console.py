"""The console adapter between two pipes: questions are lines, each answer is one piece of what is printed."""

import io
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.console.client import Console
from bot.events import Action

EDITS = False


class Printed(io.StringIO):
    """Standard output that remembers each piece that was printed."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str, /) -> int:
        if text:
            self.pieces.append(text)
        return super().write(text)


class ConsoleRig:
    """See `tests.contract.rig.Rig`. Every line is for the bot, and there is one person."""

    characters = 1_000_000

    def __init__(self, keyboard: int, out: Printed) -> None:
        self.adapter = Console(name="console")
        self._keyboard = keyboard
        self._out = out

    async def say(self, text: str, *, mention: bool = True, author: str = "ada") -> str:
        os.write(self._keyboard, f"{text}\n".encode())
        return ""

    async def press(self, action: Action, turn: str, *, author: str = "ada") -> None:
        raise AssertionError("a pipe has no controls")

    async def seen(self) -> tuple[str, ...]:
        return tuple(piece.removesuffix("\n") for piece in self._out.pieces)

    async def pinged(self) -> tuple[str, ...]:
        return ()


@asynccontextmanager
async def open_rig() -> AsyncIterator[ConsoleRig]:
    reader, writer = os.pipe()
    was = sys.stdin, sys.stdout
    with os.fdopen(reader) as keyboard:
        out = Printed()
        sys.stdin, sys.stdout = keyboard, out
        try:
            yield ConsoleRig(writer, out)
        finally:
            sys.stdin, sys.stdout = was
            os.close(writer)
