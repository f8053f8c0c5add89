"""The messages of one reply in a channel or thread of Discord: the primitives that `adapters.parts` plans over."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NoReturn

import discord

from adapters.discord.buttons import view_of
from adapters.discord.desk import Desk
from adapters.discord.errors import BadReference, MissingAccess, ThreadArchived, ThreadExists, TooOld, errors_as_ours
from adapters.discord.markup import control_of
from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable
from bot.events import Address, MessageRef
from bot.pacing import Limits
from bot.ports import Button

MESSAGES, _ANY = 5, 1000
"""What is longer than so many messages is attached as a file."""
OLD_S = 3600.0
"""From this age on Discord counts the edits of a message (its error 30046)."""
_READ, _SINCE_S = 500, 960.0
"""A look back reads so many messages; from the question on or, of an interaction, a minute before its token began."""
_NO_THREAD = "-# I could not open a thread for this, so I answer here."
_PATIENCE_S = 30.0
"""A thread that Discord lets us open only later than this is not waited for."""


class DiscordSurface:
    """An `adapters.parts.Surface` over the channel (or thread) of the address.

    Every part replies to the question: that tells readers whose answer it is where several are written at once, and
    it tells `find` what is ours, as do the custom ids of its buttons. Discord takes a nonce for the same message for
    some minutes only, and does not give it back later (discord.py#2451).
    """

    def __init__(self, desk: Desk, address: Address, turn: str, *, tells: bool = True) -> None:
        """`tells`: whoever asked is told directly where we may not write."""
        self._desk, self._address, self._turn = desk, address, turn
        self._told = address.recipient if tells else ""
        self._home = int(address.channel)
        self._asked = int(address.reply_to or 0)
        self._refers = bool(self._asked)
        # A thread that is still to be opened: its id is known, for it is that of the question.
        self._thread = int(address.thread or 0) if address.thread != address.channel else 0
        self._made = 0
        self.is_new = True

    @property
    def limits(self) -> Limits:
        return self._desk.limits

    @property
    def messages(self) -> int:
        """Where we are known not to be allowed to attach files there are as many messages as it takes."""
        may = self._desk.permissions(self._home)
        return MESSAGES if may is None or may.attach_files else _ANY

    def follow(self, message: int) -> None:
        """From now on the parts reply to this message."""
        self._asked, self._refers = message, True

    async def sign(self) -> None:
        with suppress(BotError), errors_as_ours():
            self._desk.check(self._home)
            await self._channel.typing()

    async def budget(self, *, is_final: bool) -> float:
        """A first post is a sign of life, and as urgent as a final text."""
        if self.is_new:
            return await self._desk.budget("post", self._home, is_urgent=True)
        if not is_final:
            return await self._desk.growth(self._home, self._turn)
        self._desk.grown(self._home, self._turn)
        return await self._desk.budget("edit", self._home, is_urgent=True)

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        """Post a part once: a nonce that is known gives the message that is there, which may show an earlier text."""
        self.is_new = False
        await self._open_thread()
        message = await self._posted(part, text, buttons)
        ref = MessageRef(channel=str(self._home), id=str(message.id))
        if message.content != text.strip() or _controls(message) != _controls(view_of(buttons)):
            await self.edit(ref, text, buttons)
        return ref

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        await self._change(ref, text, buttons, "")

    async def attach(self, ref: MessageRef, text: str, buttons: Sequence[Button], file: str) -> None:
        await self._change(ref, text, buttons, file)

    async def delete(self, ref: MessageRef) -> None:
        with errors_as_ours():
            await self._message(ref).delete()

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        """What is ours behind the question, in its order. Without the right to read it the nonce alone must do."""
        mine = [MessageRef(channel=str(post.channel.id), id=str(post.id)) async for post in self._written()]
        return list(enumerate(mine))

    @property
    def mentions(self) -> discord.AllowedMentions:
        """Whoever the model names hears nothing of it; at most the asker does."""
        pings, asker = self._desk.pings_asker, self._address.recipient
        users = [discord.Object(int(asker))] if pings and asker else False
        return discord.AllowedMentions(everyone=False, roles=False, users=users, replied_user=pings)

    @property
    def _channel(self) -> discord.PartialMessageable:
        return self._desk.client().get_partial_messageable(self._home)

    def _message(self, ref: MessageRef) -> discord.PartialMessage:
        channel = self._desk.client().get_partial_messageable(int(ref.channel))
        return channel.get_partial_message(int(ref.id))

    async def _posted(self, part: int, text: str, buttons: Sequence[Button]) -> discord.Message:
        """Post it, putting away what stands in the way."""
        for _ in range(4):
            try:
                return await self._post(f"{self._turn[:18]}:{part}:{self._made}", text, buttons)
            except BadReference:
                self._refers = False
            except ThreadArchived:
                await self._unarchive()
            except MessageGone:  # a nonce whose message was deleted is refused, and so may be a reference
                self._refers = self._refers and not self._made
                self._made += 1
        raise PlatformUnavailable("the post was refused again and again")

    async def _post(self, nonce: str, text: str, buttons: Sequence[Button]) -> discord.Message:
        may = self._desk.permissions(self._home)
        is_reply = self._refers and self._home == int(self._address.channel)
        try:
            self._desk.check(self._home)
            with errors_as_ours():
                channel, view = self._channel, view_of(buttons)
                if not is_reply or (may and not may.read_message_history):
                    return await channel.send(text, nonce=nonce, view=view, allowed_mentions=self.mentions)
                asked = discord.MessageReference(
                    message_id=self._asked, channel_id=self._home, fail_if_not_exists=False
                )
                return await channel.send(text, nonce=nonce, view=view, allowed_mentions=self.mentions, reference=asked)
        except MissingAccess:
            await self._desk.refused(self._home, self._told)
            raise

    async def _change(self, ref: MessageRef, text: str, buttons: Sequence[Button], file: str) -> None:
        self.is_new, self._home = False, int(ref.channel)
        if self._desk.clock() - discord.utils.snowflake_time(int(ref.id)).timestamp() > OLD_S:
            await self._make_way(ref)
        for is_again in (False, True):
            try:
                with errors_as_ours():
                    view, files = view_of(buttons), [as_file(file)] if file else []
                    await self._message(ref).edit(
                        content=text, view=view, attachments=files, allowed_mentions=self.mentions
                    )
                return
            except TooOld:
                await self._make_way(ref)
            except ThreadArchived:
                if is_again:
                    raise
                await self._unarchive()
            except MissingAccess:
                await self._desk.refused(self._home, self._told)
                raise

    async def _make_way(self, ref: MessageRef) -> NoReturn:
        """An old message gives its place to a new one, which readers find where they are."""
        with suppress(MessageGone):
            await self.delete(ref)
        raise MessageGone(f"{ref.id} is too old to be edited")

    async def _written(self) -> AsyncIterator[discord.Message]:
        client = self._desk.client()
        for place in dict.fromkeys((self._thread or self._home, int(self._address.channel))):
            with suppress(ReplyUndeliverable), errors_as_ours():
                after, channel = discord.Object(self._since), client.get_partial_messageable(place)
                async for post in channel.history(after=after, limit=_READ, oldest_first=True):
                    if post.author == client.user and self._is_mine(post):
                        yield post

    @property
    def _since(self) -> int:
        """Nothing of this reply is older. A thread's first messages may carry ids that are lower than its own."""
        if self._address.reply_to:
            return int(self._address.reply_to)
        return discord.utils.time_snowflake(datetime.fromtimestamp(self._address.expires_at - _SINCE_S, UTC))

    def _is_mine(self, post: discord.Message) -> bool:
        """Buttons name their turn. Without them it is a reply to the question or, in its own thread, to nothing."""
        turns = {control.turn for id in _controls(post) if (control := control_of(id))}
        if turns:
            return self._turn in turns
        if post.reference is None:
            return post.channel.id == self._thread
        return post.reference.message_id == self._asked

    # ---- threads

    async def _open_thread(self) -> None:
        """Open the question's thread and go there. Where that cannot be, the channel is told, and answered in."""
        if not self._thread or self._home == self._thread:
            return
        try:
            with suppress(ThreadExists), errors_as_ours():
                client = self._desk.client()
                channel = client.get_channel(self._home) or await client.fetch_channel(self._home)
                if not isinstance(channel, discord.TextChannel):
                    raise ReplyUndeliverable("no channel for threads")
                await channel.get_partial_message(self._asked).create_thread(name=thread_name(self._address.quote))
            self._home = self._thread
        except (ReplyUndeliverable, PlatformUnavailable) as error:
            if isinstance(error, PlatformUnavailable) and (error.retry_in_s or 0.0) < _PATIENCE_S:
                raise
            self._thread = 0
            if await self._desk.first(f"unopened:{self._home}"):
                refers, self._refers = self._refers, False  # so that nobody takes it for a part of the answer
                with suppress(BotError):
                    await self._post(f"{self._turn[:18]}:no", _NO_THREAD, ())
                self._refers = refers

    async def _unarchive(self) -> None:
        try:
            with errors_as_ours():
                thread = await self._desk.client().fetch_channel(self._home)
                if isinstance(thread, discord.Thread):
                    await thread.edit(archived=False)
        except MissingAccess as error:
            await self._desk.refused(self._home, self._told)
            raise ThreadArchived(str(error)) from error


def as_file(text: str) -> discord.File:
    """The whole answer as a file."""
    return discord.File(io.BytesIO(text.encode()), "answer.md")


def thread_name(quote: str) -> str:
    """A thread's name from the beginning of its question: one line, 100 characters at most."""
    words = discord.utils.remove_markdown(" ".join(quote.split())).strip()
    return words if 0 < len(words) <= 80 else f"{words[:80].rsplit(' ', 1)[0]} \u2026" if words else "Question"


def _controls(shown: discord.Message | discord.ui.View) -> list[str]:
    """The custom ids of the buttons, in order."""
    if isinstance(shown, discord.ui.View):
        return [item.custom_id or "" for item in shown.children if isinstance(item, discord.ui.Button)]
    rows = [row for row in shown.components if isinstance(row, discord.ActionRow)]
    return [item.custom_id or "" for row in rows for item in row.children if isinstance(item, discord.Button)]
