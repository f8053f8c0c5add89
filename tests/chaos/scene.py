"""One scene of a chaos test: the platform, the model, the store and the processes; and what came of it, judged."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.conversation import Answer as Recorded
from bot.events import Conversation
from bot.inbox import pairs_of
from bot.store import Store
from bot.stored import Entry, load, load_entries
from tests.chaos.adapter import PLATFORM, conversation
from tests.chaos.check import Books, Kept, Verdict, check, standing
from tests.chaos.fleet import Fleet, Member
from tests.chaos.platform import Platform
from tests.chaos.process import SHARDS, Options
from tests.chaos.script import USAGE, asked, chunks, whole
from tests.servers.model import Answer, ModelServer, Request

WORKING_KEYS = ("l:", "lanes", "o:", "ring", "r:", "b:", "idx", "live", "lease", "later", "dead", "unsettled")
"""What a shard may hold only while something is to be done. (A dead letter is for people: there must be none.)"""
CALL_S = 0.3


@dataclass(kw_only=True)
class Ledger:
    """What the store holds of a platform's conversations. `place` is where a channel's transcript lives."""

    store: Store
    name: str = PLATFORM
    place: Callable[[str], Conversation] = conversation

    async def leftovers(self) -> list[str]:
        """The keys of work that is not done."""
        found = [name async for name in self.store.scan(f"parley:{{{self.name}:*}}:*")]
        return sorted(name for name in found if name.partition("}:")[2].startswith(WORKING_KEYS))

    async def books(self, channels: Iterable[str]) -> Books:
        """What the store holds of these channels."""
        asked_in: dict[str, list[str]] = defaultdict(list)
        answers: dict[str, list[Kept]] = defaultdict(list)
        for channel in set(channels):
            for entry in await self._transcript(channel):
                if entry.kind == "answer":
                    answers[channel].append(_kept(entry))
                else:
                    asked_in[channel].append(entry.id)
        records = [record async for record in self._records()]
        answers_kept = [load(Recorded, record["final"]) for record in records if record["outcome"] == "answered"]
        spent = [await self.store.command("GET", name) async for name in self.store.scan("parley:{w:*}:tokens:*")]
        return Books(
            asked=asked_in,
            answers=answers,
            leftovers=await self.leftovers(),
            used=sum(final.input_tokens + final.output_tokens for final in answers_kept) + await self._reserved(),
            spent=sum(map(int, spent)),
            turns=len(answers_kept),
            deaths=sum(int(record["deaths"]) for record in records),
            repairs=sum(record["outcome"] == "repaired" for record in records),
        )

    async def _reserved(self) -> int:
        """The estimates of turns that ended without an answer: they stay charged."""
        names = [name async for name in self.store.scan("parley:{w:*}:turns:*")]
        booked = [booking for name in names for booking in await self.store.command("HVALS", name)]
        return sum(int(booking) for booking in booked if booking != "settled")

    async def _transcript(self, channel: str) -> list[Entry]:
        place = self.place(channel)
        raw = await self.store.command("LRANGE", f"{self.store.shard(place.channel_key)}t:{place.key}", 0, -1)
        assert isinstance(raw, list)
        return load_entries([line for line in raw if isinstance(line, str)])

    async def _records(self) -> AsyncIterator[dict[str, str]]:
        async for name in self.store.scan(f"parley:{{{self.name}:*}}:turn:*"):
            record = pairs_of(await self.store.command("HGETALL", name))
            if record:  # its time may have come since it was listed
                yield record


@dataclass(kw_only=True)
class Scene:
    """Parley's processes and their world."""

    store: Store
    platform: Platform
    model: ModelServer
    options: Options
    log: Path
    fleet: Fleet = field(default_factory=Fleet)

    @property
    def ledger(self) -> Ledger:
        return Ledger(store=self.store)

    def start(self, name: str, *, crash: str = "", sleep: str = "", call_s: float = CALL_S) -> Member:
        """One more process; `call_s` is its patience with the platform."""
        return self.fleet.start(replace(self.options, name=name, crash=crash, sleep=sleep, call=call_s))

    async def listening(self, count: int = 1) -> None:
        """Wait until so many processes listen to the platform."""
        await self.platform.until(lambda: self.platform.gateways >= count, f"{count} processes listen", within_s=20.0)

    async def wrote(self, claim: Callable[[Platform], bool], reason: str) -> None:
        """Wait for something that the platform records."""
        await self.platform.until(lambda: claim(self.platform), reason, within_s=20.0)

    async def repaired(self, count: int = 1) -> None:
        """Wait until so many repairs are done."""
        async with asyncio.timeout(20):
            while (await self.books()).repairs < count:
                await asyncio.sleep(0.02)

    async def settled(self, *, within_s: float = 20.0) -> Verdict:
        """Wait until all was taken and nothing is left to do, then judge. After the time it is judged as it is."""
        try:
            async with asyncio.timeout(within_s):
                while self.platform.acknowledged < self.platform.posted or await self.ledger.leftovers():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        verdict = check(self.platform.asked, self.platform.writes, await self.books())
        verdict.errors += errors(self.log.read_text())
        return verdict

    def shown(self) -> list[str]:
        """The replies as readers have them, each as one text."""
        return [reply.text for reply in standing(self.platform.writes)]

    async def books(self) -> Books:
        """What the store holds."""
        return await self.ledger.books(one.channel for one in self.platform.asked)


