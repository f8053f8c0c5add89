"""The connection to Slack over Socket Mode: admits each event before acknowledging it, and lends itself to replies."""

import asyncio
import re
from collections.abc import Callable

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from adapters.parts import PartsReply
from adapters.slack.errors import errors_as_ours
from adapters.slack.markup import harmless
from adapters.slack.reply import SlackSurface
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
        in_order = asyncio.Lock()

        async def authorize() -> AuthorizeResult:  # of our own: Bolt's acknowledges events that it could not authorise
            return AuthorizeResult.from_auth_test_response(auth_test_response=auth)

        # Slack is told "received" behind the listener, so only what was admitted; all else is delivered again.
        app = AsyncApp(authorize=authorize, process_before_response=True)
        handler = AsyncSocketModeHandler(app, self._app_token, web_client=self._web)

        @app.event(re.compile(""))
        async def on_event(body: dict[str, object]) -> None:
            async with in_order:
                if (event := received(body, auth["user_id"])) is not None:
                    await intake(event)

        try:
            with errors_as_ours():
                auth = await self._web.auth_test()
                async with asyncio.timeout(30.0):
                    await handler.client.connect_to_new_endpoint(force=True)
                ready()
                await asyncio.Event().wait()
        except ReplyUndeliverable as error:
            raise SettingsInvalid([f"SLACK_BOT_TOKEN or SLACK_APP_TOKEN: Slack says {error}"]) from error
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]  # slack-bolt leaves it untyped

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        surface = SlackSurface(self._limits, self._web, address, draft.turn)
        return PartsReply(surface, draft, call_s=self._call_s, markup=harmless)

    async def close(self) -> None:
        if self._web.session is not None:
            await self._web.session.close()
