"""How the tests of the model ask: one short request, pauses too short to wait for, and the whole stream as a list."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from bot.model.chain import Chain
from bot.model.faults import Patience
from bot.ports import Message, ModelRequest, StreamEvent, TextDelta

HASTY = Patience(first_token_s=60.0, idle_s=60.0, retries=2, backoff_s=0.0001, wait_s=0.05)
"""No test waits for the 60 s; `BOUND_S` ends a test that would."""
BOUND_S = 20.0

ASK = ModelRequest(messages=(Message(role="system", content="Be kind."), Message(role="user", content="Why?")))

MakeChain = Callable[..., Chain]


async def whole(stream: AsyncGenerator[StreamEvent, None]) -> list[StreamEvent]:
    """All events of a stream."""
    async with asyncio.timeout(BOUND_S):
        return [event async for event in stream]


async def until_broken(stream: AsyncGenerator[StreamEvent, None], kind: type[Exception]) -> tuple[str, Exception]:
    """The text that came before the stream raised `kind`, and what was raised."""
    text = ""
    try:
        async with asyncio.timeout(BOUND_S):
            async for event in stream:
                assert isinstance(event, TextDelta), event
                text += event.text
    except kind as err:
        return text, err
    raise AssertionError(f"it ended without {kind.__name__}")
