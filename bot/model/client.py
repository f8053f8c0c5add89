"""All HTTP to model servers: an openai client per provider over one aiohttp session, each wait within its bound.

Importing openai takes about half a second, so chain.py imports this module at first use, in a thread. The SDK does
addresses, keys, headers, proxies and status errors; the events of a stream are read here, from its bytes: the SDK's
objects for them, and its walk through the messages of a request, cost several times as much as all else together.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import aiohttp
import httpx2
import openai

from bot.model.faults import Fault, Patience, refusal
from bot.model.providers import Provider
from bot.model.wire import Exchange
from bot.ports import StreamEvent, TextDelta

log = logging.getLogger(__name__)

LINGER_S = 1.0
"""How long a whole answer waits for its usage and for the end of the stream, which frees the connection."""
# Beside the SDK's own errors: its aiohttp transport lets some of aiohttp's through, and a body is read without the SDK.
_ERRORS = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, aiohttp.ClientError, OSError, ValueError, Fault)


class Client:
    """The connections to all providers. Raises Fault and nothing else."""

    def __init__(self, providers: Sequence[Provider], patience: Patience) -> None:
        self._patience = patience
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        # For an address to connect; every other wait is bounded here, by `Patience`, and not by the SDK.
        timeout = httpx2.Timeout(None, connect=5.0)
        # With the SDK's expiry of 5 s most questions of a quiet channel would open a new connection.
        limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30.0)
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

    async def embed(self, provider: Provider, model: str, texts: Sequence[str]) -> list[list[float]]:
        """A vector for each text. Source: https://platform.openai.com/docs/api-reference/embeddings."""
        body = {"model": model, "input": list(texts), "encoding_format": "float"}
        try:
            async with asyncio.timeout(self._patience.first_token_s):
                response = await self._clients[provider.name].post("/embeddings", cast_to=httpx2.Response, body=body)
            rows = sorted(response.json()["data"], key=lambda row: int(row["index"]))
            vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except (*_ERRORS, TypeError, AttributeError, LookupError) as err:
            raise _fault(err) from None
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1:
            raise Fault("again", "malformed answer (vectors do not fit the texts)")
        return vectors

    async def stream(self, provider: Provider, exchange: Exchange) -> AsyncGenerator[StreamEvent, None]:
        """Ask, and yield text as it comes, then calls and usage. Only events count as a sign of life, not comments."""
        clock, limit_s = asyncio.get_running_loop().time, self._patience.first_token_s
        due = clock() + limit_s
        body = {key: value for key, value in exchange.body.items() if value is not None}
        try:
            async with asyncio.timeout_at(due):
                client = self._clients[provider.name]
                response = await client.post(exchange.path, cast_to=httpx2.Response, body=body, stream=True)
            async with aclosing(response), aclosing(response.aiter_bytes()) as chunks:
                while True:
                    async with asyncio.timeout_at(due):
                        chunk = await anext(chunks, b"")
                    if not chunk:  # the proper end, too: as any error it matters only where the answer is not whole
                        raise Fault("again", "the stream ended before the answer")
                    for text in exchange.feed(chunk):
                        if text:
                            limit_s = self._patience.idle_s
                            yield TextDelta(text)
                        due = clock() + (limit_s if exchange.reason is None else LINGER_S)
        except _ERRORS as err:
            if exchange.reason is None:
                raise _fault(err) from None
        last: list[StreamEvent] = [*exchange.calls, *exchange.usage]
        for event in last:
            yield event

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
            # The text of a 401 or 403 may quote the key.
            log.debug("HTTP %d: %.500s", err.status_code, "" if err.status_code in (401, 403) else err.message)
            code = err.code if err.code and not err.code.isdigit() else err.type
            return refusal(err.status_code, code or "", err.param or "", err.response.headers.get("retry-after", ""))
        case UnicodeError() | httpx2.InvalidURL():
            return Fault("never", f"unusable setting ({type(err).__name__})", "check {url} and {key}")
        case ValueError() | TypeError() | AttributeError() | LookupError():
            return Fault("again", f"malformed answer ({type(err).__name__})")
        case _:
            return Fault("again", f"no connection ({type(err.__cause__ or err).__name__})", "check {url}")
