"""Whole turns as the real process runs them: admit, a real Worker and store, the real model chain, a reply, commit.

Only the platform is missing: its messages go to a surface in memory that answers at once.
"""

import asyncio
import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from adapters.parts import PartsReply
from bench.bare import cpu_s
from bench.talk import AT, PERSON, SYSTEM, Block, Cost, question, stored
from bot.channels import Channels
from bot.conversation import Kit
from bot.events import Address, Conversation, MessageReceived, MessageRef, Person
from bot.history import History
from bot.inbox import Inbox
from bot.lease import Lease, Outcome
from bot.limits import Limits
from bot.model.chain import Chain
from bot.model.faults import Patience
from bot.model.providers import main_provider
from bot.pacing import Limits as Pace
from bot.ports import Button, Draft, Intake, Reply
from bot.settings import Rate, Settings
from bot.store import Store, Value
from bot.stored import dump_entry, warm
from bot.worker import Worker
from handlers.intake import EventIntake
from handlers.turns import handle

PLATFORM = "bench"
KEEP = 20_000
_PATIENCE_S = 600.0
"""For a turn that never ends."""
PACE = Pace(characters=2000, cadence_s=1.0, sign_every_s=8.0)
"""Discord's."""


class Counting(Store):
    """A store that counts the calls by their script: what a turn awaits is what it calls, one after another."""

    calls: Counter[str]

    async def call(self, script: str, prefix: str, *args: Value) -> Any:
        self.calls[script] += 1
        return await super().call(script, prefix, *args)


class Surface:
    """An `adapters.parts.Surface` that keeps nothing."""

    limits = PACE

    def __init__(self, numbers: "itertools.count[int]", channel: str) -> None:
        self._numbers = numbers
        self._channel = channel

    async def budget(self, *, is_final: bool) -> float:
        return 0.0

    async def sign(self) -> None:
        return

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        return MessageRef(channel=self._channel, id=f"m{next(self._numbers)}")

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        return

    async def delete(self, ref: MessageRef) -> None:
        return

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        return []


class Platform:
    """A `bot.ports.Adapter` that hears nothing: questions are handed to the intake by `Whole`."""

    platform = PLATFORM

    def __init__(self) -> None:
        self._numbers = itertools.count()

    async def run(self, intake: Intake, ready: object) -> None:
        return

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        return PartsReply(Surface(self._numbers, address.channel), draft)

    async def close(self) -> None:
        return


