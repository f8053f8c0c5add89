"""The reply to an interaction: its original response, which needs no rights, and behind it ordinary messages."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import discord

from adapters.discord.buttons import view_of
from adapters.discord.desk import Desk
from adapters.discord.errors import DeadToken, MissingAccess, errors_as_ours
from adapters.discord.reply import DiscordSurface, as_file
from adapters.discord.tables import with_tables
from adapters.discord.uses import TOKEN_S
from adapters.parts import PartsReply
from bot.errors import MessageGone, PlatformUnavailable, ReplyUndeliverable
from bot.events import Address, MessageRef
from bot.pacing import Limits
from bot.ports import Button, Draft

MARGIN_S = 60.0
"""An interaction's token is not used in its last minute: at 14 minutes the answer goes on in the channel."""
ACKNOWLEDGED_S = 4.0
"""A command is acknowledged once it is admitted: so an answer may be there a moment before its response is."""


class _Original(int):
    """The name that Discord gives to the original response; discord.py knows ids only, and would escape a text."""

    def __str__(self) -> str:
        return "@original"


_ORIGINAL = _Original()


def reply_at(desk: Desk, address: Address, draft: Draft) -> PartsReply:
    """The reply at this address; a Stop button stands under it while it grows."""
    kind = OriginalSurface if address.token else DiscordSurface
    stop = Button(action="stop", label="Stop", turn=draft.turn)
    surface = kind(desk, address, draft.turn)
    return PartsReply(surface, draft, call_s=desk.call_s, markup=with_tables, running=(stop,))


class OriginalSurface:
    """An `adapters.parts.Surface` whose part 0 is the original response: there is one, so writing it is always an edit.

    A private answer lives there alone, for Discord has no way to find follow-ups again; so does one in a place where
    we may not write. What else belongs to a public answer, or comes when the token is dead, are ordinary messages.
    """

    def __init__(self, desk: Desk, address: Address, turn: str) -> None:
        self._desk, self._address = desk, address
        self._beside = DiscordSurface(desk, replace(address, reply_to="", thread=""), turn, tells=False)
        self._ordinary: set[str] = set()
        self._is_alone = address.is_private

    @property
    def limits(self) -> Limits:
        return self._desk.limits

    @property
    def messages(self) -> int:
        return 1 if self._is_alone else self._beside.messages

    async def sign(self) -> None:
        """Discord itself shows that we think, until the response has its text."""

    async def budget(self, *, is_final: bool) -> float:
        return 0.0 if self._beside.is_new else await self._beside.budget(is_final=is_final)

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        if part == 0:
            try:
                shown = await self._write(_ORIGINAL, text, buttons, [])
                self._beside.follow(int(shown.id))
                return shown
            except (DeadToken, MessageGone) as error:
                if self._desk.clock() < self._address.expires_at - TOKEN_S + ACKNOWLEDGED_S:
                    raise PlatformUnavailable("not acknowledged yet", retry_in_s=0.3) from error
                self._only_if_public(error)
        try:
            ref = await self._beside.create(part, text, buttons)
        except MissingAccess as error:
            if part == 0:
                raise
            self._is_alone = True
            raise PlatformUnavailable("all of it must stand in the response") from error
        self._ordinary.add(ref.id)
        return ref

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        if not await self._written(ref, text, buttons, []):
            await self._beside.edit(ref, text, buttons)

    async def attach(self, ref: MessageRef, text: str, buttons: Sequence[Button], file: str) -> None:
        if not await self._written(ref, text, buttons, [as_file(file)]):
            await self._beside.attach(ref, text, buttons, file)

    async def delete(self, ref: MessageRef) -> None:
        try:
            if ref.id not in self._ordinary:
                with errors_as_ours(with_token=True):
                    await self._webhook().delete_message(int(ref.id))
                return
        except (DeadToken, MessageGone) as error:
            self._only_if_public(error)
        await self._beside.delete(ref)

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        """The original response while its token lives, and what is ours in the channel."""
        found: list[MessageRef] = []
        with suppress(ReplyUndeliverable):
            with errors_as_ours(with_token=True):
                original = await self._webhook().fetch_message(_ORIGINAL)
            found.append(MessageRef(channel=str(original.channel.id), id=str(original.id)))
            self._beside.follow(original.id)
        if not self._address.is_private:
            found += [ref for _, ref in await self._beside.find() if ref not in found]
        return list(enumerate(found))

    async def _written(
        self, ref: MessageRef, text: str, buttons: Sequence[Button], files: Sequence[discord.File]
    ) -> bool:
        """Whether it was written with the token; a message that is not the interaction's is written without."""
        if ref.id in self._ordinary:
            return False
        try:
            await self._write(int(ref.id), text, buttons, files)
        except (DeadToken, MessageGone) as error:
            self._only_if_public(error)
            self._ordinary.add(ref.id)
            return False
        return True

    async def _write(
        self, message: int, text: str, buttons: Sequence[Button], files: Sequence[discord.File]
    ) -> MessageRef:
        view = view_of(buttons, is_private=self._address.is_private)
        with errors_as_ours(with_token=True):
            shown = await self._webhook().edit_message(
                message, content=text, view=view, attachments=files, allowed_mentions=self._beside.mentions
            )
        return MessageRef(channel=str(shown.channel.id), id=str(shown.id))

    def _webhook(self) -> discord.Webhook:
        client = self._desk.client()
        if self._desk.clock() > self._address.expires_at - MARGIN_S or client.application_id is None:
            raise DeadToken("the interaction is too old")
        return discord.Webhook.partial(client.application_id, self._address.token, client=client)

    def _only_if_public(self, error: ReplyUndeliverable) -> None:
        """A private answer never goes where others see it."""
        if self._address.is_private:
            raise error
