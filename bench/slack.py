"""Slack over its wire fake: how stale an answer is under the published tiers, how fast the first sign and Stop are."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import median, quantiles

from adapters.slack.budget import STREAMS
from adapters.slack.client import LIMITS
from adapters.slack.reply import reply_at
from adapters.slack.web import SlackWeb
from adapters.slack.workspace import Workspace
from bench.report import Row
from bot.events import Address
from bot.shelf import RedisShelf
from bot.store import Store
from tests.chaos.slack import SlackScene, slack_scene
from tests.fakes.reply import FakeDraft
from tests.servers.model import Answer
from tests.servers.slack import SlackServer
from tests.servers.slack_world import TEAM

_NAMES = ("users.info", "conversations.info")
"""Who somebody is: asked once a day."""


@dataclass(slots=True, kw_only=True)
class Growing:
    """One answer while it grows: how long its text was when, and what its reader sees."""

    address: Address
    written: list[tuple[float, int]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def look(self, seen: int, now: float) -> None:
        """How old is the oldest text that the reader does not see?"""
        since = next((at for at, length in self.written if length > seen), now)
        self.waits.append(now - since)


def rows(store_url: str, seconds: float, turns: int) -> Iterator[Row]:
    """All figures of Slack; `seconds` is how long the answers stream, `turns` how often the others are measured."""
    yield from asyncio.run(_stale(store_url, seconds))
    yield from asyncio.run(_first_call(store_url, turns))
    yield from asyncio.run(_stopped(store_url, turns))


async def _stale(store_url: str, seconds: float) -> list[Row]:
    """Twenty answers at once, written by two workers, under the published tiers."""
    store = Store(store_url, shards=4)
    await store.open()
    async with SlackServer(time.monotonic) as server:
        server.tiers.is_on = True
        workers = [_worker(server, store) for _ in range(2)]
        answers = [Growing(address=_address(server, number)) for number in range(STREAMS)]
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(_look(server, answers))
            writing = [
                group.create_task(_write(workers[n % 2], f"t{n}", one, seconds)) for n, one in enumerate(answers)
            ]
            texts = await asyncio.gather(*writing)
            looking.cancel()
        for worker in workers:
            await worker.web.close()
        whole = sum(text == _seen(server, one) for text, one in zip(texts, answers, strict=True))
    await store.close()
    waits = quantiles([wait for one in answers for wait in one.waits], n=20)
    name, more = f"Slack: {STREAMS} answers at once under the tiers", f"for {seconds:g} s"
    calls = ", ".join(f"{name} {len(server.named(name))}" for name in ("chat.appendStream", "chat.update"))
    return [
        Row(name=f"{name}, staleness p50", value=waits[9], unit="s", more=more),
        Row(name=f"{name}, staleness p95", value=waits[18], unit="s", more=calls),
        Row(name=f"{name}, refused calls", value=len(server.tiers.refusals), unit="", goal=0),
        Row(name=f"{name}, whole in the end", value=whole, unit="", goal=STREAMS, is_least=True),
    ]


def _worker(server: SlackServer, store: Store) -> Workspace:
    worker = Workspace(SlackWeb(server.bot_token, server.api_url), RedisShelf(store, "slack"))
    worker.team, worker.bot = TEAM, server.bot.id
    worker.web.open()
    return worker


def _address(server: SlackServer, number: int) -> Address:
    channel = server.world.add_channel(f"c{number}")
    thread = server.ask(channel, "well?").ts
    return Address(channel=channel.id, thread=thread, reply_to=thread, recipient=f"{TEAM}/{server.alice.id}")


async def _write(worker: Workspace, turn: str, answer: Growing, seconds: float) -> str:
    """A model that says a word ten times a second."""
    text, ends_at = "", time.monotonic() + seconds
    async with reply_at(worker, answer.address, FakeDraft(turn), limits=LIMITS) as reply:
        while time.monotonic() < ends_at:
            text += f"word{len(answer.written)} "
            answer.written.append((time.monotonic(), len(text.rstrip())))
            reply.show(text)
            await asyncio.sleep(0.1)
        await reply.finish(text)
    return text.rstrip()


async def _look(server: SlackServer, answers: list[Growing]) -> None:
    while True:
        await asyncio.sleep(0.1)
        for one in answers:
            one.look(len(_seen(server, one)), time.monotonic())


def _seen(server: SlackServer, answer: Growing) -> str:
    return "".join(message.shown for message in server.channel(answer.address.channel).by(server.bot))


async def _first_call(store_url: str, turns: int) -> list[Row]:
    """From the moment that Slack tells of a question to our first call about it, which shows the native sign."""
    async with slack_scene(store_url) as it:
        it.options = replace(it.options, lease=30.0, call=5.0)
        it.start("a")
        await it.listening(1)
        times = [await _called_after(it) for _ in range(turns + 2)][2:]
        await it.calm(0)
        assert it.wrong() == []
    return [Row(name="Slack: envelope to first Web API call, p50", value=median(times) * 1000, unit="ms", goal=5)]


async def _called_after(it: SlackScene) -> float:
    def calls() -> int:
        return sum(call.name not in _NAMES for call in it.server.calls)

    before, started = calls(), time.perf_counter()
    thread = it.ask("ana")
    await it.server.until(lambda: calls() > before, "a first call")
    took = time.perf_counter() - started
    await it.server.until(lambda: _messages(it, thread), "the answer")
    return took


async def _stopped(store_url: str, turns: int) -> list[Row]:
    """Slack's Stop, which one process hears while another one writes the answer."""
    stops = []
    async with slack_scene(store_url, gap_s=0.05) as it:
        it.options = replace(it.options, lease=30.0, call=5.0)
        for number, name in enumerate("ab", 1):
            it.start(name)
            await it.listening(number)
        it.model.answer = lambda request: Answer(chunks=("word ",) * 10_000)
        stops = [await _stop(it) for _ in range(turns * 2)]
    closed, released = ([stop[which] for stop in stops if stop[2]] for which in (0, 1))
    more = f"{len(closed)} of {turns * 2} were heard by the other process"
    return [
        Row(name="Slack: Stop on another process to the model's end, p50", value=_ms(closed), unit="ms", more=more),
        Row(name="Slack: Stop on another process to the session's end, p50", value=_ms(released), unit="ms"),
    ]


