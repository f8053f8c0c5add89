"""Stalls, and what happens when nobody waits for the answer any more."""

import asyncio
from dataclasses import replace

import pytest

from bot.errors import ModelInterrupted, ModelUnavailable
from bot.model.providers import Wire
from bot.ports import Finished, TextDelta
from tests.model.asking import ASK, HASTY, MakeChain, until_broken, whole
from tests.servers.model import Answer, ModelServer

TEXT = ("one ", "two ", "three")
SHORT_S = 0.15


async def test_a_stall_before_the_first_token_is_unavailable(
    server: ModelServer, make_chain: MakeChain, wire: Wire
) -> None:
    """Past first_token_s the connection is closed and nothing is asked again: a second wait would be as long."""
    server.script(Answer(chunks=TEXT, stall_at=0))
    chain = make_chain(wire, patience=replace(HASTY, first_token_s=SHORT_S))
    assert (await until_broken(chain.stream(ASK), ModelUnavailable))[0] == ""
    await server.closed()
    assert len(server.requests) == 1


async def test_a_stall_before_the_headers_is_unavailable(
    server: ModelServer, make_chain: MakeChain, wire: Wire
) -> None:
    """first_token_s also bounds a server that takes the request and says nothing at all."""
    server.script(Answer(is_silent=True))
    chain = make_chain(wire, patience=replace(HASTY, first_token_s=SHORT_S))
    assert (await until_broken(chain.stream(ASK), ModelUnavailable))[0] == ""


async def test_a_stall_in_mid_stream_is_an_interruption(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """After the first token idle_s is the bound."""
    server.script(Answer(chunks=TEXT, stall_at=2))
    chain = make_chain(wire, patience=replace(HASTY, idle_s=SHORT_S))
    assert (await until_broken(chain.stream(ASK), ModelInterrupted))[0] == "one two "
    await server.closed()


async def test_comments_are_no_sign_of_life(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """A gateway that keeps the connection warm with comments while its model is stuck is a stall."""
    server.gap_s = SHORT_S / 4
    server.script(Answer(chunks=TEXT, malformed_at=1, insert=(b": still here\n\n",) * 20))
    chain = make_chain(wire, patience=replace(HASTY, idle_s=SHORT_S))
    assert (await until_broken(chain.stream(ASK), ModelInterrupted))[0] == "one "


async def test_a_slow_reader_is_not_a_stall(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """Time that passes while we work with a chunk does not count: only waiting for the server does."""
    server.script(Answer(chunks=TEXT, stall_at=1))
    stream = make_chain(wire, patience=replace(HASTY, idle_s=SHORT_S)).stream(ASK)
    assert await anext(stream) == TextDelta("one ")
    await server.stalled()
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(2 * SHORT_S, done.set)
    await done.wait()
    server.release()
    assert isinstance((await whole(stream))[-1], Finished)


async def test_a_whole_answer_does_not_wait_for_its_usage(
    server: ModelServer, make_chain: MakeChain, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that goes silent after the reason to finish costs a moment, not the answer."""
    monkeypatch.setattr("bot.model.client.LINGER_S", 0.01)
    server.script(Answer(chunks=TEXT, stall_at_end=True))
    events = await whole(make_chain(wire).stream(ASK))
    assert events[:3] == [*map(TextDelta, TEXT)]
    assert events[-1] == Finished(reason="stop", model="default/m1")


async def test_closing_the_generator_closes_the_stream(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """When nobody reads on, the server learns it at once and can stop computing."""
    server.script(Answer(chunks=TEXT, stall_at=1))
    stream = make_chain(wire).stream(ASK)
    assert await anext(stream) == TextDelta("one ")
    await stream.aclose()
    await asyncio.sleep(0)  # one round of the loop, in which its finaliser would begin a task
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await server.closed()


@pytest.mark.parametrize("stall_at", [0, 1])
async def test_cancelling_the_reader_closes_the_stream(
    server: ModelServer, make_chain: MakeChain, wire: Wire, stall_at: int
) -> None:
    """A cancelled task ends as cancelled, before as after the first token, and the server sees the connection go."""
    server.script(Answer(chunks=TEXT, stall_at=stall_at))
    task = asyncio.create_task(whole(make_chain(wire).stream(ASK)))
    await server.stalled()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.closed()


async def test_cancelling_between_two_attempts_asks_no_more(server: ModelServer, make_chain: MakeChain) -> None:
    """A cancelled task does not wait out the pause before the next attempt."""
    chain = make_chain(patience=replace(HASTY, backoff_s=3600.0))
    server.script(Answer(status=500))
    task = asyncio.create_task(whole(chain.stream(ASK)))
    await server.asked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(server.requests) == 1