def _kept(entry: Entry) -> Kept:
    return Kept(questions=entry.questions, text=entry.text, parts=entry.parts, at=entry.at)


@asynccontextmanager
async def scene(
    store_url: str,
    *,
    seed: int = 0,
    collect: bool = True,
    gap_s: float = 0.002,
    trouble: float = 0.0,
    pace_s: float = 0.0,
    redeliver_s: float = 2.0,
) -> AsyncIterator[Scene]:
    """A world without processes yet. `trouble` (0 to 1) is how many calls of model and platform go wrong."""
    async with AsyncExitStack() as stack:
        log = Path(stack.enter_context(TemporaryDirectory(prefix="pc"))) / "log"
        log.touch()
        store = Store(store_url, shards=SHARDS)
        stack.push_async_callback(store.close)
        await store.open()
        options = Options(store=store_url, platform="", model="", collect=int(collect), log=str(log))
        platform = Platform(seed=seed, trouble=trouble, pace_s=pace_s, call_s=CALL_S, redeliver_s=redeliver_s)
        model = ModelServer(gap_s=gap_s, answer=answering(seed, trouble), keeps_requests=False)
        await stack.enter_async_context(platform)
        await stack.enter_async_context(model)
        options = replace(options, platform=platform.address, model=model.base_url)
        it = Scene(store=store, platform=platform, model=model, options=options, log=log)
        stack.callback(it.fleet.close)
        yield it


def errors(log: str) -> list[str]:
    """The last line of each traceback that a process has logged: nothing may fail that has no name of ours."""
    blocks = log.split("Traceback (most recent call last):\n")[1:]
    return [next((line for line in block.splitlines() if not line.startswith(" ")), block[-200:]) for block in blocks]


def answering(seed: int, trouble: float) -> Callable[[Request], Answer]:
    """The right answer to every prompt. A question that is asked for the first time may get a fault instead."""
    dice, known = random.Random(seed), set[str]()

    def answer(request: Request) -> Answer:
        ids = asked(request.questions)
        right = Answer(chunks=chunks(whole(ids)), usage=USAGE)
        if known.issuperset(ids) or dice.random() >= trouble:
            return right
        known.update(ids)
        at = dice.randrange(len(right.chunks or ()) + 1)
        faults = (
            Answer(status=503),
            Answer(hang_up=True),
            replace(right, drop_at=at),
            replace(right, truncate_at=at),
            replace(right, malformed_at=at),
        )
        return dice.choice(faults)

    return answer
