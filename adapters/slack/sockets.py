"""How Slack reaches us: some sockets that we open and watch, or signed requests over HTTP. The same app for both."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from adapters.slack.errors import errors_as_ours
from adapters.slack.options import Options
from adapters.slack.web import SlackWeb
from bot.errors import BotError, PlatformUnavailable

log = logging.getLogger(__name__)
PATH = "/slack/events"
_OPEN_S = 8.0
"""Less than slack-sdk waits before it tries an address again, which is good for one connection only."""
_CLOSE_S = 5.0


class Sockets:
    """Keeps several sockets open; one that stays silent is replaced by a new one, for a closed one is never reused.

    Slack sends each event to one of an app's sockets, whichever (docs.slack.dev/apis/events-api/using-socket-mode).
    """

    def __init__(self, app: AsyncApp, web: SlackWeb, options: Options) -> None:
        self._app, self._web, self._options = app, web, options
        self._seen: dict[AsyncSocketModeHandler, float] = {}

    async def run(self, ready: Callable[[], None]) -> None:
        """Until cancelled. Raises PlatformUnavailable or ReplyUndeliverable where the first cannot be opened."""
        try:
            await self._open()
            ready()
            while True:
                pause_s = self._options.silent_s / 9
                try:
                    await self._mend()
                except BotError as error:
                    log.warning("Slack gives no socket now: %s", error)
                    pause_s = max(self._options.silent_s / 3, error.retry_in_s or 0.0)
                await asyncio.sleep(pause_s)
        finally:
            for handler in [*self._seen]:
                await self._close(handler)

    async def _mend(self) -> None:
        now = asyncio.get_running_loop().time()
        for handler, seen in [*self._seen.items()]:
            if await handler.client.is_connected():
                self._seen[handler] = now
            elif now - seen > self._options.silent_s:
                log.warning("a socket of Slack's has been silent for %.0f s; opening another", now - seen)
                await self._close(handler)
        while len(self._seen) < self._options.sockets:
            await self._open()

    async def _open(self) -> None:
        handler = AsyncSocketModeHandler(self._app, self._options.app_token, web_client=self._web)
        handler.client.proxy = self._web.proxy
        try:
            with errors_as_ours():
                async with asyncio.timeout(_OPEN_S):
                    await handler.client.connect_to_new_endpoint(force=True)
            self._seen[handler] = asyncio.get_running_loop().time()
        finally:
            if handler not in self._seen:
                await self._close(handler)

    async def _close(self, handler: AsyncSocketModeHandler) -> None:
        self._seen.pop(handler, None)
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(_CLOSE_S):
                await handler.close_async()  # type: ignore[no-untyped-call]  # slack-bolt leaves it untyped


@asynccontextmanager
async def serving(app: AsyncApp, options: Options) -> AsyncIterator[int]:
    """Take Slack's signed requests at `/slack/events`; the port. Raises PlatformUnavailable where it is taken.

    The signature is checked before anything is parsed; bolt then checks it as well. What was not admitted is answered
    with a status other than 200, and so delivered again.
    """
    verifier = SignatureVerifier(options.signing_secret)

    async def on_request(request: web.Request) -> web.Response:
        at, signature = (request.headers.get(f"X-Slack-{name}", "") for name in ("Request-Timestamp", "Signature"))
        is_readable = at.isdecimal() and signature.isascii()
        if not is_readable or not verifier.is_valid(await request.read(), at, signature):
            return web.Response(status=401)
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    served = web.Application()
    served.router.add_post(PATH, on_request)
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=_CLOSE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, options.http_host, options.http_port).start()
        except OSError as error:
            raise PlatformUnavailable(f"cannot listen on {options.http_host}:{options.http_port}: {error}") from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
