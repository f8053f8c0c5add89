"""Parley's real Slack adapter and worker in processes of their own against the wire fake: killed, and then judged.

`python -m tests.chaos.slack --kills 200 --seed 7`: a process dies at a random instant, the next one takes over, and so
on; in the end every question has exactly one whole answer and no session is left `processing`.
"""

import argparse
import asyncio
import itertools
import random
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.slack.reply import Channels
from adapters.slack.session import sweep
from adapters.slack.web import SlackWeb
from adapters.slack.workspace import Workspace
from bot.shelf import RedisShelf
from bot.store import Store
from tests.chaos.fleet import Fleet, Member, store_server
from tests.chaos.process import SHARDS, Options
from tests.chaos.scene import WORKING_KEYS, errors
from tests.chaos.script import SLACK_LIMITS, USAGE, answered, asked, chunks, pages, question, whole
from tests.servers.model import Answer, ModelServer, Request
from tests.servers.slack import SlackServer
from tests.servers.slack_world import TEAM

RETRIES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""When an event goes out again unless it was acknowledged; Slack itself waits longer, and less often."""


@dataclass(kw_only=True)
class SlackScene:
    """A workspace, its people, and Parley's processes."""

    store: Store
    server: SlackServer
    model: ModelServer
    options: Options
    log: Path
    fleet: Fleet = field(default_factory=Fleet)
    threads: dict[str, str] = field(default_factory=dict)
    """The root of the thread that each question stands in."""

    def start(self, name: str, *, crash: str = "") -> Member:
        """One more process."""
        return self.fleet.start(replace(self.options, name=name, crash=crash))

    def ask(self, author: str, *, thread: str = "") -> str:
        """Somebody asks in a thread or, without one, in a channel of their own; the root of the thread.

        Channels of their own, for Slack takes one post a second in each.
        """
        id, world = f"q{7 + len(self.threads)}", self.server.world
        person = next((user for user in world.users.values() if user.name == author), None) or world.add_user(author)
        channel = next((one for one in world.channels.values() if thread in one.everything), None)
        message = self.server.ask(channel or world.add_channel(id), question(id), author=person, thread_ts=thread)
        self.threads[id] = thread or message.ts
        return self.threads[id]

    async def listening(self, count: int) -> None:
        """Wait until a process has connected for the so-many-th time."""
        await self.server.until(lambda: self.server.connects >= count, f"{count} connections", within_s=20.0)

    async def calm(self, most: int) -> None:
        """Wait until no more than so many turns are open: one that dies 25 times is given up, as it should be.

        Time in such a run is dense, so the budgets of Slack's minutes begin anew, and Slack tries again.
        """
        self.server.redeliver()
        async for name in self.store.scan(f"parley:{{shelf:slack}}:{TEAM}:*"):
            if not name.endswith(tuple("0123456789")) or ":post:" in name:
                await self.store.command("DEL", name)
        async with asyncio.timeout(60):
            while sum("}:o:" in name for name in await self.leftovers()) > most:
                await asyncio.sleep(0.05)

    async def settled(self, *, within_s: float = 30.0) -> list[str]:
        """Wait until all was taken and nothing is left to do; then what is wrong."""
        try:
            async with asyncio.timeout(within_s):
                for looks in itertools.count(1):
                    if not (self.server.waiting or await self.leftovers()):
                        break
                    if looks % 40 == 0:
                        self.server.redeliver()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            waiting = [envelope.type for envelope in self.server.waiting]
            return [f"never settled: {waiting} not acknowledged, left {await self.leftovers()}", *self.wrong()]
        return self.wrong() + await self.left_processing()

    async def leftovers(self) -> list[str]:
        """The keys of work that is not done."""
        found = [name async for name in self.store.scan("parley:{slack:*}:*")]
        return sorted(name for name in found if name.partition("}:")[2].startswith(WORKING_KEYS))

    def wrong(self) -> list[str]:
        """Every question that has not exactly one whole answer, and every message that is none of an answer."""
        turns: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        wrong = [f"an error was logged: {line}" for line in errors(self.log.read_text())]
        channels = self.server.world.channels.values()
        for message in (message for channel in channels for message in channel.by(self.server.bot)):
            mark = message.metadata.get("event_payload")
            if mark is None:
                wrong.append(f"a message without a mark: {message.shown[:80]!r}")
            else:
                turns[mark["turn"]].append((mark["part"], message.shown.rstrip(), message.thread_ts))
            if self.server.streams.is_live(message):
                wrong.append(f"a stream that was never stopped: {message.shown[:80]!r}")
        count: Counter[str] = Counter()
        for turn, parts in turns.items():
            texts = [text for _, text, _ in sorted(parts)]
            ids = answered("\n".join(texts))
            count.update(ids)
            if tuple(texts) != pages(ids, SLACK_LIMITS):
                wrong.append(f"turn {turn} is not whole: {[(part, text[-40:]) for part, text, _ in sorted(parts)]}")
            if {thread for _, _, thread in parts} != {self.threads.get(id) for id in ids}:
                wrong.append(f"turn {turn} stands in another thread than {ids}")
        wrong += [f"{id} has {count[id]} answers" for id in self.threads if count[id] != 1]
        return wrong

    async def left_processing(self) -> list[str]:
        """Sessions that still stand at `processing` after a sweep whose minute is over."""
        async for name in self.store.scan("parley:{shelf:slack}:alive:*"):
            await self.store.command("DEL", name)
        workspace = Workspace(SlackWeb(self.server.bot_token, self.server.api_url), RedisShelf(self.store, "slack"))
        workspace.team = TEAM
        async with asyncio.timeout(120):
            while await workspace.sessions.holders():  # a sweep goes no further than the budget of its method
                await sweep(workspace)
                await asyncio.sleep(0.1)
        await workspace.web.close()
        sessions = [one for channel in self.server.world.channels.values() for one in channel.sessions.items()]
        return [f"the session of {thread} is {status}" for thread, status in sessions if status != "active"]


