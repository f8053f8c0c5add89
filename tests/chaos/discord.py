"""Kills real processes that serve the wire fake of Discord over discord.py and our adapter, and judges what is left.

`python -m tests.chaos --platform discord --kills 200 --seed 7`: so many deaths at random instants, one after another.
The fake takes a nonce for the same message for some minutes only, and serves a channel's history.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.events import Conversation
from bot.store import Store
from tests.chaos.check import Asked, Books, Kept, Verdict, Write, check
from tests.chaos.fleet import Fleet, Member, store_server
from tests.chaos.process import SHARDS, Options
from tests.chaos.scene import Ledger, answering, errors
from tests.chaos.script import LIMITS, question
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import Channel, Message
from tests.servers.model import ModelServer

CALL_S = 0.5
_LOGIN, _WATERMARK = "parley:{shelf:discord}:identify:*", "parley:{shelf:discord}:watermark:0"


@dataclass(kw_only=True)
class DiscordScene:
    """The fake, the store, the model and the processes. `said` are the messages of people, by the ids of the script."""

    server: DiscordServer
    store: Store
    model: ModelServer
    options: Options
    log: Path
    fleet: Fleet = field(default_factory=Fleet)
    said: dict[str, Message] = field(default_factory=dict)
    read_to: object = None
    """The watermark of the process before."""

    async def start(self, name: str, *, crash: str = "") -> Member:
        """One more process. Discord lets a bot log in every 5 s; that wait is not what is tested."""
        for key in [key async for key in self.store.scan(_LOGIN)]:
            await self.store.command("DEL", key)
        self.read_to = await self.store.command("GET", _WATERMARK)
        return self.fleet.start(replace(self.options, name=name, crash=crash))

    async def listening(self) -> None:
        """Wait until the new process has a session on the gateway, and has read back what the one before it missed.

        What is said in between may come before what was missed.
        """
        await self.server.until(lambda: self._is_heard, "a process listens", within_s=20.0)
        async with asyncio.timeout(20):
            while await self.store.command("GET", _WATERMARK) == self.read_to:
                await asyncio.sleep(0.02)

    @property
    def _is_heard(self) -> bool:
        return any(session.outbox is not None for session in self.server.sessions.values())

    def ask(self, author: str, channel: Channel | None = None) -> None:
        """A person asks something."""
        world, id = self.server.world, f"q{7 + len(self.said)}"
        person = next((user for user in world.users.values() if user.name == author), None) or world.add_user(author)
        self.said[id] = self.server.ask(channel or self.server.general, question(id), author=person)

    def texts(self, channel: str) -> tuple[str, ...]:
        """What we have written in a channel or thread, as readers see it."""
        known = self.server.world.channels.get(channel)
        return tuple(post.content for post in known.by(self.server.bot)) if known else ()

    async def settled(self, *, within_s: float = 30.0) -> Verdict:
        """Wait until everything was read back and nothing is left to do, then judge; in the end as it stands."""
        with suppress(TimeoutError):
            await self.done(within_s=within_s)
        limits = replace(LIMITS, characters=self.options.characters)
        verdict = check(self._asked, self._writes, await self._books(), limits)
        verdict.errors += errors(self.log.read_text())
        return verdict

    async def done(self, *, within_s: float = 30.0) -> None:
        """Wait until everything was read back and nothing is left to do."""
        async with asyncio.timeout(within_s):
            while await self._unheard() or await self._ledger.leftovers():
                await asyncio.sleep(0.05)

    async def _unheard(self) -> list[str]:
        """What nobody has admitted yet: who comes next reads it back."""
        books = await self._books()
        return [one.id for one in self._asked if one.id not in books.asked.get(one.channel, ())]

    @property
    def _ledger(self) -> Ledger:
        return Ledger(store=self.store, name="discord", place=self._place)

    def _place(self, channel: str) -> Conversation:
        return Conversation(platform="discord", workspace=self.server.world.guild, channel=channel)

    @property
    def _asked(self) -> list[Asked]:
        return [Asked(id=id, channel=post.channel, author=post.author.name) for id, post in self.said.items()]

    @property
    def _writes(self) -> list[Write]:
        """What readers see in the end; turn and part stand in the nonce."""
        shown = [(post, post.nonce.split(":")) for post in self._posts]
        return [
            Write(
                at=post.at,
                verb="create",
                sender="",
                message=post.id,
                channel=post.channel,
                turn=mark[0],
                part=int(mark[1]),
                text=post.content,
            )
            for post, mark in shown
        ]

    @property
    def _posts(self) -> list[Message]:
        channels = self.server.world.channels.values()
        return [post for channel in channels for post in channel.by(self.server.bot)]

    async def _books(self) -> Books:
        """The store's, with the ids of the script."""
        names = {post.id: id for id, post in self.said.items()}

        def named(ids: Sequence[str]) -> tuple[str, ...]:
            return tuple(names[id] for id in ids)

        def kept(answer: Kept) -> Kept:
            return replace(answer, questions=named(answer.questions))

        books = await self._ledger.books(one.channel for one in self._asked)
        asked = {channel: named(ids) for channel, ids in books.asked.items()}
        answers = {channel: [kept(one) for one in told] for channel, told in books.answers.items()}
        return replace(books, asked=asked, answers=answers)


