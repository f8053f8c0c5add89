"""Real processes die over the wire fake of Discord, at every instant that matters; all is answered once and whole."""

import asyncio
import signal
from dataclasses import replace

import pytest

from bot.crashpoints import CrashPoint
from tests.chaos.discord import discord_scene
from tests.chaos.script import LIMITS, USAGE, chunks, pages, question, whole
from tests.servers.model import Answer

PEOPLE = ("ana", "bo", "ana", "bo")
LIMITS_HERE = replace(LIMITS, characters=800)


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


@pytest.mark.parametrize("is_private", [False, True])
async def test_a_command_over_which_a_process_dies(store_url: str, is_private: bool) -> None:
    """The next one writes into the same response; what does not fit stands behind it once, or is its file."""
    points = (CrashPoint.FIRST_TOKEN, CrashPoint.CREATED, CrashPoint.PART_KEPT, CrashPoint.SHOWN_WHOLE)
    async with asyncio.TaskGroup() as group:
        for number, point in enumerate(points):
            group.create_task(die_over_a_command(f"{store_url}?db={number}", f"{point}:1", is_private=is_private))


async def die_over_a_command(store_url: str, moment: str, *, is_private: bool) -> None:
    """Somebody uses `/ask`; the answer has two messages."""
    async with discord_scene(store_url) as it:
        it.model.script(Answer(chunks=chunks(whole(["q7"])), usage=USAGE, stall_at=0))
        first = await it.start("a", crash=moment)
        await it.listening()
        used = it.server.command(it.server.general, "ask", {"question": question("q7"), "private": is_private})
        await it.model.stalled()
        await it.server.until(lambda: used.message, "Discord has our first word")
        it.model.release()
        assert await first.ended() == -signal.SIGKILL
        await it.start("b")
        await it.done()
        told, expected = it.server.general.by(it.server.bot), pages(["q7"], LIMITS_HERE)
        assert told[0].id == used.message
        if is_private:
            assert [message.files for message in told] == [[whole(["q7"])]]
        else:
            assert tuple(message.content for message in told) == expected
        assert len(expected) == 2


async def test_a_thread_over_which_a_process_dies(store_url: str) -> None:
    """The question gets one thread and, in it, one answer: the next one goes on where the first was."""
    points = (CrashPoint.CLAIMED, CrashPoint.BEFORE_CREATE, CrashPoint.CREATED, CrashPoint.SHOWN_WHOLE)
    async with asyncio.TaskGroup() as group:
        for number, point in enumerate(points):
            group.create_task(die_over_a_thread(f"{store_url}?db={number}", f"{point}:1"))


async def die_over_a_thread(store_url: str, moment: str) -> None:
    """A thread for each question; the answer has two messages."""
    async with discord_scene(store_url) as it:
        it.options = replace(it.options, threads=1)
        first = await it.start("a", crash=moment)
        await it.listening()
        asked = it.server.ask(it.server.general, question("q7"))
        assert await first.ended() == -signal.SIGKILL
        await it.start("b")
        await it.server.until(lambda: it.texts(asked.id) == pages(["q7"], LIMITS_HERE), "the answer", within_s=20)
        await it.done()
        assert it.texts(asked.id) == pages(["q7"], LIMITS_HERE)
        assert it.server.general.by(it.server.bot) == []
