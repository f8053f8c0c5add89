"""What a workspace allows, shared by all workers over the Shelf: calls of each method, and places for streams.

Slack counts calls by method and workspace (docs.slack.dev/apis/web-api/rate-limits): tier 2 is 20 a minute, tier 3 50,
tier 4 100; chat.postMessage is one a second for each channel. A budget is spent so that no 60 seconds hold more.
"""

import asyncio
from zlib import crc32

from bot.ports import Shelf

PER_MINUTE = {
    "chat.appendStream": 100,
    "chat.update": 50,
    "chat.delete": 50,
    "agents.sessions.setStatus": 50,
    "conversations.replies": 50,
    "conversations.history": 50,
}
STREAMS = 20
"""Places for native streams: tier 2 of chat.startStream and chat.stopStream alike."""
STREAM_S = 360.0
"""A place is lent for longer than a stream may last, should its worker die."""
_MINUTE_S = 62.0
"""Somewhat more than Slack's, as is a second: calls do not take the same time on their way."""
_POST_PER_S = 0.8
_REST_S = 60.0
_RESTING = "-"


def per_s(method: str) -> float:
    """What a method's bucket refills in a second: its tier without its burst and what it lends at once."""
    most = PER_MINUTE[method]
    return (most - most // 10 - _lent(method)) / _MINUTE_S


def _lent(method: str) -> int:
    """How many calls finals may take that are not there yet: as many as a burst; no final text is appended."""
    return 0 if method == "chat.appendStream" else PER_MINUTE[method] // 10


class Budget:
    """The calls of one workspace. Raises StoreUnavailable."""

    def __init__(self, shelf: Shelf, team: str) -> None:
        self._shelf, self._team = shelf, team

    async def take(self, method: str, *, is_final: bool) -> float:
        """Seconds until this method may be called; 0: it may be now, and is counted. A final text is lent a call."""
        burst, debt = PER_MINUTE[method] // 10, _lent(method) if is_final else 0
        return await self._shelf.take_token(f"{self._team}:{method}", per_s=per_s(method), burst=burst, debt=debt)

    async def take_post(self, channel: str) -> float:
        """The same for chat.postMessage in this channel."""
        return await self._shelf.take_token(f"{self._team}:post:{channel}", per_s=_POST_PER_S, burst=1)


class Places:
    """A fixed number of places that all workers share, each lent to one at a time. Raises StoreUnavailable."""

    def __init__(self, shelf: Shelf, name: str, count: int) -> None:
        self._shelf = shelf
        self._keys = [f"{name}:{number}" for number in range(count)]

    async def take(self, holder: str, *, expires_s: float) -> str | None:
        """The place that this holder has now; None where all are lent."""
        first = crc32(holder.encode()) % len(self._keys)
        for key in self._keys[first:] + self._keys[:first]:
            if await self._shelf.lease(key, holder, expires_s=expires_s):
                return key
        return None

    async def give_back(self, place: str, holder: str) -> None:
        """It is free for the next one."""
        await self._shelf.lease(place, holder, expires_s=0)

    async def rest(self, place: str) -> None:
        """Nobody has it for a minute: so a place makes one start and one stop a minute, all of them a tier."""
        await self._shelf.put(place, _RESTING, expires_s=_REST_S)

    async def holders(self) -> dict[str, str]:
        """Who has which place."""
        values = await asyncio.gather(*map(self._shelf.get, self._keys))
        return {key: value for key, value in zip(self._keys, values, strict=True) if value and value != _RESTING}