@asynccontextmanager
async def discord_scene(
    store_url: str, *, collect: bool = True, gap_s: float = 0.002, characters: int = 800
) -> AsyncIterator[DiscordScene]:
    """A world without processes yet."""
    async with AsyncExitStack() as stack:
        log = Path(stack.enter_context(TemporaryDirectory(prefix="pc"))) / "log"
        log.touch()
        store = Store(store_url, shards=SHARDS)
        stack.push_async_callback(store.close)
        await store.open()
        server = await stack.enter_async_context(DiscordServer(time.time))
        model = ModelServer(gap_s=gap_s, answer=answering(0, 0.0), keeps_requests=False)
        await stack.enter_async_context(model)
        options = Options(
            store=store_url,
            platform=server.address,
            model=model.base_url,
            kind="discord",
            characters=characters,
            call=CALL_S,
            collect=int(collect),
            log=str(log),
        )
        it = DiscordScene(server=server, store=store, model=model, options=options, log=log)
        stack.callback(it.fleet.close)
        yield it


async def _killed(it: DiscordScene, dice: random.Random, number: int, channels: Sequence[Channel]) -> None:
    """One life: somebody asks, and it dies at some instant."""
    member = await it.start(f"p{number}")
    await it.listening()
    for _ in range(dice.choice((1, 2, 3))):
        it.ask(dice.choice(("ana", "bo", "cleo")), dice.choice(channels))
    await asyncio.sleep(dice.uniform(0.0, 1.5))
    member.send(signal.SIGKILL)
    await member.ended()
    it.fleet.bury(member)
    await it.server.until(lambda: not it._is_heard, "its connection is gone")


async def chaos(kills: int, seed: int) -> int:
    """So many deaths, then peace: 0, or 1 on any violation."""
    dice = random.Random(seed)
    collect = dice.random() < 0.5
    print(f"seed {seed}, collecting {'on' if collect else 'off'}", flush=True)
    async with store_server() as store, discord_scene(store.url, collect=collect, gap_s=0.02, characters=1900) as it:
        channels = [it.server.general, *(it.server.world.add_channel(f"room{number}") for number in range(5))]
        for number in range(kills):
            await _killed(it, dice, number, channels)
            if number % 20 == 19:
                print(f"{number + 1} kills, {len(it.said)} questions, {len(it._posts)} messages", flush=True)
        await it.start("last")
        verdict = await it.settled(within_s=180.0)
        books = await it._books()
        admitted = sum(len(ids) for ids in books.asked.values())
        print(f"{kills} kills  {len(it.said)} questions  {admitted} admitted  {books.deaths} takeovers")
        print(f"lost {len(verdict.lost)}  doubled {len(verdict.doubled)}  cut {len(verdict.cut)}")
        for line in verdict.violations:
            print(f"VIOLATION {line}")
        if not verdict.violations:
            return 0
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-discord-{seed}-"))
        shutil.copy(it.log, folder / "log")
        print(f"kept in {folder}")
        return 1


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos --platform discord", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(words)
    sys.exit(asyncio.run(chaos(options.kills, options.seed)))


if __name__ == "__main__":
    main()
