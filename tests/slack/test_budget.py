"""What a workspace allows is shared by all workers over a real store: no 429, nothing lost, each stream its share."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from adapters.slack.budget import STREAMS, Budget, Places, per_s
from adapters.slack.client import LIMITS
from adapters.slack.reply import Channels, reply_at
from adapters.slack.web import SlackWeb
from adapters.slack.workspace import Workspace
from bot.events import Address
from bot.shelf import RedisShelf
from bot.store import Store
from tests.fakes.reply import FakeDraft
from tests.servers.slack import SlackServer


@pytest.fixture
async def worker(server: SlackServer, store: Store) -> AsyncIterator[Workspace]:
    """What one worker has of the workspace."""
    worker = worker_of(server, store)
    yield worker
    await worker.web.close()


def worker_of(server: SlackServer, store: Store) -> Workspace:
    worker = Workspace(SlackWeb(server.bot_token, server.api_url), RedisShelf(store, "slack"))
    worker.team, worker.bot = "T0TEAM", server.bot.id
    worker.web.open()
    return worker


def address_of(server: SlackServer, name: str) -> Address:
    channel = server.world.add_channel(name)
    thread = server.ask(channel, "well?").ts
    return Address(channel=channel.id, thread=thread, reply_to=thread, recipient=f"T0TEAM/{server.alice.id}")


async def test_twenty_answers_at_once_under_the_published_tiers(
    server: SlackServer, store: Store, worker: Workspace
) -> None:
    """Over two workers, each answer growing for seconds: no call is refused, and every answer is whole."""
    other = worker_of(server, store)
    server.clock = server.tiers._clock = time.monotonic
    server.tiers.is_on = True
    addresses = [address_of(server, f"c{number}") for number in range(STREAMS)]

    async def write(number: int, workspace: Workspace) -> str:
        text = f"Answer {number}. "
        async with reply_at(workspace, addresses[number], FakeDraft(f"t{number}"), limits=LIMITS) as reply:
            for word in range(30):
                text += f"word {word}, "
                reply.show(text)
                await asyncio.sleep(0.1)
            await reply.finish(text)
        return text.strip()

    texts = await asyncio.gather(*map(write, range(STREAMS), itertools.cycle((worker, other))))
    await other.web.close()
    shown = [[message.shown.strip() for message in server.channel(one.channel).by(server.bot)] for one in addresses]
    assert server.tiers.refusals == []
    assert shown == [[text] for text in texts]
    assert len(server.named("chat.startStream")) == len(server.named("chat.stopStream")) == STREAMS
    assert all(
        channel.sessions == {one.thread: "active"} for one in addresses for channel in [server.channel(one.channel)]
    )


@pytest.mark.parametrize(("method", "most"), [("chat.update", 50), ("chat.appendStream", 100)])
async def test_no_minute_holds_more_than_the_tier(store: Store, method: str, most: int) -> None:
    """What may be taken at once, with all that is lent to finals and what a minute refills, is the tier."""
    budget = Budget(RedisShelf(store, "slack"), "T1")
    at_once = 0
    while not await budget.take(method, is_final=True):
        at_once += 1
    wait_s = await budget.take(method, is_final=True)
    assert 0.85 * most < at_once + 60 * per_s(method) <= most
    assert (await budget.take(method, is_final=False) > wait_s) is (method == "chat.update")


async def test_a_channel_takes_one_post_a_second(store: Store) -> None:
    """Each channel has its own."""
    budget = Budget(RedisShelf(store, "slack"), "T1")
    assert [await budget.take_post(channel) > 0 for channel in ("C1", "C1", "C2")] == [False, True, False]


async def test_places_are_lent_once(store: Store) -> None:
    """Twenty at most, whoever asks; one that was used rests before it is lent again."""
    places = Places(RedisShelf(store, "slack"), "T1:stream", STREAMS)
    lent = await asyncio.gather(*(places.take(f"t{number}", expires_s=60.0) for number in range(STREAMS + 5)))
    taken = [place for place in lent if place]
    assert (len(taken), len(set(taken))) == (STREAMS, STREAMS)
    await places.rest(taken[0])
    assert len(await places.holders()) == STREAMS - 1
    assert await places.take("late", expires_s=60.0) is None
    holder = (await places.holders())[taken[1]]
    await places.give_back(taken[1], holder)
    assert await places.take("late", expires_s=60.0) == taken[1]


async def test_streams_share_the_appends(worker: Workspace) -> None:
    """The more streams live in the workspace, the slower each one grows."""
    for number in range(4):
        await worker.streams.take(f"t{number}", expires_s=60.0)
    assert await worker.cadence_s("chat.appendStream") == pytest.approx(4 * 62 / 90)
    assert await worker.cadence_s("chat.update") == pytest.approx(62 / 40)


@pytest.mark.parametrize("channels", ["native", "edit"])
async def test_many_answers_in_one_channel(server: SlackServer, worker: Workspace, channels: Channels) -> None:
    """Ten answers that come at once in one channel are posted a second apart where they are posted."""
    server.clock = server.tiers._clock = time.monotonic
    server.tiers.is_on = True
    asked = [server.ask(server.general, f"well {number}?").ts for number in range(5)]

    async def write(number: int) -> None:
        address = Address(channel=server.general.id, thread=asked[number], reply_to=asked[number])
        async with reply_at(worker, address, FakeDraft(f"t{number}"), limits=LIMITS, channels=channels) as reply:
            await reply.finish(f"Answer {number}.")

    await asyncio.gather(*map(write, range(5)))
    assert sorted(message.shown for message in server.general.by(server.bot)) == [f"Answer {n}." for n in range(5)]
    assert server.tiers.refusals == []
