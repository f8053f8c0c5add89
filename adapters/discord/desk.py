"""What all replies of one connection share: a channel's budget of writes, what we may do there, what was told of it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import discord
from discord.abc import GuildChannel

from adapters.discord.errors import MissingAccess, errors_as_ours
from bot.errors import BotError, StoreUnavailable
from bot.pacing import Limits
from bot.ports import Shelf

Write = Literal["post", "edit"]
_STORE_S = 0.3
_REFUSED_S = 60.0
_TOLD_EVERY_S = 3600.0
_FORGOTTEN_S = 30.0
"""A text that has not grown for so long does not count among those that take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A token bucket: of growing text `burst` writes at once and then `per_s`; `debt` more for who may not wait."""

    per_s: float
    burst: int
    debt: int


BUCKETS: dict[Write, Bucket] = {
    "post": Bucket(per_s=0.5, burst=3, debt=1),
    "edit": Bucket(per_s=0.75, burst=1, debt=2),
}
"""Discord takes 5 posts and 5 edits in 5 s in a channel (observed; it publishes no figures), each in its own bucket.

discord.py sleeps behind the fifth, in the call that succeeded (`discord.http.Ratelimit.__aexit__`). So growing texts
make at most four edits in 5 s. Only finals that crowd a channel can be a fifth; the sleep is then 2.4 s at most.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`client` gives the one that is logged in now, or raises PlatformUnavailable. `clock` is in seconds since 1970."""

    client: Callable[[], discord.Client]
    shelf: Shelf
    limits: Limits
    call_s: float = 5.0
    pings_asker: bool = False
    clock: Callable[[], float] = time.time
    _refused: dict[int, float] = field(default_factory=dict)
    _growing: dict[int, dict[str, tuple[float, float]]] = field(default_factory=dict)
    """For each channel the answers that grow there: when each was last let through, and when it last asked."""

    async def growth(self, channel: int, turn: str) -> float:
        """As `budget`, for an edit with a growing text: those of a channel take turns, as long apart as they are many.

        Without that the luckiest would have them all. Other processes' answers are not counted; chance must do there.
        """
        now, growing = self.clock(), self._growing.setdefault(channel, {})
        # Whoever waits asks again when its wait is over; who does not ask for long has ended elsewhere.
        for gone in [one for one, (_, asked) in growing.items() if asked < now - _FORGOTTEN_S]:
            del growing[gone]
        last = growing.get(turn, (0.0, 0.0))[0]
        growing[turn] = last, now
        wait_s = last + len(growing) / BUCKETS["edit"].per_s - now
        if wait_s <= 0.0 and not (wait_s := await self.budget("edit", channel, is_urgent=False)):
            growing[turn] = now, now
        return wait_s

    def grown(self, channel: int, turn: str) -> None:
        """This text grows no more."""
        growing = self._growing.get(channel, {})
        growing.pop(turn, None)
        if not growing:
            self._growing.pop(channel, None)

    async def budget(self, write: Write, channel: int, *, is_urgent: bool) -> float:
        """Seconds until a write of this kind may be made in the channel; 0.0 has taken its place.

        All processes share it. While the store is away the cadence of each reply is all that holds.
        """
        bucket = BUCKETS[write]
        try:
            async with asyncio.timeout(_STORE_S):
                return await self.shelf.take_token(
                    f"{write}:{channel}", per_s=bucket.per_s, burst=bucket.burst, debt=bucket.debt * is_urgent
                )
        except (StoreUnavailable, TimeoutError):
            return 0.0

    def check(self, channel: int) -> None:
        """Raise MissingAccess where discord.py's cache knows that we may not write, or Discord has just said so."""
        if self._refused.get(channel, 0.0) > self.clock():
            raise MissingAccess("refused a moment ago")
        may = self.permissions(channel)
        if may is None:
            return
        is_thread = isinstance(self.client().get_channel(channel), discord.Thread)
        if not may.view_channel or not (may.send_messages_in_threads if is_thread else may.send_messages):
            raise MissingAccess("not permitted to write there")

    def permissions(self, channel: int) -> discord.Permissions | None:
        """What we may do there, where it is known."""
        known = self.client().get_channel(channel)
        if not isinstance(known, GuildChannel | discord.Thread) or known.guild.me is None:
            return None
        if isinstance(known, discord.Thread) and known.parent is None:
            return None
        return known.permissions_for(known.guild.me)

    async def refused(self, channel: int, person: str) -> None:
        """We may not write there: asked no more for a minute, and the person is told directly, once in an hour."""
        now = self.clock()
        for known in [known for known, until in self._refused.items() if until <= now]:
            del self._refused[known]
        self._refused[channel] = now + _REFUSED_S
        if not person or not await self.first(f"refused:{channel}"):
            return
        with suppress(BotError), errors_as_ours():  # direct messages may be closed to us too
            direct = await self.client().create_dm(discord.Object(int(person)))
            await direct.send(
                f"I'd like to answer you in <#{channel}>, but I may not write there. "
                "Whoever manages the server can allow me to view the channel and to send messages in it.",
                allowed_mentions=discord.AllowedMentions.none(),
            )

    async def first(self, what: str) -> bool:
        """True for the first who asks within an hour, in all processes; nobody is first while the store is away."""
        try:
            async with asyncio.timeout(_STORE_S):
                return await self.shelf.take_once(what, expires_s=_TOLD_EVERY_S)
        except (StoreUnavailable, TimeoutError):
            return False
