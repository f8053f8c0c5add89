"""Discord as a platform of ours: one login after another, lent to replies, files and looks back."""

import asyncio
import time
from collections.abc import Callable, Sequence

import discord
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from adapters.discord import files
from adapters.discord.desk import Desk
from adapters.discord.direct import reply_at
from adapters.discord.errors import errors_as_ours
from adapters.discord.gateway import Gateway, log, too_many_sessions
from adapters.discord.options import Options
from adapters.discord.texts import FATAL, TEXTS
from adapters.parts import PartsReply
from bot.errors import PlatformUnavailable, SettingsInvalid
from bot.events import Address, Attachment, Conversation, MessageReceived, Person
from bot.pacing import Limits
from bot.ports import Draft, Intake, Shelf

LIMITS = Limits(characters=1990, cadence_s=1.2, sign_every_s=8.0)
"""Discord takes 2,000 characters, which some clients count as UTF-16, and about 5 edits in 5 s for a channel."""
_STOP_S, _CANCEL_S = 1.0, 0.2
_DEFAULTS = Options()


class DiscordAdapter:
    """Discord as a `bot.ports.Adapter`, with `Files` and `Scrollback`. `api_base` is the REST base if not Discord's."""

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
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._token, self._shelf, self._api_base = token, shelf, api_base
        self._options, self._clock = options, clock
        self._desk = Desk(
            client=self._rest, shelf=shelf, limits=limits, call_s=call_s, pings_asker=options.ping_asker, clock=clock
        )
        self._client: discord.Client | None = None

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Connect once. discord.py keeps the connection up; PlatformUnavailable where that has ended.

        Raises SettingsInvalid where Discord will never let us in with these settings.
        """
        await self.close()
        # Private API, as are DEFAULT_GATEWAY and get_bot_gateway: tests/discord/test_private_apis.py.
        Route.BASE = (self._api_base or Route.BASE).rstrip("/")
        client = Gateway(intake, ready, self._shelf, self._options, self._clock)
        self._client = client
        tasks = [asyncio.create_task(work) for work in (self._connect(client), client.keep_up())]
        try:
            await asyncio.wait((*tasks, client.ended), return_when=asyncio.FIRST_COMPLETED)
            for task in (client.ended, *tasks):
                if task.done():
                    task.result()
        finally:
            while not all(task.done() for task in tasks):
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=_CANCEL_S)  # discord.py swallows the first one while it reconnects
            await client.stop(_STOP_S)
        raise PlatformUnavailable("the connection ended")

    async def _connect(self, client: Gateway) -> None:
        with errors_as_ours():
            await client.login(self._token)
            if not files.may_read_content(client):
                log.warning("%s", TEXTS["no_content"])
                client.drop_content_intent()
            shards, gateway, starts = await client.http.get_bot_gateway()
            if starts["remaining"] < len(self._options.shards or range(shards)):
                raise too_many_sessions(starts["reset_after"] / 1000)
            client.max_concurrency = starts["max_concurrency"]
            # Where discord.py goes for a new session, whatever the API named for the first.
            DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)
            try:
                await client.connect()
            except discord.ConnectionClosed as error:
                if error.code in FATAL:
                    raise SettingsInvalid([FATAL[error.code]]) from error
                raise

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        return reply_at(self._desk, address, draft)

    async def read(self, attachment: Attachment, most: int) -> bytes:
        return await files.read(self._rest(), self._shelf, self._options, attachment, most)

    async def since(self, place: Conversation, reader: Person, after: str, most: int) -> Sequence[MessageReceived]:
        return await files.since(self._rest(), place, reader, after, most)

    def link(self, place: Conversation, message: str) -> str:
        return f"https://discord.com/channels/{place.workspace}/{place.thread or place.channel}/{message}"

    def _rest(self) -> discord.Client:
        if self._client is None or self._client.user is None or self._client.is_closed():
            raise PlatformUnavailable("not logged in")
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
