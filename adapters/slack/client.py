"""The connection to Slack over Socket Mode: admits each event before acknowledging it, and lends itself to replies."""

import asyncio
from collections.abc import Callable

import aiohttp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.parts import PartsReply
from adapters.slack.markup import harmless
from adapters.slack.reply import SlackSurface, errors_as_ours
from adapters.slack.translate import received
from bot.errors import ReplyUndeliverable, SettingsInvalid
from bot.events import Address
from bot.pacing import Limits
from bot.ports import Draft, Intake

LIMITS = Limits(characters=11_000, cadence_s=1.2, sign_every_s=60.0)
"""A Markdown block takes 12,000 characters; chat.update about 50 calls a minute."""


class SlackAdapter:
    """Slack as a `bot.ports.Adapter`. `api_url` is the Web API's base where it is not Slack's own."""

    platform = "slack"

    def __init__(
        self, bot_token: str, app_token: str, api_url: str | None = None, call_s: float = 5.0, limits: Limits = LIMITS
    ) -> None:
        self._web = AsyncWebClient(bot_token, api_url or AsyncWebClient.BASE_URL, retry_handlers=[])
        self._app_token, self._call_s, self._limits = app_token, call_s, limits

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Connect once. slack-sdk keeps the connection up; PlatformUnavailable where it cannot be made.

        Raises SettingsInvalid where Slack refuses a token.
        """
        self._web.session = self._web.session or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30.0))
        socket, in_order = SocketModeClient(self._app_token, web_client=self._web), asyncio.Lock()

        async def on_request(_: object, request: SocketModeRequest) -> None:
            if (event := received(request.payload, bot)) is not None:
                async with in_order:
                    await intake(event)
            # Not reached where the event cannot be read or was not admitted: then Slack delivers it again.
            await socket.send_socket_mode_response({"envelope_id": request.envelope_id})

        socket.socket_mode_request_listeners.append(on_request)
        try:
            with errors_as_ours():
                bot = (await self._web.auth_test())["user_id"]
                async with asyncio.timeout(30.0):
                    await socket.connect_to_new_endpoint(force=True)
                ready()
                await asyncio.Event().wait()
        except ReplyUndeliverable as error:
            raise SettingsInvalid([f"SLACK_BOT_TOKEN or SLACK_APP_TOKEN: Slack says {error}"]) from error
        finally:
            await socket.close()  # type: ignore[no-untyped-call]

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        surface = SlackSurface(self._limits, self._web, address, draft.turn)
        return PartsReply(surface, draft, call_s=self._call_s, markup=harmless)

    async def close(self) -> None:
        if self._web.session is not None:
            await self._web.session.close()
