"""Slack's Web API over one HTTP session: its proxy, its responses to commands, and the moment it wants us no more."""

import asyncio
from collections.abc import Callable, Mapping
from urllib.request import getproxies, proxy_bypass

import aiohttp
from slack_sdk.http_retry.async_handler import AsyncRetryHandler, HttpResponse
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


class _Watch(AsyncRetryHandler):
    """Tries nothing again: it sees every answer, and tells when Slack wants our token no more."""

    def __init__(self, refuse: Callable[[str], None]) -> None:
        super().__init__()
        self._refuse = refuse

    async def can_retry_async(self, *, response: HttpResponse | None = None, **_: object) -> bool:
        body = None if response is None else response.body
        if isinstance(body, dict) and FATES.get(code := str(body.get("error"))) is Fate.STOP:
            self._refuse(code)
        return False


class SlackWeb(AsyncWebClient):
    """The Web API of one workspace. `refused` is set once Slack says that the token is no longer any good."""

    def __init__(self, token: str, api_url: str) -> None:
        super().__init__(token, api_url, retry_handlers=[_Watch(self.refuse)])
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

    async def call(self, method: str, body: Mapping[str, object], *, within_s: float) -> AsyncSlackResponse:
        """Have Slack do something, within a time. Raises PlatformUnavailable or ReplyUndeliverable."""
        with errors_as_ours():
            async with asyncio.timeout(within_s):
                return await self.api_call(method, json=dict(body))

    async def ask(self, method: str, about: Mapping[str, object], *, within_s: float) -> AsyncSlackResponse:
        """Have Slack tell something: such methods take no JSON. Raises as `call` does."""
        with errors_as_ours():
            async with asyncio.timeout(within_s):
                return await self.api_call(method, http_verb="GET", params=dict(about))

    async def respond(self, response_url: str, body: Mapping[str, object]) -> None:
        """Answer an interaction by its response_url. Raises PlatformUnavailable or ReplyUndeliverable."""
        with errors_as_ours():
            async with self.open().post(response_url, json=body, proxy=self.proxy) as answer:
                if answer.status >= 429:
                    wait_s = float(answer.headers.get("Retry-After", 2))
                    raise PlatformUnavailable(f"response_url: status {answer.status}", retry_in_s=wait_s)
                if answer.status != 200:
                    raise ReplyUndeliverable("expired_url", notice=NOTICES["expired_url"])
