"""All HTTP to model servers: an openai client per provider over one aiohttp session, each wait within its bound.

Importing openai takes about half a second, so chain.py imports this module at first use, in a thread. The SDK does
addresses, keys, headers, proxies and status errors; the events of a stream are read here, from its bytes: the SDK's
objects for them, and its walk through the messages of a request, cost several times as much as all else together.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import aiohttp
import httpx2
import openai

from bot.model.faults import Fault, Patience, malformed, refusal
from bot.model.providers import Provider
from bot.model.wire import Exchange
from bot.ports import StreamEvent, TextDelta

log = logging.getLogger(__name__)

CONNECT_S = 5.0
"""How long one address may take to connect; every other wait is bounded here, by `Patience`, and not by the SDK."""
LINGER_S = 1.0
"""How long a whole answer waits for its usage and for the end of the stream, which frees the connection."""
KEPT_ALIVE_S = 30.0
"""How long an idle connection is kept. With the SDK's 5 s most questions of a quiet channel would open a new one."""
NO_USAGE = "stream_options refused"
"""The reason of the fault that a server without `stream_options` gives; from then on it is asked without."""
# Beside the SDK's own errors: its aiohttp transport lets some of aiohttp's through, and a body is read without the SDK.
_ERRORS = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, aiohttp.ClientError, OSError, ValueError, Fault)


class Client:
    """The connections to all providers. Raises Fault and nothing else."""

    def __init__(self, providers: Sequence[Provider], patience: Patience) -> None:
        self._patience = patience
        self._without_usage: set[str] = set()
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        timeout = httpx2.Timeout(None, connect=CONNECT_S)
        limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=KEPT_ALIVE_S)
        self._session = openai.DefaultAioHttpClient(timeout=timeout, limits=limits)
        for provider in providers:
            key = provider.key or "none"  # the SDK refuses to start without; servers that need no key ignore it
            self._clients[provider.name] = client = openai.AsyncOpenAI(
                api_key=key, base_url=provider.base_url, max_retries=0, timeout=timeout, http_client=self._session
            )
            if not provider.is_openai:
                client.organization = client.project = None  # from OPENAI_ORG_ID and _PROJECT_ID: not others' business

    async def models(self, provider: Provider) -> dict[str, str]:
        """The ids that the provider lists, each with its shutdown date as the server writes it (often empty)."""
        try:
            async with asyncio.timeout(self._patience.first_token_s):
                response = await self._clients[provider.name].get("/models", cast_to=httpx2.Response)
            return {str(row["id"]): str(row.get("shutdown_date") or "") for row in response.json()["data"]}
        except (*_ERRORS, TypeError, AttributeError, LookupError) as err:
            raise _fault(err) from None

    async def stream(self, exchange: Exchange) -> AsyncGenerator[StreamEvent, None]:
        """Ask, and yield text as it comes, then calls and usage. Only events count as a sign of life, not comments."""
        clock, limit_s = asyncio.get_running_loop().time, self._patience.first_token_s
        due = clock() + limit_s
        unsent = {"stream_options"} if exchange.provider.name in self._without_usage else set()
        body = {key: value for key, value in exchange.body.items() if value is not None and key not in unsent}
        try:
            async with asyncio.timeout_at(due):
                client = self._clients[exchange.provider.name]
                response = await client.post(exchange.path, cast_to=httpx2.Response, body=body, stream=True)
            async with aclosing(response), aclosing(response.aiter_bytes()) as chunks:
                while True:
                    async with asyncio.timeout_at(due):
                        chunk = await anext(chunks, b"")
                    if not chunk:
                        break
                    for text in exchange.feed(chunk):
                        if text:
                            limit_s = self._patience.idle_s
                            yield TextDelta(text)
                        due = clock() + (limit_s if exchange.reason is None else LINGER_S)
        except _ERRORS as err:
            if exchange.reason is None:
                fault = _fault(err)
                if fault.reason == NO_USAGE:
                    self._without_usage.add(exchange.provider.name)
                raise fault from None
        if exchange.reason is None:
            raise Fault("again", "the stream ended before the answer")
        for call in exchange.calls:
            yield call
        if exchange.usage is not None:
            yield exchange.usage

    async def close(self) -> None:
        """Close the session."""
        await self._session.aclose()


def _fault(err: BaseException) -> Fault:
    """What an error of a connection, of a status or of a setting means here."""
    match err:
        case Fault():
            return err
        case TimeoutError():
            return Fault("later", "no sign of life in time")
        case openai.APIStatusError():
            return _refused(err)
        case UnicodeError() | httpx2.InvalidURL():
            return Fault("never", f"unusable setting ({type(err).__name__})", "check {url} and {key}")
        case ValueError() | TypeError() | AttributeError() | LookupError():
            return malformed(type(err).__name__)
        case _:
            while err.__cause__ is not None:
                err = err.__cause__
            return Fault("again", f"no connection ({type(err).__name__})", "check {url}")


def _refused(err: openai.APIStatusError) -> Fault:
    # The text of a 401 or 403 may quote the key.
    log.debug("HTTP %d: %.500s", err.status_code, "" if err.status_code in (401, 403) else err.message)
    if err.status_code in (400, 422) and "stream_options" in err.message:
        return Fault("again", NO_USAGE, retry_after_s=0.0)
    code = err.code if err.code and not err.code.isdigit() else err.type
    asked = err.response.headers.get("retry-after", "")
    asked_s = float(asked) if re.fullmatch(r"\d{1,5}(\.\d+)?", asked) else None  # a date is rare: then our own pause
    return refusal(err.status_code, code or "", err.param or "", asked_s)
