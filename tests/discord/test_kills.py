"""Real processes die over the wire fake of Discord, at every instant that matters; all is answered once and whole."""

import asyncio
import signal

import pytest

from bot.crashpoints import CrashPoint
from tests.chaos.discord import discord_scene

PEOPLE = ("ana", "bo", "ana", "bo")


@pytest.mark.parametrize("point", CrashPoint)
async def test_a_crash_point(store_url: str, point: CrashPoint) -> None:
    """Killed at this instant, collecting or not: what was admitted has one answer, whole and in order."""
    late = 1 if point is CrashPoint.SETTLED else 3  # all bills of a shard are settled together
    async with asyncio.TaskGroup() as group:  # each in a database of its own, because most of the time is waiting
        group.create_task(die(store_url, f"{point}:1", collect=True))
        group.create_task(die(f"{store_url}?db=1", f"{point}:{late}", collect=False))


async def die(store_url: str, moment: str, *, collect: bool) -> None:
    """Killed with SIGKILL; the next process answers what is left."""
    # So small messages that each answer has several, and so large that none of two answers is a file.
    async with discord_scene(store_url, collect=collect, characters=800 if collect else 400) as it:
        first = await it.start("a", crash=moment)
        await it.listening()
        for author in PEOPLE:
            it.ask(author)
        assert await first.ended() == -signal.SIGKILL
        await it.start("b")
        verdict = await it.settled()
        assert verdict.violations == []
