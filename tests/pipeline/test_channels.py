"""Channel settings as each process keeps them in memory: through an outage, through changes, and bounded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest

from bot.channels import KNOWN, Channels, Persona
from bot.errors import StoreUnavailable
from bot.events import Conversation
from bot.store import Store
from tests.pipeline.make import settings
from tests.pipeline.stage import until

NOW = 1_800_000_000.0
PLACE = Conversation(platform="memory", workspace="w1", channel="c1", thread="t1")


class Moody(Store):
    """A store that can be away, and in which something may happen just behind a read."""

    is_away = False
    refused = 0
    then: Callable[[], Awaitable[object]] | None = None

    async def command(self, *words: str | float | bytes) -> object:
        """As ever, but for its mood."""
        if self.is_away:
            self.refused += 1
            raise StoreUnavailable
        found: object = await super().command(*words)
        if words[0] == "HGETALL" and (then := self.then):
            self.then = None
            await then()
        return found


@pytest.fixture
async def moody(store_url: str) -> AsyncIterator[Moody]:
    """An open store with moods."""
    opened = Moody(store_url, shards=4)
    await opened.open()
    yield opened
    await opened.close()


async def test_what_is_known_outlives_an_outage(moody: Moody, store: Store) -> None:
    """While the store is away what was read holds on; once it is back, what was changed meanwhile is seen."""
    here, there = Channels(moody, settings()), Channels(store, settings())
    await here.change(PLACE, "", "follow_up_s", "10", who="ada", at=NOW)
    assert (await here.of(PLACE)).follow_up_s == 10
    watching = asyncio.create_task(here.watch())
    moody.is_away = True
    await until(lambda: moody.refused > 1, "it was looked for")
    await there.change(PLACE, "", "follow_up_s", "20", who="ada", at=NOW)
    assert (await here.of(PLACE)).follow_up_s == 10
    assert (await here.of(replace(PLACE, channel="c2"))).follow_up_s == 10
    moody.is_away = False
    async with asyncio.timeout(20):
        while (await here.of(PLACE)).follow_up_s == 10:
            await asyncio.sleep(0.01)
    watching.cancel()


async def test_a_change_during_a_read_is_not_hidden_by_it(moody: Moody) -> None:
    """What was read before a change is kept nowhere."""
    channels = Channels(moody, settings())
    moody.then = partial(channels.change, PLACE, "", "footer", "on", who="ada", at=NOW)
    await channels.of(PLACE)
    assert (await channels.of(PLACE)).footer


async def test_what_is_kept_in_memory_is_read_once_and_bounded(store: Store) -> None:
    """Personas are parsed once for a workspace; of its conversations so many are remembered and no more."""
    channels = Channels(store, settings())
    await channels.put_persona(PLACE, "pirate", Persona(name="pirate", prompt="Arr."), who="ada", at=NOW)
    assert (await channels.personas(PLACE))["pirate"] is (await channels.personas(PLACE))["pirate"]
    for number in range(KNOWN + 5):
        await channels.of(replace(PLACE, thread=str(number)))
    assert sum(len(one.known) for one in channels._cache.values()) <= KNOWN


async def test_opting_out_is_known_at_once_and_everywhere(store: Store) -> None:
    """It is kept for the workspace, apart from its settings, until it is taken back."""
    channels = Channels(store, settings())
    for is_out in (True, False):
        await channels.opt_out(PLACE, "ada", is_out=is_out)
        assert await channels.hears(replace(PLACE, channel="c2"), "ada") is not is_out
        assert await channels.hears(PLACE, "bob")
    assert await channels.audit(PLACE) == []
