"""The pipeline on a stage: a real store, a real worker, a platform in memory, a model that says what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.channels import Channels
from bot.conversation import Kit
from bot.inbox import Inbox
from bot.limits import Limits
from bot.ports import Files, Model, Scrollback
from bot.settings import Rate
from bot.store import Store
from bot.stored import Entry, load_entries
from bot.worker import Worker
from handlers.intake import EventIntake
from handlers.turns import handle
from tests.fakes import MemoryAdapter
from tests.pipeline.make import settings


async def until(claim: Callable[[], bool], reason: str, *, within_s: float = 20.0) -> None:
    """Wait until this holds; the reason is told if it never does. The bound is for a test that hangs, not a measure."""
    ends_at = asyncio.get_running_loop().time() + within_s
    while not claim():
        assert asyncio.get_running_loop().time() < ends_at, f"never happened: {reason}"
        await asyncio.sleep(0.002)


@dataclass(kw_only=True)
class Stage:
    """One process of Parley over a store; several may share one."""

    store: Store
    model: Model
    platform: MemoryAdapter
    worker: Worker
    intake: EventIntake
    inbox: Inbox
    running: list["asyncio.Task[None]"] = field(default_factory=list)

    async def transcript(self, key: str = "memory:w1:c1:") -> list[Entry]:
        """What stands in a conversation's transcript."""
        channel = ":".join(key.split(":")[:3])
        raw = await self.store.command("LRANGE", f"{self.store.shard(channel)}t:{key}", 0, -1)
        assert isinstance(raw, list)
        return load_entries([line for line in raw if isinstance(line, str)])

    def texts(self, channel: str = "c1") -> tuple[str, ...]:
        """What readers of a channel see."""
        wall = self.platform.walls.get(channel)
        return wall.texts if wall else ()

    async def answered(self, count: int = 1) -> None:
        """Wait until so many turns of the first channel are closed."""
        seen: list[Entry] = []
        ends_at = asyncio.get_running_loop().time() + 20
        while sum(entry.kind == "answer" for entry in seen) < count:
            assert asyncio.get_running_loop().time() < ends_at, f"only these were answered: {seen}"
            await asyncio.sleep(0.002)
            seen = await self.transcript()


@asynccontextmanager
async def stage(
    url: str,
    model: Model,
    platform: MemoryAdapter | None = None,
    /,
    **changes: object,
) -> AsyncIterator[Stage]:
    """Parley, running, with the default settings but for quick leases, no rate, and these changes."""
    store = Store(url, shards=4)
    await store.open()
    quick: dict[str, object] = {"lease_s": 1.0, "call_s": 0.2, "grace_s": 5.0, "person_rate": Rate(count=0, per_s=1.0)}
    chosen = settings(**{**quick, **changes})
    inbox = Inbox(store, chosen)
    limits = Limits(store, chosen, lambda: 1_800_000_000.0)
    channels = Channels(store, chosen)
    platform = platform or MemoryAdapter()

    async def seeing(model: str) -> str | None:
        return chosen.vision_model or None

    kit = Kit(
        inbox=inbox,
        model=model,
        limits=limits,
        settings=chosen,
        channels=channels,
        files={platform.platform: platform} if isinstance(platform, Files) else {},
        scrollback={platform.platform: platform} if isinstance(platform, Scrollback) else {},
        seeing=seeing,
        clock=lambda: 1_800_000_000.0,
    )
    worker = Worker(kit, {platform.platform: platform}, handle)
    intake = EventIntake(inbox=inbox, channels=channels, clock=lambda: 1_800_000_000.0)
    running = [asyncio.create_task(worker.run()), asyncio.create_task(platform.run(intake, lambda: None))]
    try:
        yield Stage(
            store=store, model=model, platform=platform, worker=worker, intake=intake, inbox=inbox, running=running
        )
    finally:
        running[1].cancel()
        worker.stop()
        await asyncio.gather(*running, return_exceptions=True)
        await store.close()