async def _stop(it: SlackScene) -> tuple[float, float, bool]:
    """Seconds to the end of the model's stream and of the session, and whether another process heard the Stop."""
    async for name in it.store.scan("parley:{shelf:slack}:T*"):  # a minute's budgets, for more stops than they hold
        await it.store.command("DEL", name)
    log = it.log.stat().st_size
    thread = it.ask("ana")
    await it.server.until(lambda: _messages(it, thread), "an answer that grows")
    it.server.say(it.server.general, "talk that the one process hears, so that the other one hears the Stop")
    closed, started, hearing = it.model.streams_closed, time.perf_counter(), "ba"[it.server._turn % 2]
    channel = next(one for one in it.server.world.channels.values() if thread in one.everything)
    it.server.acts.stop(channel, thread, user=channel.everything[thread].author)
    await it.model.closed(closed + 1)
    closed_s = time.perf_counter() - started
    await it.server.until(lambda: channel.sessions[thread] == "active", "the session is released")
    released_s = time.perf_counter() - started
    while " turn " not in (line := it.log.read_text()[log:]):  # noqa: ASYNC110 - the log is a file of the processes
        await asyncio.sleep(0.01)
    writer = line.partition(" turn ")[0][-1]
    return closed_s, released_s, writer != hearing


def _messages(it: SlackScene, thread: str) -> bool:
    """Whether the bot has written in this thread."""
    channels = it.server.world.channels.values()
    return any(message.thread_ts == thread for channel in channels for message in channel.by(it.server.bot))


def _ms(times: list[float]) -> float:
    return median(times) * 1000 if times else 0.0
