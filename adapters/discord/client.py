"""The connection to Discord: hears what is written, puts it into the intake in order, and lends itself to replies."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from adapters.discord.options import Options
from adapters.discord.reply import DiscordSurface, errors_as_ours
from adapters.discord.translate import received
from adapters.parts import PartsReply
from bot.errors import PlatformUnavailable, StoreUnavailable
from bot.events import Address
from bot.pacing import Limits
from bot.ports import Draft, Intake, Shelf

LIMITS = Limits(characters=1990, cadence_s=1.2, sign_every_s=8.0)
"""Discord takes 2,000 characters, which some clients count as UTF-16, and about 5 edits in 5 s for a channel."""
_DEFAULTS = Options()


class DiscordAdapter:
    """Discord as a `bot.ports.Adapter`. `api_base` is the REST base where it is not Discord's own."""

    platform = "discord"

    def __init__(
        self,
        token: str,
        shelf: Shelf,
        api_base: str | None = None,
        *,
        call_s: float = 5.0,
        limits: Limits = LIMITS,
        options: Options = _DEFAULTS,
    ) -> None:
        self._token, self._shelf, self._api_base, self._options = token, shelf, api_base, options
        self._call_s, self._limits = call_s, limits
        self._client: discord.Client | None = None
        self._in_order = asyncio.Lock()

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Connect once. discord.py keeps the connection up; PlatformUnavailable where that has ended.

        Raises SettingsInvalid where Discord refuses the token or the intents.
        """
        client = discord.AutoShardedClient(
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True),
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.2,  # how long on_ready waits for more guilds; messages do not wait for it
        )

        @client.event
        async def on_ready() -> None:
            ready()

        @client.event
        async def on_message(message: discord.Message) -> None:
            event = received(message, client.user.id) if client.user else None
            # discord.py begins these in the order of the messages; what comes later waits for what came first.
            async with self._in_order:
                while event is not None:
                    try:
                        await intake(event)
                        break
                    except StoreUnavailable as error:
                        await asyncio.sleep(error.retry_in_s or 1.0)

        # Private API, as are Route.BASE, DEFAULT_GATEWAY and get_bot_gateway: tests/discord/test_private_apis.py.
        parsers = client._connection.parsers
        parsers.update({name: _tolerant(parse) for name, parse in parsers.items()})
        await self.close()
        self._client = client
        with errors_as_ours():
            Route.BASE = (self._api_base or Route.BASE).rstrip("/")
            await client.login(self._token)
            # Where discord.py goes for a new session, whatever the API named for the first.
            DiscordWebSocket.DEFAULT_GATEWAY = URL((await client.http.get_bot_gateway())[1])
            await client.connect()
        raise PlatformUnavailable("the connection ended")

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        return PartsReply(DiscordSurface(self._limits, self._rest, address, draft.turn), draft, call_s=self._call_s)

    def _rest(self) -> discord.Client:
        if self._client is None or self._client.user is None or self._client.is_closed():
            raise PlatformUnavailable("not logged in")
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


def _tolerant(parse: Callable[[Any], None]) -> Callable[[Any], None]:
    """The same, but an event that it cannot read is logged and dropped: it would end discord.py's connection."""

    def attempt(data: Any) -> None:
        try:
            parse(data)
        except (LookupError, TypeError, ValueError, AttributeError):
            logging.getLogger(__name__).warning("dropped an event that cannot be read", exc_info=True)

    return attempt
