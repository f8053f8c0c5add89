"""What connections to platforms share: they are kept up, read what they can, and admit in order. Knows no platform."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import aiohttp

from bot.errors import StoreUnavailable
from bot.events import Event
from bot.ports import Intake

NETWORK_ERRORS = (aiohttp.ClientError, OSError, TimeoutError)
"""What aiohttp raises where the other side cannot be reached, hangs up or is silent."""
FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 120.0
_Raw = TypeVar("_Raw")
_Read = TypeVar("_Read")
log = logging.getLogger(__name__)


async def keep_connected(
    platform: str, connect: Callable[[], Awaitable[None]], transient: tuple[type[Exception], ...]
) -> NoReturn:
    """Connect again whenever `connect` ends or fails transiently, after pauses that double up to two minutes.

    So a platform that counts connections (Discord: 1,000 a day) is never overrun. After one that held they begin anew.
    """
    loop, pause = asyncio.get_running_loop(), FIRST_PAUSE_S
    while True:
        started_at, reason = loop.time(), "the connection ended"
        try:
            await connect()
        except transient as error:
            reason = f"{type(error).__name__}: {error}"
        if loop.time() - started_at > _LONGEST_PAUSE_S:
            pause = FIRST_PAUSE_S
        log.warning("%s is not connected, trying again in %.1f s (%s)", platform, pause, reason)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


async def admit_in_order(events: asyncio.Queue[Event], intake: Intake) -> NoReturn:
    """Admit one event after another, so that a person's messages keep their order; without a store they wait here."""
    while True:
        event = await events.get()
        while True:
            try:
                await intake(event)
                break
            except StoreUnavailable as error:
                await asyncio.sleep(error.retry_in_s or 1.0)


def tolerant(read: Callable[[_Raw], _Read]) -> Callable[[_Raw], _Read | None]:
    """The same, but a payload that it cannot read is logged and gives None: platforms change what they send."""

    def attempt(raw: _Raw) -> _Read | None:
        try:
            return read(raw)
        except (LookupError, TypeError, ValueError, AttributeError):
            log.warning("dropped an event that cannot be read", exc_info=True)
            return None

    return attempt
