"""Real processes with the real Slack adapter die at every crash point; whoever asked has one whole answer."""

import asyncio
import signal

import pytest

from adapters.slack.reply import Channels
from bot.crashpoints import CrashPoint
from tests.chaos.slack import slack_scene
from tests.servers.common import Fault


@pytest.mark.parametrize("point", CrashPoint)
async def test_a_crash_point_on_slack(store_url: str, point: CrashPoint) -> None:
    """Killed at this instant, streaming natively or editing, a second process answers what is left: once and whole."""
    async with asyncio.TaskGroup() as group:  # each in a database of its own, because most of the time is waiting
        group.create_task(die(store_url, point, "native"))
        group.create_task(die(f"{store_url}?db=1", point, "edit"))


async def die(store_url: str, point: CrashPoint, channels: Channels) -> None:
    async with slack_scene(store_url, channels=channels) as it:
        first = it.start("a", crash=f"{point}:1")
        await it.listening(1)
        thread = it.ask("ana")
        it.ask("bo")
        it.ask("bo", thread=thread)
        assert await first.ended() == -signal.SIGKILL
        it.start("b")
        assert await it.settled() == []


async def test_a_process_that_dies_between_the_start_of_a_stream_and_its_claim(store_url: str) -> None:
    """Slack has made the message, and nobody has heard of it: the next process finds it, stops it and overwrites it."""
    async with slack_scene(store_url) as it:
        it.server.faults.append(Fault(match="chat.startStream", status=200, is_held=True, is_applied=True))
        first = it.start("a")
        await it.listening(1)
        it.ask("ana")
        await it.server.until(lambda: it.server.held == 1, "the start of a stream waits for its answer")
        first.send(signal.SIGKILL)
        await first.ended()
        it.server.release()
        it.start("b")
        assert await it.settled() == []
