"""The pipeline on a stage: a real store, a real worker, the in-memory platform and a model that says what it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.conversation import Kit
from bot.inbox import Inbox, Policy
from bot.limits import Limits, Rules
from bot.ports import Model
from bot.store import Store
from bot.stored import Entry, load_entries
from bot.worker import Worker, WorkerSettings
from handlers.intake import EventIntake, Hear
from handlers.turns import handle
from tests.fakes import MemoryAdapter


async def until(claim: Callable[[], bool], reason: str, *, within_s: float = 20.0) -> None:
    """Wait until this holds; the reason is told if it never does. The bound is for a test that hangs, not a measure."""
    try:
        async with asyncio.timeout(within_s):
            while not claim():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never happened: {reason}") from None


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
        return load_entries([line for line in raw if isinstance(line, bytes)])

    def texts(self, channel: str = "c1") -> tuple[str, ...]:
        """What readers of a channel see."""
        wall = self.platform.walls.get(channel)
        return wall.texts if wall else ()

    async def answered(self, count: int = 1) -> None:
        """Wait until so many turns of the first channel are closed."""
        seen: list[Entry] = []
        async with asyncio.timeout(20):
            while sum(entry.kind == "answer" for entry in seen) < count:
                seen = await self.transcript()
                await asyncio.sleep(0.002)


@asynccontextmanager
async def stage(
    url: str,
    model: Model,
    *,
    rules: Rules | None = None,
    policy: Policy | None = None,
    settings: WorkerSettings | None = None,
    hear: Hear = "threads",
    platform: MemoryAdapter | None = None,
) -> AsyncIterator[Stage]:
    """Parley, running."""
    store = Store(url, shards=4)
    await store.open()
    inbox = Inbox(store, policy or Policy(lease_s=1.0))
    kit = Kit(
        inbox=inbox,
        model=model,
        limits=Limits(store, rules or Rules(rate_count=0), lambda: 1_800_000_000.0),
        system="You are a test.",
        clock=lambda: 1_800_000_000.0,
    )
    platform = platform or MemoryAdapter()
    limits = settings or WorkerSettings(call_s=0.2, grace_s=5.0)
    worker = Worker(kit, {platform.platform: platform}, handle, limits)
    intake = EventIntake(inbox=inbox, hear=hear, clock=lambda: 1_800_000_000.0)
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
