"""One process's way to Redis or Valkey: scripts called as one batch per round trip, a blocking read, a subscription.

It knows keys only as far as the prefix of a shard; what the scripts mean is told in `inbox`, `history` and `limits`.
"""

import asyncio
import binascii
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from bot.errors import StoreUnavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
Value = str | int | float | bytes
SCHEMA = 1


class Store:
    """A client of one Redis or Valkey. All methods raise StoreUnavailable, and nothing else, when it cannot serve.

    Replies are what RESP2 gives, as text, numbers and lists of them; who calls knows which.
    """

    def __init__(self, url: str, *, shards: int = 16, timeout_s: float = 5.0) -> None:
        self.shards = shards
        self.trips = 0
        """Round trips so far, for the benchmark."""
        self._timeout_s = timeout_s
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=8,
            timeout=None,
            # Ours are in `_mapped` and `_execute`: with one of its own it uses wait_for, which on Python 3.11 may
            # swallow a cancellation, and the task that was cancelled goes on for ever.
            socket_timeout=None,
            socket_connect_timeout=5.0,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            decode_responses=True,
            encoding_errors="replace",
            health_check_interval=30,
        )
        self._client = Redis.from_pool(pool)
        self._queue: list[tuple[str, Sequence[Value], asyncio.Future[Any]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._down_since = 0.0

    # ---- where things lie

    def shard(self, channel_key: str) -> str:
        """The key prefix of a channel's shard. A channel's threads and private conversations share it.

        Each platform has shards of its own, so that a worker takes turns only where it can reply; the braces are
        Cluster's hash tag.
        """
        platform, number = channel_key.partition(":")[0], binascii.crc_hqx(channel_key.encode(), 0) % self.shards
        return f"parley:{{{platform}:{number}}}:"

    def prefixes(self, platform: str) -> list[str]:
        """The key prefixes of all shards of a platform."""
        return [f"parley:{{{platform}:{number}}}:" for number in range(self.shards)]

    @staticmethod
    def workspace(workspace_key: str) -> str:
        """The key prefix of what belongs to a workspace."""
        return f"parley:{{w:{workspace_key}}}:"

    # ---- life

    async def open(self) -> None:
        """Check that the store answers and fits; takes over the number of shards that was recorded at first start."""
        shards, schema = await self.call("open", "parley:{meta}:", self.shards, SCHEMA)
        if int(schema) > SCHEMA:
            raise StoreUnavailable(f"the store has schema {int(schema)}, this Parley knows {SCHEMA}: use a newer one")
        if int(shards) != self.shards:
            log.warning("this store was started with %s shards; PARLEY_SHARDS=%d is ignored", shards, self.shards)
            self.shards = int(shards)

    async def close(self) -> None:
        """Close the connections, after the last call."""
        if self._sender is not None:
            await asyncio.gather(self._sender, return_exceptions=True)
        await self._client.aclose()

    # ---- calls

    async def call(self, script: str, prefix: str, *args: Value) -> Any:
        """Run `bot/lua/<script>.lua` on a prefix. Calls made while a round trip is under way share the next one."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((script, (prefix, *args), future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await future

    async def surely(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat an idempotent call until the store has served it: what a turn has won is not lost to an outage."""
        pause_s = 0.05
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(2.0, pause_s * 2)

    async def _send(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                replies = await self._execute(batch)
            except (RedisError, OSError, TimeoutError, UnicodeError) as error:
                self._note_down(error)
                replies = [error] * len(batch)
            for (_, _, future), reply in zip(batch, replies, strict=True):
                if future.done():
                    continue
                if isinstance(reply, Exception):
                    future.set_exception(StoreUnavailable(f"{type(reply).__name__}: {reply}"))
                else:
                    future.set_result(reply)

    async def _execute(self, batch: Sequence[tuple[str, Sequence[Value], asyncio.Future[Any]]]) -> list[Any]:
        """One round trip: of each call its reply or its error."""
        self.trips += 1
        pipe = self._client.pipeline(transaction=False)
        for script, args, _ in batch:
            pipe.evalsha(_source(script)[0], 1, *args)
        async with asyncio.timeout(self._timeout_s):
            replies = await pipe.execute(raise_on_error=False)
            for index, (script, args, _) in enumerate(batch):
                # A server that was restarted knows no scripts. Only these again: a claim that ran must not run twice.
                if isinstance(replies[index], NoScriptError):
                    replies[index] = await self._client.eval(_source(script)[1], 1, *args)
        if failed := [reply for reply in replies if isinstance(reply, Exception)]:
            self._note_down(failed[0])
        else:
            self._note_up()
        return replies

    async def wait(self, lists: Sequence[str], timeout_s: float) -> str | None:
        """Wait until one of these lists has an element and take it: the list's name, or None after the timeout."""
        # The bound ends a read whose server has silently gone.
        async with self._mapped(timeout_s + self._timeout_s):
            reply: list[str] | None = await _command(self._client, "BLPOP", *lists, timeout_s)
        return reply[0] if reply else None

    async def listen(self, channel: str) -> AsyncIterator[str]:
        """The messages published on a channel, and an empty one after each (re-)subscription: read then, too."""
        pause_s = 0.05
        while True:
            try:
                async with self._client.pubsub() as pubsub:
                    await pubsub.subscribe(channel)
                    async for message in pubsub.listen():
                        pause_s = 0.05
                        yield message["data"] if message["type"] == "message" else ""
            except (RedisError, OSError) as error:
                self._note_down(error)
                await asyncio.sleep(pause_s)
                pause_s = min(2.0, pause_s * 2)

    async def command(self, *words: Value) -> Any:
        """One plain command, for rare work (export, erase, doctor)."""
        async with self._mapped():
            return await _command(self._client, *words)

    async def scan(self, pattern: str) -> AsyncIterator[str]:
        """The names of all keys that match; each may come more than once."""
        cursor = "0"
        while True:
            cursor, names = await self.command("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            for name in names:
                yield name
            if int(cursor) == 0:
                return

    @contextlib.asynccontextmanager
    async def _mapped(self, within_s: float = 0.0) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(within_s or self._timeout_s):
                yield
        except (RedisError, OSError, TimeoutError) as error:
            self._note_down(error)
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    def _note_down(self, error: Exception) -> None:
        if not self._down_since:
            self._down_since = time.monotonic()
            how = "cannot be reached" if isinstance(error, RedisConnectionError | OSError | TimeoutError) else "refuses"
            log.error("the store %s (%s: %s); trying again until it serves", how, type(error).__name__, error)

    def _note_up(self) -> None:
        if self._down_since:
            log.warning("the store serves again after %.1f s", time.monotonic() - self._down_since)
            self._down_since = 0.0


@cache
def _source(script: str) -> tuple[str, str]:
    """A script's hash, by which the server knows it, and its text."""
    folder = resources.files("bot") / "lua"
    source = (folder / "common.lua").read_text() + "\n" + (folder / f"{script}.lua").read_text()
    return hashlib.sha1(source.encode()).hexdigest(), source


async def _command(client: Redis, *words: Value) -> Any:
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
