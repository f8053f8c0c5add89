"""Instants that no crash point names, each found by a run of chaos or by thinking of one."""

import asyncio
import time
from dataclasses import replace

import pytest

from bot.events import Address, Conversation, MessageRef
from bot.inbox import Inbox
from bot.lease import Lease
from bot.store import Store
from tests.fakes import FakeModel, MemoryAdapter
from tests.fakes.surface import Shown, Wall
from tests.pipeline.make import answer, entry, place, question, settings
from tests.pipeline.stage import stage, until

CHANNEL = Conversation(platform="memory", workspace="w1", channel="c1")


async def test_a_call_that_shares_its_trip_with_an_unknown_script_runs_once(store: Store) -> None:
    """After a restart the server knows no script: those of a batch that it does know are not run a second time.

    A claim that ran twice would leave the turns of its first run without a worker until their lease ends.
    """
    inbox, asked = Inbox(store, settings()), question("1")
    prefix = store.shard(asked.conversation.channel_key)
    await store.command("SCRIPT", "FLUSH")
    assert await inbox.claim(prefix, 1) == []
    await inbox.admit(asked, entry(asked))
    turns, _ = await asyncio.gather(inbox.claim(prefix, 1), inbox.sweep(prefix))
    assert [(turn.fence, turn.deaths) for turn in turns] == [(1, 0)]


async def test_a_cancellation_is_never_swallowed(store: Store) -> None:
    """A task that talks to the store ends when it is cancelled, whichever step of the talk the cancellation hits."""

    async def talk() -> None:
        while True:
            await store.command("PING")

    await store.command("PING")
    for steps in range(40):
        task = asyncio.create_task(talk())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=5.0)
        assert done, f"cancelled after {steps} steps it goes on for ever"


async def test_a_lane_that_turns_out_empty_gives_its_place_to_the_next(store: Store) -> None:
    """A question that waited for a free place is deleted before it gets one: the one behind it still gets it."""
    inbox = Inbox(store, settings(channel_turns=1))
    prefix = store.shard(place().channel_key)
    for id, who in (("1", "ana"), ("2", "bo"), ("3", "cleo")):
        asked = question(id, who=who)
        await inbox.admit(asked, entry(asked))
    [first] = await inbox.claim(prefix, 10)
    await inbox.delete(place(), "2")
    await inbox.commit(first, answer("a1", "so", "1"), {})
    await inbox.sweep(prefix, is_full=True)
    claimed = [*await inbox.claim(prefix, 10), *await inbox.claim(prefix, 10)]
    assert [one.id for turn in claimed for one in turn.questions] == ["3"]


def half_an_answer(platform: MemoryAdapter, turn: str, *parts: int) -> None:
    """Messages of a turn as a worker that died has left them."""
    wall = platform.walls["c1"] = Wall()
    wall.messages = {f"m{part}": Shown(id=f"m{part}", turn=turn, part=part, text=f"half {part}") for part in parts}


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_deleted_question_takes_along_what_a_dead_worker_left(
    store_url: str, store: Store, is_known: bool
) -> None:
    """The question is gone, its worker too, and of a message or of all only the intent is known: all are deleted."""
    platform = MemoryAdapter()
    dead = Inbox(store, settings(lease_s=0.0))
    asked = replace(question("1"), conversation=CHANNEL, address=Address(channel="c1"))
    await dead.admit(asked, entry(asked))
    [turn] = await dead.claim(store.shard(CHANNEL.channel_key), 1)
    half_an_answer(platform, turn.id, 0, 1)
    if is_known:
        await Lease(dead, turn, claimed_at=time.monotonic()).keep(0, MessageRef(channel="c1", id="m0"))
    await dead.record(turn, {"p1": ""})
    await dead.delete(CHANNEL, "1")
    async with stage(store_url, FakeModel("never"), platform) as it:
        await until(lambda: it.texts() == (), "all of it is deleted")
        assert platform.walls["c1"].writes == []


async def test_what_comes_late_for_a_deleted_question_is_deleted(store_url: str, store: Store) -> None:
    """A message that its maker notices after the turn was closed as deleted does not stay."""
    platform = MemoryAdapter()
    slow = Inbox(store, settings(lease_s=0.0))
    asked = replace(question("1"), conversation=CHANNEL, address=Address(channel="c1"))
    await slow.admit(asked, entry(asked))
    [turn] = await slow.claim(store.shard(CHANNEL.channel_key), 1)
    await Lease(slow, turn, claimed_at=time.monotonic()).keep(0, MessageRef(channel="c1", id="gone"))
    await slow.delete(CHANNEL, "1")
    async with stage(store_url, FakeModel("never"), platform) as it:
        async with asyncio.timeout(20):
            while not await it.inbox.closed(CHANNEL, turn.id):
                await asyncio.sleep(0.01)
        half_an_answer(platform, turn.id, 0)
        await slow.lapsed(turn, MessageRef(channel="c1", id="m0"))
        await until(lambda: it.texts() == (), "the late message is deleted")


async def test_a_process_that_takes_over_from_itself_lives(store_url: str) -> None:
    """A store that was away for longer than the lease gives a turn to the very process that holds it: one answer."""
    gate = asyncio.Event()
    model = FakeModel("so", gate, then=(FakeModel("so"),))
    async with stage(store_url, model, lease_s=0.5) as it:
        await it.platform.say("hello?")
        await until(lambda: len(model.requests) == 1, "the turn runs")
        shard, [lease] = it.store.shard("memory:w1:c1"), it.worker.leases.values()
        while len(model.requests) < 2:  # it is renewed three times in each lease
            await it.store.command("ZADD", shard + "lease", 1, lease.open.lane)
            await it.store.command("RPUSH", shard + "wake", "1")
            await asyncio.sleep(0.01)
        gate.set()
        await it.answered(1)
        await it.platform.say("and now?")
        await it.answered(2)
        assert it.texts() == ("so", "so")


async def test_a_turn_that_is_handed_back_stays_quiet_until_the_dead_workers_last_call_is_over(
    store_url: str, store: Store
) -> None:
    """Who takes over waits until it may write; if it is stopped meanwhile, the next one waits the rest of that time."""
    platform, model = MemoryAdapter(), FakeModel("so")
    dead = Inbox(store, settings(lease_s=0.0))
    asked = replace(question("1"), conversation=CHANNEL, address=Address(channel="c1"))
    await dead.admit(asked, entry(asked))
    shard = store.shard(CHANNEL.channel_key)
    await dead.claim(shard, 1)
    async with stage(store_url, model, platform, call_s=60.0, grace_s=0.0):
        await until(lambda: len(model.requests) == 1, "it was taken over")
    await dead.sweep(shard, is_full=True)
    assert await dead.claim(shard, 1) == []
    assert await store.command("ZCARD", shard + "later") == 1
