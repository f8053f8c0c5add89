"""The connection to Discord's gateway: what it tells goes through the entrance, whatever happens to the connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import discord
from discord.http import Route

from adapters.discord.commands import sync
from adapters.discord.entrance import MOST, Entrance, newer
from adapters.discord.errors import errors_as_ours
from adapters.discord.interactions import Interactions
from adapters.discord.options import Options, proxy_for
from adapters.discord.translate import conversation_of, deleted, guild_of, received
from bot.errors import BotError, NotAllowed, PlatformUnavailable, ReplyUndeliverable, StoreUnavailable
from bot.events import Conversation, Event, MessageEdited
from bot.ports import Intake, Shelf

log = logging.getLogger(__name__)
_IDENTIFIES = 500
"""Half of what Discord allows in 24 h: a bucket of it that refills in a day lends no more than the whole."""
_DAY_S, _IDENTIFY_EVERY_S, _EDIT_IS_NEW_S, _AGAIN_S = 86400.0, 5.0, 900.0, 30.0
_EDITS, _CHAIN, _NOTICE_S = 1000, 4, 400 * _DAY_S
Deletion = discord.RawMessageDeleteEvent | discord.RawBulkMessageDeleteEvent


class Gateway(discord.AutoShardedClient):
    """One login. `ended` gets the error for which this connection must not go on."""

    def __init__(
        self, intake: Intake, ready: Callable[[], None], shelf: Shelf, options: Options, clock: Callable[[], float]
    ) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True),
            allowed_mentions=discord.AllowedMentions.none(),
            shard_ids=list(options.shards) or None,  # type: ignore[arg-type]  # it takes None: all of them
            shard_count=options.shard_count,
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            guild_ready_timeout=0.2,  # how long on_ready waits for more guilds; messages do not wait for it
            heartbeat_timeout=options.silence_s,
            max_ratelimit_timeout=30.0,
            proxy=proxy_for(Route.BASE),
        )
        self.entrance = Entrance(intake, shelf, clock)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.max_concurrency = 1
        self._interactions = Interactions(intake, shelf, options)
        self._shelf, self._options, self._clock, self._tell_ready = shelf, options, clock, ready
        self._busy: set[asyncio.Task[Any]] = set()
        self._edits: dict[int, float] = {}
        self._is_over = False
        # Private API, as is Client._connection._intents: tests/discord/test_private_apis.py.
        parsers = self._connection.parsers
        parsers.update({name: _tolerant(parse) for name, parse in parsers.items()})

    def drop_content_intent(self) -> None:
        """Connect without the privileged intent; only before the connection begins."""
        self._connection._intents.message_content = False

    async def keep_up(self) -> None:
        """Read back what was missed, until cancelled."""
        while True:
            shard = await self.entrance.due.get()
            try:
                if shard in self.entrance.stale:
                    await self._catch_up(shard)
            except (StoreUnavailable, PlatformUnavailable) as error:
                log.warning("shard %s is not read back yet: %s", shard, error)
                least_s = 0.0 if isinstance(error, StoreUnavailable) else _AGAIN_S
                await asyncio.sleep(max(error.retry_in_s or 1.0, least_s))
                self.entrance.due.put_nowait(shard)

    async def stop(self, patience_s: float) -> None:
        """Take nothing more; what has begun gets this long to end."""
        self._is_over = True
        for limit_s in (patience_s, None):
            if self._busy:
                _, late = await asyncio.wait(self._busy, timeout=limit_s)
                for task in late:
                    task.cancel()

    # ---- what discord.py calls

    async def setup_hook(self) -> None:
        await sync(self, self._shelf, self._options.commands, is_user_install=bool(self._options.people))

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Count the session; wait for its place. Over all processes, and over restarts."""
        shard, wait_s = shard_id or 0, 0.0
        self.entrance.stale.add(shard)
        try:
            wait_s = await self._shelf.take_token("identify", per_s=_IDENTIFIES / _DAY_S, burst=_IDENTIFIES)
            while not wait_s:
                place = f"identify:{shard % self.max_concurrency}"
                turn_in_s = await self._shelf.take_token(place, per_s=1 / _IDENTIFY_EVERY_S, burst=1)
                if not turn_in_s:
                    return
                await asyncio.sleep(turn_in_s)
        except StoreUnavailable:
            await super().before_identify_hook(shard_id, initial=initial)
            return
        if not self.ended.done():
            self.ended.set_exception(too_many_sessions(wait_s))
        await asyncio.Event().wait()  # until the connection is given up

    async def on_ready(self) -> None:
        self._tell_ready()

    async def on_shard_ready(self, shard_id: int) -> None:
        self.entrance.due.put_nowait(shard_id)

    async def on_message(self, message: discord.Message) -> None:
        if not message.author.bot:
            await self._begun(message.channel.id, lambda: self._hear(message))

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        if self._is_new_text(payload.message):
            await self._begun(payload.channel_id, lambda: self._hear(payload.message, is_edit=True))

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self._begun(payload.channel_id, lambda: self._forget({payload.message_id}, payload))

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        await self._begun(payload.channel_id, lambda: self._forget(payload.message_ids, payload))

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        await self._begun(interaction.id, lambda: self._interactions.take(interaction))

    # ---- what becomes of it

    async def _begun(self, order: int, work: Callable[[], Awaitable[None]]) -> None:
        """Work that waits for what came before it in its order. discord.py's tasks nobody awaits: `stop` does."""
        if (task := asyncio.current_task()) and not self._is_over:
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
            async with self.entrance.in_order(order):
                await work()

    async def _hear(self, message: discord.Message, *, is_edit: bool = False) -> None:
        with suppress(BotError), errors_as_ours():
            await self._complete(message)
        bot = self.user.id if self.user else 0
        event = received(message, bot)
        if event is not None and await self._opens_threads(event.conversation):
            event = received(message, bot, opens_threads=True)
        if event is None:
            return
        guild, refusal = guild_of(message), ""
        try:
            if not self._options.serves(guild):
                is_first = event.mentions_bot and await self._shelf.take_once(f"refused:{guild}", expires_s=_NOTICE_S)
                refusal = NotAllowed().notice if is_first else ""
            else:
                if event.is_direct:
                    await self.entrance.remember_direct(event.conversation.channel)
                await self._admit(MessageEdited(message=event) if is_edit else event, guild)
        except NotAllowed as error:
            refusal = error.notice
        except StoreUnavailable as error:
            log.warning("no notice in guild %s: %s", guild, error)
        if refusal:
            with suppress(BotError), errors_as_ours():
                await message.channel.send(refusal, reference=message.to_reference(fail_if_not_exists=False))

    async def _forget(self, ids: set[int], payload: Deletion) -> None:
        guild = payload.guild_id
        if self._options.serves(guild):
            with suppress(BotError), errors_as_ours():
                channel = await self._channel(payload.channel_id, guild)
                threads = await self._opens_threads(conversation_of(channel, guild))
                for event in deleted(sorted(ids), channel, guild, self._clock(), opens_threads=threads):
                    await self._admit(event, guild)

    async def _opens_threads(self, place: Conversation) -> bool:
        """Whether a question there gets a thread of its own; not while the store that knows is away."""
        with suppress(StoreUnavailable):
            return self._options.opens_threads is not None and await self._options.opens_threads(place)
        return False

    async def _admit(self, event: Event, guild: int | None) -> None:
        await self.entrance.admit(event, ((guild or 0) >> 22) % (self.shard_count or 1))

    async def _complete(self, message: discord.Message) -> None:
        """What Discord left out: the thread's parent, what it replies to and, where we are meant, what that replies to.

        Our own messages end the chain: the transcript knows what stood before them.
        """
        if isinstance(message.channel, discord.PartialMessageable) and message.guild:
            message.channel = await self._channel(message.channel.id, message.guild.id)
        last, is_for_us = message, self.user in message.mentions or message.guild is None
        for number in range(_CHAIN):
            link = last.reference
            if link is None or link.message_id is None or link.type is not discord.MessageReferenceType.reply:
                return
            if link.resolved is None and (is_for_us or not number):
                link.resolved = await message.channel.fetch_message(link.message_id)
            if not isinstance(link.resolved, discord.Message) or link.resolved.author == self.user:
                return
            last = link.resolved

    async def _channel(self, channel: int, guild: int | None) -> Any:
        """The channel or thread, from Discord where it is not known: an archived thread for one."""
        known = self.get_guild(guild or 0)
        found = known.get_channel_or_thread(channel) if known else None
        return discord.Object(channel) if guild is None else found or await self.fetch_channel(channel)

    def _is_new_text(self, message: discord.Message) -> bool:
        """Discord tells of previews and pins in the same way: only a text that was changed just now is news."""
        if message.author.bot or message.edited_at is None:
            return False
        at = message.edited_at.timestamp()
        if self._clock() - at > _EDIT_IS_NEW_S or self._edits.get(message.id) == at:
            return False
        if len(self._edits) >= _EDITS:
            self._edits.clear()
        self._edits[message.id] = at
        return True

    async def _catch_up(self, shard: int) -> None:
        """What was said while we were away, through the same way in; the intake knows what it has taken already."""
        mark, now, span_s = await self.entrance.watermark(shard), self._clock(), self._options.catch_up_s
        if mark is not None and span_s:
            since = datetime.fromtimestamp(max(mark, now - span_s), UTC)
            for channel in newer(self, shard, since, await self.entrance.directs() if shard == 0 else ()):
                async with self.entrance.in_order(channel.id):
                    with suppress(ReplyUndeliverable), errors_as_ours():  # that it may not be read stays so
                        async for message in channel.history(limit=MOST, after=since, oldest_first=True):
                            await self._hear(message)
        await self.entrance.caught_up(shard)


def too_many_sessions(wait_s: float) -> PlatformUnavailable:
    """Discord takes back the token of a bot that starts more than 1,000 sessions in 24 hours."""
    minutes = max(1, round(wait_s / 60))
    return PlatformUnavailable(f"the sessions of the day are used up (1,000 in 24 h); the next in {minutes} minutes")


def _tolerant(parse: Callable[[Any], None]) -> Callable[[Any], None]:
    """The same, but an event that it cannot read is logged and dropped: it would end discord.py's connection."""

    def attempt(data: Any) -> None:
        try:
            parse(data)
        except (LookupError, TypeError, ValueError, AttributeError):
            log.warning("dropped an event that cannot be read", exc_info=True)

    return attempt
