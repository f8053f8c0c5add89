"""What connections to platforms share, without any platform and with a clock that jumps."""

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from adapters.edge import FIRST_PAUSE_S, admit_in_order, keep_connected, tolerant
from bot.errors import StoreUnavailable
from bot.events import Conversation, Event, MessageDeleted
from tests.fakes.clock import VirtualLoop
from tests.servers.harness import Heard


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)


class Enough(Exception):
    """The test has seen what it wanted."""


def test_pauses_double_up_to_two_minutes_and_begin_anew() -> None:
    """A platform that is away is tried less and less often; after a connection that held, at once again."""
    tried: list[float] = []

    async def connect() -> None:
        tried.append(asyncio.get_running_loop().time())
        if len(tried) == 11:
            await asyncio.sleep(3600)
        if len(tried) == 13:
            raise Enough
        if len(tried) % 2:
            raise ConnectionError("away")

    async def main() -> None:
        with pytest.raises(Enough):
            await keep_connected("p", connect, (ConnectionError,))

    run(main())
    pauses = [round(later - earlier) for earlier, later in pairwise(tried)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 3600 + FIRST_PAUSE_S, 2]


def test_events_are_admitted_in_order_however_long_the_store_is_away() -> None:
    """What waits for the store is admitted before what came later, and nothing is dropped."""
    events = [
        MessageDeleted(id=str(number), conversation=Conversation(platform="p", workspace="w", channel="c"), at=0.0)
        for number in range(3)
    ]

    async def main() -> None:
        heard, waiting = Heard(errors=[StoreUnavailable() for _ in range(3600)]), asyncio.Queue[Event]()
        for event in events:
            waiting.put_nowait(event)
        admitting = asyncio.create_task(admit_in_order(waiting, heard))
        await heard.until(lambda: len(heard.events) == 3, "all admitted", within_s=86_400)
        admitting.cancel()
        assert heard.events == events

    run(main())


def test_what_cannot_be_read_gives_none(caplog: pytest.LogCaptureFixture) -> None:
    """A reader that meets an unknown payload is not the end: it gives None and the log says so."""

    def number(raw: dict[str, str]) -> int:
        return int(raw["a"])

    read = tolerant(number)
    assert [read({"a": "1"}), read({}), read({"a": "x"})] == [1, None, None]
    assert len(caplog.records) == 2
