"""Each use of what slack-sdk does not document, by name: an upgrade that takes one away fails here."""

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.slack import SlackServer


async def test_connect_to_new_endpoint_tells_why_it_fails(server: SlackServer) -> None:
    """`SocketModeClient.connect_to_new_endpoint(force=True)` raises a refusal, where `connect` tries for ever."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id=None)

    web = AsyncWebClient("xapp-wrong", server.api_url, retry_handlers=[])
    handler = AsyncSocketModeHandler(AsyncApp(authorize=authorize), "xapp-wrong", web_client=web)
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await handler.client.connect_to_new_endpoint(force=True)
    await handler.close_async()  # type: ignore[no-untyped-call]
