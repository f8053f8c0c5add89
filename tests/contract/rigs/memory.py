"""The adapter in memory: the suite's own plain example."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.events import Action, ActionTaken, Address, Conversation, Person
from bot.pacing import Limits
from tests.fakes import MemoryAdapter

EDITS = True


class MemoryRig:
    """See `tests.contract.rig.Rig`."""

    characters = 200

    def __init__(self) -> None:
        limits = Limits(characters=self.characters, cadence_s=0.01, sign_every_s=1.0, first_s=0.01)
        self.adapter = MemoryAdapter(limits=limits, call_s=1.0)

    async def say(self, text: str, *, mention: bool = True, author: str = "ada") -> str:
        return (await self.adapter.say(text, author=author, mention=mention)).id

    async def press(self, action: Action, turn: str, *, author: str = "ada") -> None:
        event = ActionTaken(
            id=f"a{turn}",
            conversation=Conversation(platform="memory", workspace="w1", channel="c1"),
            author=Person(id=author, name=author.title()),
            action=action,
            turn=turn,
            at=1_800_000_000.0,
            address=Address(channel="c1"),
        )
        await self.adapter.tell(event)

    async def seen(self) -> tuple[str, ...]:
        return self.adapter.walls["c1"].texts if "c1" in self.adapter.walls else ()

    async def pinged(self) -> tuple[str, ...]:
        return ()


@asynccontextmanager
async def open_rig() -> AsyncIterator[MemoryRig]:
    yield MemoryRig()
