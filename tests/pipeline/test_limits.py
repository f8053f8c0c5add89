"""Limits over a real server: rates roll, budgets hold, and both are idempotent by turn."""

import pytest

from bot.errors import BudgetSpent, RateLimited
from bot.limits import Limits
from bot.settings import Rate
from bot.shelf import RedisShelf
from bot.store import Store
from tests.pipeline.make import place, settings

NOW = 1_700_000_000.0


def limits(store: Store, **changes: object) -> Limits:
    """Limits at a fixed time of day."""
    return Limits(store, settings(**changes), lambda: NOW)


async def test_a_rate_allows_its_count_and_then_says_how_long_to_wait(store: Store) -> None:
    """Ten questions in ten minutes, the eleventh waits a minute; others are not touched; a takeover pays once."""
    it = limits(store, person_rate=Rate(count=10, per_s=600.0), workspace_daily_tokens=0)
    for number in range(10):
        for _ in range(2):
            await it.reserve(f"t{number}", place(), "ana", 1)
    with pytest.raises(RateLimited) as raised:
        await it.reserve("t10", place(), "ana", 1)
    assert 50 < float(str(raised.value).removesuffix(" s")) <= 60
    await it.reserve("t11", place(), "ben", 1)


async def test_a_budget_counts_reservations_and_is_settled_with_the_real_figure(store: Store) -> None:
    """What is reserved counts at once; settling puts the real figure in its place, once; a refusal reserves nothing."""
    it = limits(store, person_rate=Rate(count=0, per_s=1.0), workspace_daily_tokens=1000)
    day = await it.reserve("t1", place(), "ana", 900)
    with pytest.raises(BudgetSpent) as raised:
        await it.reserve("t2", place(), "ana", 200)
    assert str(raised.value) == "6400 s"
    for _ in range(2):
        await it.settle(it.bill("t1", place(), day, 100))
    await it.reserve("t2", place(), "ana", 900)
    other = place()
    assert other.workspace_key == "test:W1"
    with pytest.raises(BudgetSpent):
        await it.reserve("t3", place(channel="C9"), "ben", 1)


async def test_the_shelf_keeps_things_for_a_time_and_for_one_platform(store: Store) -> None:
    """Get, put, take-once, lease and token bucket; what one adapter keeps, another never sees."""
    shelf, other = RedisShelf(store, "slack"), RedisShelf(store, "discord")
    await shelf.put("cursor", "17", expires_s=60)
    assert (await shelf.get("cursor"), await other.get("cursor")) == ("17", None)
    assert [await shelf.take_once("hello", expires_s=60) for _ in range(2)] == [True, False]
    assert [await shelf.lease("socket", who, expires_s=60) for who in "abaa"] == [True, False, True, True]
    assert await shelf.lease("socket", "a", expires_s=0)
    assert await shelf.lease("socket", "b", expires_s=60)
    assert [await shelf.take_token("sends", per_s=0.01, burst=2) for _ in range(2)] == [0, 0]
    assert 90 < await shelf.take_token("sends", per_s=0.01, burst=2) <= 100