@asynccontextmanager
async def slack_scene(
    store_url: str, *, channels: Channels = "native", gap_s: float = 0.002
) -> AsyncIterator[SlackScene]:
    """A workspace without processes yet."""
    async with AsyncExitStack() as stack:
        log = Path(stack.enter_context(TemporaryDirectory(prefix="ps"))) / "log"
        log.touch()
        store = Store(store_url, shards=SHARDS)
        stack.push_async_callback(store.close)
        await store.open()
        server = await stack.enter_async_context(SlackServer(retries_s=RETRIES_S))
        model = await stack.enter_async_context(ModelServer(gap_s=gap_s, answer=_right, keeps_requests=False))
        where = Options(store=store_url, platform=server.api_url, model=model.base_url, log=str(log))
        options = replace(where, kind=channels, lease=0.8, call=0.5)
        it = SlackScene(store=store, server=server, model=model, options=options, log=log)
        stack.callback(it.fleet.close)
        yield it


def _right(request: Request) -> Answer:
    return Answer(chunks=chunks(whole(asked(request.questions))), usage=USAGE)


async def chaos(kills: int, seed: int) -> list[str]:
    """So many kills at random instants, half of the workspaces streaming natively; what is wrong in the end."""
    dice = random.Random(seed)
    channels: Channels = dice.choice(("native", "edit"))
    print(f"seed {seed}, {channels}", flush=True)
    async with store_server() as store, slack_scene(store.url, channels=channels, gap_s=0.01) as it:
        members = [it.start("p0"), it.start("p1")]
        await it.listening(2)
        threads = [it.ask("ana")]
        for number in range(kills):
            for _ in range(dice.choice((1, 1, 2))):
                thread = dice.choice(threads) if dice.random() < 0.4 else ""
                threads.append(it.ask(dice.choice(("ana", "bo", "cleo")), thread=thread))
            await asyncio.sleep(dice.uniform(0.0, 0.6))
            victim = members.pop(dice.randrange(len(members)))
            victim.send(signal.SIGKILL)
            await victim.ended()
            it.fleet.bury(victim)
            members.append(it.start(f"p{number + 2}"))
            await it.calm(5)
            if (number + 1) % 20 == 0:
                print(f"{number + 1} kills, {len(it.threads)} questions, {len(it.server.waiting)} waiting", flush=True)
        wrong = await it.settled(within_s=120.0)
        print(f"{kills} kills, {len(it.threads)} questions, {len(wrong)} violations", flush=True)
        return wrong


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.slack", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    wrong = asyncio.run(chaos(options.kills, options.seed))
    for line in wrong:
        print(f"VIOLATION {line}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
