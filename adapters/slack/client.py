"""The connection to Slack over Socket Mode: admits each event before acknowledging it, and lends itself to replies."""

import asyncio
import re
from collections.abc import Callable

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.edge import keep_connected
from adapters.parts import PartsReply
from adapters.slack.markup import harmless
from adapters.slack.reply import SlackSurface, errors_as_ours
from adapters.slack.translate import received
from bot.errors import PlatformUnavailable, ReplyUndeliverable, SettingsInvalid
from bot.events import Address
from bot.pacing import Limits
from bot.ports import Draft, Intake

LIMITS = Limits(characters=11_000, cadence_s=1.2, sign_every_s=60.0)
"""A Markdown block takes 12,000 characters; chat.update about 50 calls a minute."""
_TIMEOUT = aiohttp.ClientTimeout(total=30.0)


class SlackAdapter:
    """Slack as a `bot.ports.Adapter`. `api_url` is the Web API's base where it is not Slack's own."""

    platform = "slack"

    def __init__(
        self, bot_token: str, app_token: str, api_url: str | None = None, call_s: float = 5.0, limits: Limits = LIMITS
    ) -> None:
        self._web = AsyncWebClient(bot_token, api_url or AsyncWebClient.BASE_URL, retry_handlers=[])
        self._app_web = AsyncWebClient(app_token, self._web.base_url, retry_handlers=[])
        self._call_s, self._limits = call_s, limits

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Raises SettingsInvalid where Slack refuses a token; everything else is tried again."""
        self._web.session = self._app_web.session = self._web.session or aiohttp.ClientSession(timeout=_TIMEOUT)
        try:
            await keep_connected(self.platform, lambda: self._connect(intake, ready), (PlatformUnavailable,))
        except ReplyUndeliverable as error:
            raise SettingsInvalid([f"SLACK_BOT_TOKEN or SLACK_APP_TOKEN: Slack says {error}"]) from error

    async def _connect(self, intake: Intake, ready: Callable[[], None]) -> None:
        with errors_as_ours():
            app = self._app(intake, await self._web.auth_test())
            handler = AsyncSocketModeHandler(app, self._app_web.token, web_client=self._app_web)
            try:
                async with asyncio.timeout(30.0):
                    await handler.client.connect_to_new_endpoint(force=True)
                ready()
                await asyncio.Event().wait()
            finally:
                await handler.close_async()  # type: ignore[no-untyped-call]

    def _app(self, intake: Intake, auth: AsyncSlackResponse) -> AsyncApp:
        """Bolt, so set up that it acknowledges only what was admitted: an own authorisation cannot fail an event."""

        async def authorize() -> AuthorizeResult:
            return AuthorizeResult.from_auth_test_response(auth_test_response=auth)

        app, in_order = AsyncApp(authorize=authorize, process_before_response=True), asyncio.Lock()

        @app.event(re.compile(""))
        async def on_event(body: dict[str, object]) -> None:
            async with in_order:
                if (event := received(body, auth["user_id"])) is not None:
                    await intake(event)

        return app

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        surface = SlackSurface(self._limits, self._web, address, draft.turn)
        return PartsReply(surface, draft, call_s=self._call_s, markup=harmless)

    async def close(self) -> None:
        if self._web.session is not None:
            await self._web.session.close()