class Whole:
    """Parley over a store and a model server; `opened` runs it."""

    def __init__(self, store_url: str, store: Counting, chain: Chain) -> None:
        # Limits far away, so that they are checked and never met.
        settings = Settings(
            system_prompt=SYSTEM,
            transcript_messages=KEEP,
            person_rate=Rate(count=10**9, per_s=600.0),
            workspace_daily_tokens=10**12,
        )
        inbox = Inbox(store, settings)
        self.store, self._url = store, store_url
        self.history = History(store, keep_entries=KEEP)
        channels, limits = Channels(store, settings), Limits(store, settings, time.time)
        self._kit = Kit(
            inbox=inbox, model=chain, limits=limits, settings=settings, channels=channels, seeing=chain.seeing
        )
        self._intake = EventIntake(inbox=inbox, channels=channels)
        self._worker = Worker(self._kit, {PLATFORM: Platform()}, self._handle)
        self._ended: dict[str, asyncio.Future[None]] = {}
        self._numbers = itertools.count()

    @classmethod
    @asynccontextmanager
    async def opened(cls, store_url: str, model_url: str) -> AsyncIterator["Whole"]:
        """Everything runs and is warm, as after the start of the real process."""
        store = Counting(store_url)
        store.calls = Counter()
        await store.open()
        warm()
        provider = main_provider(base_url=model_url, wire="chat")
        chain = Chain([provider], model="gpt-6-luna", patience=Patience())
        await chain.warm()
        whole = cls(store_url, store, chain)
        working = asyncio.create_task(whole._worker.run())
        try:
            yield whole
        finally:
            whole._worker.stop()
            await working
            await chain.close()
            await store.close()

    async def turns(self, block: Block) -> Cost:
        """Run a block. A turn's time is from before admit until it is committed."""
        homes = [_place(f"{block.stored}n{number}") if block.stored else None for number in range(block.lanes)]
        await self._prepare([home for home in homes if home], block.stored)
        left = iter(range(block.turns))
        cpu, started = cpu_s(), time.perf_counter()
        async with asyncio.timeout(_PATIENCE_S):
            found = await asyncio.gather(*(self._lane(home, left) for home in homes))
        wall_s, cpu = time.perf_counter() - started, cpu_s() - cpu
        p50_ms = statistics.median(itertools.chain(*found)) * 1000
        return Cost(turns=block.turns, wall_s=wall_s, cpu_s=cpu, p50_ms=p50_ms)

    async def waits(self) -> dict[str, int]:
        """The calls of one turn, by script: all but what the sweep does beside the turns."""
        self.store.calls.clear()
        await self.turns(Block(turns=1))
        return {script: count for script, count in self.store.calls.items() if script not in ("sweep", "settle")}

    async def appends(self, count: int, lanes: int, fsync: str) -> float:
        """Append an entry and load the newest 50, so often: how many in a second. `fsync`: the store's appendfsync."""
        await self.store.command("CONFIG", "SET", "appendfsync", fsync)
        places = [_place(f"h{number}") for number in range(lanes)]
        await self._prepare(places, 1000)
        entry = stored(1)[0]
        left = iter(range(count))

        async def lane(place: Conversation) -> None:
            for number in left:
                entries = await self.history.append(place, replace(entry, id=f"h{number}"))
                assert len(entries) == 50

        started = time.perf_counter()
        await asyncio.gather(*(lane(place) for place in places))
        rate = count / (time.perf_counter() - started)
        await self.store.command("CONFIG", "SET", "appendfsync", "always")
        return rate

    async def raw_appends(self, count: int) -> float:
        """The same in bare redis-py, one pipeline each, its replies left as they are, on a store without fsync."""
        await self.store.command("CONFIG", "SET", "appendfsync", "no")
        line, key = dump_entry(stored(1)[0]), "bench:raw"
        async with Redis.from_url(self._url, protocol=2) as client:
            started = time.perf_counter()
            for _ in range(count):
                pipe = client.pipeline(transaction=False)
                pipe.rpush(key, line)
                pipe.ltrim(key, -1000, -1)
                pipe.expire(key, 60)
                pipe.lrange(key, -50, -1)
                await pipe.execute()
            rate = count / (time.perf_counter() - started)
        await self.store.command("CONFIG", "SET", "appendfsync", "always")
        return rate

    async def _lane(self, home: Conversation | None, left: Iterable[int]) -> list[float]:
        times = []
        for _ in left:
            number = next(self._numbers)
            id, text = f"q{number}", question(number)
            ended = self._ended[id] = asyncio.get_running_loop().create_future()
            started = time.perf_counter()
            # Without a conversation to go on with, each question is the first of its own.
            await self._intake(_message(home or _place(f"first{number}"), id, text))
            await ended
            times.append(time.perf_counter() - started)
            del self._ended[id]
        return times

    async def _handle(self, kit: Kit, lease: Lease, reply: Reply) -> Outcome:
        outcome = await handle(kit, lease, reply)
        for event in lease.open.questions:
            self._ended[event.id].set_result(None)
        assert outcome == "answered"
        return outcome

    async def _prepare(self, places: Sequence[Conversation], count: int) -> None:
        """Give each of these conversations exactly so many stored messages."""
        for place in places:
            prefix = self.store.shard(place.channel_key)
            key = f"{prefix}t:{place.key}"
            have = await self.store.command("LLEN", key)
            assert isinstance(have, int)
            if have > count:
                await self.store.command(*(("LTRIM", key, 0, count - 1) if count else ("UNLINK", key)))
            lines = [_numbered(n, dump_entry(entry)) for n, entry in enumerate(stored(count), 1)][have:]
            for first in range(0, len(lines), 1000):
                await self.store.command("RPUSH", key, *lines[first : first + 1000])
            if lines:
                await self.store.command("SET", f"{prefix}n:{place.key}", count)


def _place(channel: str) -> Conversation:
    return Conversation(platform=PLATFORM, workspace="w1", channel=channel)


def _message(place: Conversation, id: str, text: str) -> MessageReceived:
    return MessageReceived(
        id=id,
        conversation=place,
        author=Person(id=PERSON, name="Ada"),
        text=text,
        at=AT,
        address=Address(channel=place.channel, reply_to=id),
        mentions_bot=True,
    )


def _numbered(n: int, entry: str) -> str:
    return json.dumps({"n": n, **json.loads(entry)}, ensure_ascii=False, separators=(",", ":"))
