"""The way into the intake: each channel in order, again while the store is away; a watermark says how far it got."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from weakref import WeakValueDictionary

import discord

from bot.errors import StoreUnavailable
from bot.events import Event
from bot.ports import Intake, Shelf

_MARK_EVERY_S, _MARGIN_S, _KEPT_S = 5.0, 60.0, 30 * 86400.0
_DIRECTS, _CHANNELS, MOST = 100, 100, 200
"""Direct channels and channels that are looked into after an absence, and messages that are read back in each."""
Talked = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
Place = Talked | discord.PartialMessageable


class Entrance:
    """What one connection puts into the intake. `stale` are the shards whose watermark must not move.

    A shard's watermark says: all before it was taken. So it stands still from the moment a shard begins a new session,
    or the store is away, until what was missed is read back. (A session that is resumed misses nothing.)
    """

    def __init__(self, intake: Intake, shelf: Shelf, clock: Callable[[], float]) -> None:
        self.intake, self._shelf, self._clock = intake, shelf, clock
        self.stale: set[int] = set()
        self.due: asyncio.Queue[int] = asyncio.Queue()
        """Shards for which something may have been missed."""
        self._marked: dict[int, float] = {}
        self._directs: dict[str, None] = {}
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def in_order(self, channel: int) -> asyncio.Lock:
        """Held by one event of a channel at a time. discord.py begins events in their order, and so do waiters."""
        return self._locks.setdefault(channel, asyncio.Lock())

    async def admit(self, event: Event, shard: int) -> None:
        """Until it is taken. Raises NotAllowed."""
        was_away = False
        while True:
            try:
                await self.intake(event)
                break
            except StoreUnavailable as error:
                was_away = True
                self.stale.add(shard)
                await asyncio.sleep(error.retry_in_s or 1.0)
        if was_away:
            self.due.put_nowait(shard)
        await self._mark(shard)

    async def watermark(self, shard: int) -> float | None:
        """Since when messages may be missing; None for a fresh install. Raises StoreUnavailable."""
        value = await self._shelf.get(f"watermark:{shard}")
        return float(value) if value else None

    async def caught_up(self, shard: int) -> None:
        """All that was missed is taken."""
        self.stale.discard(shard)
        self._marked.pop(shard, None)
        await self._mark(shard)

    async def directs(self) -> tuple[int, ...]:
        """The direct channels that were last written in, the newest first. Raises StoreUnavailable."""
        listed = (await self._shelf.get("directs") or "").split()
        self._directs = dict.fromkeys([*listed, *self._directs][-_DIRECTS:])
        return tuple(int(channel) for channel in reversed(self._directs))

    async def remember_direct(self, channel: str) -> None:
        """Somebody wrote directly here."""
        if channel not in self._directs:
            with suppress(StoreUnavailable):
                await self.directs()
                self._directs[channel] = None
                await self._shelf.put("directs", " ".join(self._directs), expires_s=_KEPT_S)

    async def _mark(self, shard: int) -> None:
        now = self._clock()
        if shard in self.stale or now - self._marked.get(shard, 0.0) < _MARK_EVERY_S:
            return
        self._marked[shard] = now
        with suppress(StoreUnavailable):
            await self._shelf.put(f"watermark:{shard}", f"{now - _MARGIN_S:.3f}", expires_s=_KEPT_S)


def newer(client: discord.Client, shard: int, since: datetime, directs: Sequence[int]) -> list[Place]:
    """Channels and threads of the shard with a message since then, and the direct ones, at most a hundred.

    Discord tells the last message of each channel as it connects, but of direct ones nothing at all.
    """
    after = discord.utils.time_snowflake(since)
    guilds = [guild for guild in client.guilds if guild.shard_id == shard]
    found = (place for guild in guilds for place in _talked(guild) if (place.last_message_id or 0) >= after)
    direct = (client.get_partial_messageable(id, type=discord.ChannelType.private) for id in directs)
    return list(islice((*filter(_is_readable, found), *direct), _CHANNELS))


def _talked(guild: discord.Guild) -> tuple[Talked, ...]:
    return (*guild.text_channels, *guild.voice_channels, *guild.stage_channels, *guild.threads)


def _is_readable(place: Talked) -> bool:
    if (isinstance(place, discord.Thread) and place.parent is None) or place.guild.me is None:
        return True
    may = place.permissions_for(place.guild.me)
    return may.view_channel and may.read_message_history
