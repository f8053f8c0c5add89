"""The messages of one reply on Discord: the primitives that `adapters.parts` plans over. Errors leave as ours."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import aiohttp
import discord

from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable, SettingsInvalid
from bot.events import Address, MessageRef
from bot.pacing import Limits
from bot.ports import Button

_UNKNOWN_MESSAGE, _NEVER = 10008, (400, 403, 404, 405, 413)


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn what discord.py and aiohttp raise into PlatformUnavailable (again later) or ReplyUndeliverable (never).

    Where Discord does not let us in at all it becomes SettingsInvalid.
    """
    try:
        yield
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        if isinstance(error, discord.LoginFailure | discord.PrivilegedIntentsRequired):
            raise SettingsInvalid([f"DISCORD_TOKEN: {error}"]) from error
        if isinstance(error, discord.HTTPException) and error.status in _NEVER:
            raise (MessageGone if error.code == _UNKNOWN_MESSAGE else ReplyUndeliverable)(str(error)) from error
        raise PlatformUnavailable(str(error)) from error


class DiscordSurface:
    """An `adapters.parts.Surface` over the channel (or thread) of the address. Buttons wait for Discord's own issue.

    Every part replies to the question: that tells readers whose answer it is where several are written at once, and
    it tells `find` what is ours. Discord takes a nonce for the same message for some minutes only, and does not give it
    back later (discord.py#2451).
    """

    def __init__(self, limits: Limits, client: Callable[[], discord.Client], address: Address, turn: str) -> None:
        """`client` gives the one that is logged in now, or raises PlatformUnavailable."""
        self.limits, self._client, self._turn = limits, client, turn
        self._home, self._asked = int(address.channel), int(address.reply_to)

    @property
    def _channel(self) -> discord.PartialMessageable:
        return self._client().get_partial_messageable(self._home)

    async def budget(self, *, is_final: bool) -> float:
        return 0.0

    async def sign(self) -> None:
        with suppress(BotError), errors_as_ours():
            await self._channel.typing()

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        """Post a part once: a nonce that is known gives the message that is there, which may show an earlier text."""
        try:
            message = await self._send(text, f"{self._turn[:20]}:{part}")
        except MessageGone:  # a nonce whose message was deleted is refused
            message = await self._send(text, secrets.token_hex(12))
        ref = MessageRef(channel=str(self._home), id=str(message.id))
        if message.content != text.strip():
            await self.edit(ref, text, buttons)
        return ref

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        with errors_as_ours():
            await self._channel.get_partial_message(int(ref.id)).edit(content=text)

    async def delete(self, ref: MessageRef) -> None:
        with errors_as_ours():
            await self._channel.get_partial_message(int(ref.id)).delete()

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        """Our replies to the question, in their order. Without the right to read history the nonce alone must do."""
        mine: list[MessageRef] = []
        with suppress(ReplyUndeliverable), errors_as_ours():
            async for post in self._channel.history(after=discord.Object(self._asked), limit=500, oldest_first=True):
                if post.author == self._client().user and post.reference and post.reference.message_id == self._asked:
                    mine.append(MessageRef(channel=str(self._home), id=str(post.id)))
        return list(enumerate(mine))

    async def _send(self, text: str, nonce: str) -> discord.Message:
        asked = discord.MessageReference(message_id=self._asked, channel_id=self._home, fail_if_not_exists=False)
        with errors_as_ours():
            return await self._channel.send(text, nonce=nonce, reference=asked)
