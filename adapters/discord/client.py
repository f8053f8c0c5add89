"""The connection to Discord: hears what is written, puts it into the intake in order, and lends itself to replies."""

import asyncio
from collections.abc import Callable

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from adapters.discord.reply import DiscordSurface
from adapters.discord.translate import received
from adapters.edge import NETWORK_ERRORS, admit_in_order, keep_connected, tolerant
from adapters.parts import PartsReply
from bot.errors import PlatformUnavailable, SettingsInvalid
from bot.events import Address, Event
from bot.pacing import Limits
from bot.ports import Draft, Intake

LIMITS = Limits(characters=1990, cadence_s=1.2, sign_every_s=8.0)
"""Discord takes 2,000 characters, which some clients count as UTF-16, and about 5 edits in 5 s for a channel."""
_TRANSIENT = (discord.HTTPException, discord.GatewayNotFound, discord.ConnectionClosed, *NETWORK_ERRORS)


class DiscordAdapter:
    """Discord as a `bot.ports.Adapter`. `api_base` is the REST base where it is not Discord's own."""

    platform = "discord"

    def __init__(self, token: str, api_base: str | None = None, call_s: float = 5.0, limits: Limits = LIMITS) -> None:
        self._token, self._api_base, self._call_s, self._limits = token, api_base, call_s, limits
        self._client: discord.Client | None = None

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Raises SettingsInvalid where Discord refuses the token or the intents; all else is tried again."""
        events: asyncio.Queue[Event] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            admitting = group.create_task(admit_in_order(events, intake))
            try:
                await keep_connected(self.platform, lambda: self._connect(events, ready), _TRANSIENT)
            except (discord.LoginFailure, discord.PrivilegedIntentsRequired) as error:
                refusal = SettingsInvalid([f"DISCORD_TOKEN: {error}"])
            admitting.cancel()
        raise refusal

    async def _connect(self, events: asyncio.Queue[Event], ready: Callable[[], None]) -> None:
        if self._api_base is not None:
            Route.BASE = self._api_base.rstrip("/")
        client = discord.AutoShardedClient(
            intents=discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True),
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.2,  # how long on_ready waits for more guilds; messages do not wait for it
            max_messages=None,
        )

        @client.event
        async def on_ready() -> None:
            ready()

        @client.event
        async def on_message(message: discord.Message) -> None:
            if client.user is not None and (event := received(message, client.user.id)) is not None:
                events.put_nowait(event)

        # Private API, as are Route.BASE, DEFAULT_GATEWAY and get_bot_gateway: tests/discord/test_private_apis.py.
        parsers = client._connection.parsers
        parsers.update({name: tolerant(parse) for name, parse in parsers.items()})
        await self.close()
        self._client = client
        await client.login(self._token)
        if self._api_base is not None:
            DiscordWebSocket.DEFAULT_GATEWAY = URL((await client.http.get_bot_gateway())[1])
        await client.connect()

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        return PartsReply(DiscordSurface(self._limits, self._rest, address, draft.turn), draft, call_s=self._call_s)

    def _rest(self) -> discord.Client:
        if self._client is None or self._client.user is None or self._client.is_closed():
            raise PlatformUnavailable("not logged in")
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
