"""Kills, stops and restarts real processes and their store at random for minutes, then checks that nobody noticed.

After it processes with the real Slack adapter are killed at random instants (`tests.chaos.slack`).

`python -m tests.chaos.run --minutes 3 --seed 7`: the seed decides who asks what and what goes wrong when; the machine's
own timing is never the same twice, so a seed that failed is run again several times.
"""

import argparse
import asyncio
import contextlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bot.crashpoints import CrashPoint
from tests.chaos import slack
from tests.chaos.check import Books, Verdict, standing
from tests.chaos.fleet import Member, StoreServer, store_server
from tests.chaos.scene import Scene, scene

TELL_EVERY_S = 5.0
SETTLE_S = 120.0
"""How long what is open may take to its end, once nothing goes wrong any more."""


@dataclass(kw_only=True)
class Chaos:
    """One run: the people who talk, what goes wrong, and the count of it."""

    it: Scene
    server: StoreServer
    dice: random.Random
    minutes: float
    conversations: int
    processes: int
    members: list[Member] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    _born: int = 0

    async def run(self) -> tuple[Verdict, Books]:
        """Talk and mischief beside each other, then peace until all is answered."""
        ends_at = time.monotonic() + self.minutes * 60
        for _ in range(self.processes):
            self._start(is_sound=True)
        await self.it.listening(self.processes)
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell())
            async with asyncio.TaskGroup() as work:
                work.create_task(self._talk(ends_at))
                for _ in range(max(1, self.processes // 2)):
                    work.create_task(self._mischief(ends_at))
            telling.cancel()
        return await self._peace()

    async def _talk(self, ends_at: float) -> None:
        """About four questions in each conversation, half of them in quick succession."""
        left = self.conversations * 4
        while left > 0:
            channel = f"{self.dice.choice('cccd')}{self.dice.randrange(self.conversations)}"
            author = self.dice.choice(("ana", "bo", "cleo"))
            for _ in range(self.dice.choice((1, 1, 1, 2, 3))):
                self.it.platform.say(channel, author)
                left -= 1
            self._think_again()
            pause_s = max(0.0, ends_at - time.monotonic()) / max(1, left)
            await asyncio.sleep(self.dice.uniform(0.0, 2.0) * pause_s * 1.5)

    def _think_again(self) -> None:
        """Somebody edits or deletes what was asked a moment ago; it may wait, be answered now or be answered."""
        chosen = self.dice.choice(self.it.platform.asked[-15:])
        if chosen.id in self.withdrawn:
            return
        match self.dice.randrange(20):
            case 0:
                self.it.platform.delete(chosen.id)
                self.withdrawn.add(chosen.id)
                self.done["deletions"] += 1
            case 1 | 2:
                self.it.platform.edit(chosen.id)
                self.done["edits"] += 1
            case _:
                pass

    async def _mischief(self, ends_at: float) -> None:
        deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (10, self._kill),
            (6, self._doze),
            (3, self._retire),
            (1, self._restart_store),
            (1, self._freeze_store),
        ]
        while time.monotonic() < ends_at:
            await asyncio.sleep(self.dice.uniform(0.1, 1.5))
            [(_, deed)] = self.dice.choices(deeds, weights=[weight for weight, _ in deeds])
            await deed()

    async def _kill(self) -> None:
        member = self._take()
        member.send(signal.SIGKILL)
        await member.ended()
        self._bury(member, "kills")

    async def _doze(self) -> None:
        """Stopped for up to four leases; it may be one that had stopped itself already."""
        member = self._take()
        member.send(signal.SIGSTOP)
        await asyncio.sleep(self.dice.uniform(0.5, 4.0) * member.options.lease)
        member.send(signal.SIGCONT)
        self.done["stops"] += 1
        if member.is_alive:
            self.members.append(member)
        else:
            self._bury(member, "kills")

    async def _retire(self) -> None:
        member = self._take()
        await self._ask_to_end(member)
        self._bury(member, "retirements")

    async def _ask_to_end(self, member: Member) -> None:
        """SIGTERM, and SIGCONT as often as it stops itself at a crash point on its way out."""
        member.send(signal.SIGTERM)
        for _ in range(20):
            member.send(signal.SIGCONT)
            with contextlib.suppress(AssertionError):
                code = await member.ended(within_s=1.0)
                # -SIGTERM: it had not even begun to listen for it.
                if code not in (0, -signal.SIGKILL, -signal.SIGTERM):
                    self.wrong.append(f"{member.options.name} ended with {code}")
                return
        self.wrong.append(f"{member.options.name} does not end")

    async def _restart_store(self) -> None:
        if self.server.is_away:
            return
        self.server.kill()
        await asyncio.sleep(self.dice.choice((0.0, 0.2, 2.0)))
        await self.server.start()
        self.done["store restarts"] += 1

    async def _freeze_store(self) -> None:
        if self.server.is_away:
            return
        self.server.freeze()
        await asyncio.sleep(self.dice.uniform(0.1, 2.0))
        self.server.thaw()
        self.done["store freezes"] += 1

    def _take(self) -> Member:
        """A random process; who takes it puts it back or buries it."""
        return self.members.pop(self.dice.randrange(len(self.members)))

    def _start(self, *, is_sound: bool = False) -> None:
        """One more process; half of them are to die or to stop at a crash point."""
        self._born += 1
        fate = 1.0 if is_sound else self.dice.random()
        moment = f"{self.dice.choice(list(CrashPoint))}:{self.dice.randrange(1, 6)}"
        name = f"p{self._born}"
        self.members.append(
            self.it.start(name, crash=moment if fate < 0.25 else "", sleep=moment if 0.25 <= fate < 0.5 else "")
        )

    def _bury(self, member: Member, deed: str) -> None:
        self.done[deed] += 1
        self.it.fleet.bury(member)
        self._start()

    async def _tell(self) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            platform = self.it.platform
            waiting = platform.posted - platform.acknowledged
            print(
                f"{time.monotonic() - started:5.0f} s  asked {len(platform.asked)}  open {waiting}"
                f"  replies {len(standing(platform.writes))}  "
                + "  ".join(f"{name} {count}" for name, count in sorted(self.done.items())),
                flush=True,
            )

    async def _peace(self) -> tuple[Verdict, Books]:
        """Nothing goes wrong any more; then all processes retire, and a last one ends what they left."""
        self.it.platform.trouble = 0.0
        for member in self.members:
            await self._ask_to_end(member)
            self.it.fleet.bury(member)
        self.members.clear()
        self._start(is_sound=True)
        verdict = await self.it.settled(within_s=SETTLE_S)
        verdict.errors += self.wrong
        return verdict, await self.it.books()


def report(it: Scene, verdict: Verdict, books: Books, done: Counter[str]) -> None:
    """The table, and what is wrong with the writes of the turns that it concerns."""
    rows = {
        "questions": len(it.platform.asked),
        "answered": len({id for reply in standing(it.platform.writes) for id in reply.questions}),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "cut": len(verdict.cut),
        "out of order": len(verdict.disordered),
        "other violations": len(verdict.violations)
        - sum(map(len, (verdict.lost, verdict.doubled, verdict.cut, verdict.disordered))),
        **dict(sorted(done.items())),
        "takeovers": books.deaths,
        "repairs": books.repairs,
        "turns": books.turns,
        "flickers": len(verdict.flickers),
    }
    for name, count in rows.items():
        print(f"{name:18} {count}")
    if verdict.flickers:
        print(f"longest flicker    {verdict.longest_flicker_s:.2f} s (a second message that was deleted later)")
    for line in verdict.violations:
        print(f"VIOLATION {line}")


async def chaos(options: argparse.Namespace) -> int:
    """One run from its seed: 0, or 1 on any violation."""
    dice = random.Random(options.seed)
    collect = dice.random() < 0.5
    print(f"seed {options.seed}, collecting {'on' if collect else 'off'}", flush=True)
    async with store_server() as server:
        world = scene(
            server.url,
            seed=options.seed,
            collect=collect,
            gap_s=options.gap,
            trouble=options.trouble,
            pace_s=options.pace,
        )
        async with world as it:
            run = Chaos(
                it=it,
                server=server,
                dice=dice,
                minutes=options.minutes,
                conversations=options.conversations,
                processes=options.processes,
            )
            verdict, books = await run.run()
            report(it, verdict, books, run.done)
            if not verdict.violations:
                return 0
            folder = Path(tempfile.mkdtemp(prefix=f"chaos-{options.seed}-"))
            shutil.copy(it.log, folder / "log")
            (folder / "writes").write_text("\n".join(map(str, it.platform.writes)))
    print(f"kept in {folder}; again: python -m tests.chaos.run --seed {options.seed} --minutes {options.minutes}")
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--trouble", type=float, default=0.03, help="part of the calls that go wrong, 0 to 1")
    parser.add_argument("--pace", type=float, default=0.04, help="seconds that the platform takes for a call, up to")
    parser.add_argument("--gap", type=float, default=0.02, help="seconds between two pieces of an answer")
    parser.add_argument("--slack", type=int, default=200, help="kills over the wire fake of Slack, after it; 0: none")
    options = parser.parse_args()
    code = asyncio.run(chaos(options))
    wrong = asyncio.run(slack.chaos(options.slack, options.seed)) if options.slack else []
    for line in wrong:
        print(f"VIOLATION {line}")
    sys.exit(1 if wrong else code)


if __name__ == "__main__":
    main()
