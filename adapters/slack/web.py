"""Slack's Web API over one HTTP session: its proxy, its responses to commands, and the moment it wants us no more."""

import asyncio
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp import FormData
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from yarl import URL

from adapters.slack.errors import FATES, NOTICES, Fate, errors_as_ours
from bot.errors import PlatformUnavailable, ReplyUndeliverable


def proxy_of(address: str) -> str | None:
    """The proxy for an address by the environment; slack-sdk alone would send NO_PROXY's hosts through it, too."""
    url, proxies = URL(address), getproxies()
    if proxy_bypass(f"{url.host}:{url.port}"):
        return None
    return proxies.get(url.scheme) or None


class SlackWeb(AsyncWebClient):
    """The Web API of one workspace. `refused` is set once Slack says that the token is no longer any good."""

    def __init__(self, token: str, api_url: str) -> None:
        super().__init__(token, api_url, retry_handlers=[])
        self.proxy = proxy_of(self.base_url)
        self.refused = asyncio.Event()
        self.refusal = ""

    def open(self) -> aiohttp.ClientSession:
        """The one session, opened at the first use."""
        self.session = self.session or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30.0))
        return self.session

    async def close(self) -> None:
        """Close the session."""
        if self.session is not None:
            await self.session.close()

    def refuse(self, reason: str) -> None:
        """Nothing works any more until the settings change."""
        self.refusal = self.refusal or reason
        self.refused.set()

    async def api_call(
        self,
        api_method: str,
        *,
        http_verb: str = "POST",
        files: dict[str, object] | None = None,
        data: dict[str, object] | FormData | None = None,
        params: dict[str, object] | None = None,
        json: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: dict[str, str] | None = None,
    ) -> AsyncSlackResponse:
        """Call a method, as slack-sdk does. Raises SlackApiError, which `errors_as_ours` turns into ours."""
        more = {"http_verb": http_verb, "files": files, "data": data, "headers": headers, "auth": auth}
        try:
            return await super().api_call(api_method, params=params, json=json, **more)  # type: ignore[arg-type]
        except SlackApiError as error:
            code = error.response.data.get("error") if isinstance(getattr(error.response, "data", None), dict) else ""
            if FATES.get(code) is Fate.STOP:
                self.refuse(code)
            raise

    async def respond(self, response_url: str, body: Mapping[str, object]) -> None:
        """Answer an interaction by its response_url. Raises PlatformUnavailable or ReplyUndeliverable."""
        with errors_as_ours():
            async with self.open().post(response_url, json=body, proxy=self.proxy) as answer:
                if answer.status >= 429:
                    wait_s = float(answer.headers.get("Retry-After", 2))
                    raise PlatformUnavailable(f"response_url: status {answer.status}", retry_in_s=wait_s)
                if answer.status != 200:
                    raise ReplyUndeliverable("expired_url", notice=NOTICES["expired_url"])
