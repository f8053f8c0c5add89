"""What a reader on Discord sees of a busy bot: over our wire fake of Discord, with its limits and discord.py's own.

The model is a clock that notes when it said which word, so what is shown can be held against what was said.
"""

import asyncio
import re
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvloop

from adapters.discord.client import DiscordAdapter
from bench.report import Row
from bot.channels import Channels
from bot.conversation import Kit
from bot.inbox import Inbox
from bot.limits import Limits
from bot.ports import Finished, ModelRequest, StreamEvent, TextDelta
from bot.settings import Rate, Settings
from bot.shelf import RedisShelf
from bot.store import Store
from bot.stored import warm
from bot.worker import Worker
from handlers.intake import EventIntake
from handlers.turns import handle
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import Message

CHANNELS, EACH = 5, 4
_SAMPLE_S = 0.1
_PATIENCE_S = 120.0
_REST_S = 0.2
"""Between two questions, so that one does not meet the end of the other's turn."""


@dataclass(kw_only=True)
class Ticking:
    """A `bot.ports.Model`: a word every `gap_s`. `said`: the times of its words, by the question's number."""

    words: int
    gap_s: float
    said: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        number = re.findall(r"#(\d+)", request.messages[-1].content)[-1]
        for count in range(self.words):
            self.said[number].append(time.time())
            yield TextDelta("Well. " if count == 0 else f"word{count} ")
            await asyncio.sleep(self.gap_s)
        yield Finished(reason="stop", model="bench/clock")


async def blind(model: str) -> None:
    """No model of the benchmark can see pictures."""


@asynccontextmanager
async def running(store_url: str, model: Ticking, limit: tuple[int, float]) -> AsyncIterator[DiscordServer]:
    """All of Parley but the model, and a Discord that refuses more writes of a kind in a channel than the limit."""
    rate = Rate(count=10**9, per_s=600.0)
    settings = Settings(channel_turns=EACH, person_rate=rate, workspace_daily_tokens=10**12)
    store = Store(store_url)
    await store.open()
    warm()
    async with DiscordServer(time.time) as server:
        server.limit, server.is_limit_real = limit, True
        adapter = DiscordAdapter(server.token, RedisShelf(store, "discord"), server.api_base)
        inbox = Inbox(store, settings)
        channels, limits = Channels(store, settings), Limits(store, settings, time.time)
        kit = Kit(inbox=inbox, model=model, limits=limits, settings=settings, channels=channels, seeing=blind)
        worker, ready = Worker(kit, {"discord": adapter}, handle), asyncio.Event()
        tasks = [
            asyncio.create_task(worker.run()),
            asyncio.create_task(adapter.run(EventIntake(inbox=inbox, channels=channels), ready.set)),
        ]
        await ready.wait()
        try:
            yield server
        finally:
            tasks[1].cancel()
            worker.stop()
            await asyncio.wait(tasks)
            await adapter.close()
            await store.close()


def answers(server: DiscordServer) -> dict[str, list[Message]]:
    """The bot's messages, by the number of the question that they reply to."""
    found: dict[str, list[Message]] = defaultdict(list)
    for channel in server.world.channels.values():
        for post in channel.by(server.bot):
            if post.reply_to and (asked := server.world.find(post.reply_to)):
                found[asked.content.rpartition("#")[2]].append(post)
    return found


async def crowd(store_url: str, words: int) -> list[Row]:
    """Twenty answers at once in five channels."""
    model, ages = Ticking(words=words, gap_s=0.05), list[float]()
    async with running(store_url, model, (5, 5.0)) as server:
        channels = [server.general, *(server.world.add_channel(f"room{number}") for number in range(CHANNELS - 1))]
        for channel in channels[1:]:
            server.dispatch("CHANNEL_CREATE", channel.json(), channel.guild)
        people = [server.world.add_user(f"person{number}") for number in range(EACH)]
        for number in range(CHANNELS * EACH):
            server.ask(channels[number % CHANNELS], f"#{number}", author=people[number // CHANNELS])
        async with asyncio.timeout(_PATIENCE_S):
            while len(_whole(server, words)) < CHANNELS * EACH:
                await asyncio.sleep(_SAMPLE_S)
                ages += _ages(server, model)
        firsts = [posts[0].at - model.said[number][0] for number, posts in answers(server).items()]
        edits = server.fullest.get("PATCH channels messages", 0)
    p50, p90 = statistics.median(ages), statistics.quantiles(ages, n=10)[8]
    more = f"{len(firsts)} answers in {CHANNELS} channels, {words} words each; at most {edits} edits in a window of 5 s"
    first_ms, worst_ms = f"p50 {statistics.median(firsts) * 1000:.0f} ms", max(firsts) * 1000
    return [
        Row(name="Discord: 429s while 20 answers stream", value=server.limited, unit="", goal=0, more=more),
        Row(name="Discord: age of the oldest word not yet shown, p50", value=p50, unit="s", more=f"p90 {p90:.1f} s"),
        Row(name="Discord: first post after its moment, worst", value=worst_ms, unit="ms", goal=150, more=first_ms),
    ]


async def sign(store_url: str, count: int) -> list[Row]:
    """From the gateway's frame to the first call: typing, which comes after admit and claim."""
    times = []
    async with running(store_url, Ticking(words=1, gap_s=0.0), (1000, 1.0)) as server:
        for number in range(count):
            times.append(await _signed_after_s(server, number))
    p50, p90 = statistics.median(times) * 1000, statistics.quantiles(times, n=10)[8] * 1000
    name = "Discord: gateway frame to the first call, p50"
    return [Row(name=name, value=p50, unit="ms", goal=5, more=f"p90 {p90:.1f} ms, admit and claim within")]


async def _signed_after_s(server: DiscordServer, number: int) -> float:
    # Each in a channel of its own: that no answer waits for the budget of another's.
    channel = server.world.add_channel(f"quiet{number}")
    server.dispatch("CHANNEL_CREATE", channel.json(), channel.guild)
    asked = server.ask(channel, f"#{number}")
    await server.until(lambda: channel.typed, "a sign of life")
    await server.until(lambda: str(number) in answers(server), "its answer", within_s=30)
    await asyncio.sleep(_REST_S)
    return channel.typed[0] - asked.at


def _whole(server: DiscordServer, words: int) -> list[str]:
    return [number for number, posts in answers(server).items() if posts[-1].content.endswith(f"word{words - 1}")]


def _ages(server: DiscordServer, model: Ticking) -> Iterator[float]:
    """Of each answer that is under way: how long ago the first word was said that its reader does not see yet."""
    now, shown = time.time(), answers(server)
    for number, said in model.said.items():
        if len(said) < model.words:
            seen = len(" ".join(post.content for post in shown.get(number, ())).split())
            yield now - said[seen] if seen < len(said) else 0.0


def rows(store_url: str, *, words: int, questions: int) -> Iterator[Row]:
    """All rows of this page."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield from runner.run(crowd(store_url, words))
        yield from runner.run(sign(store_url, questions))
