"""What every test may use: a real Valkey server, and checks that hold for all tests."""

import asyncio
import inspect
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.embedded import find_server
from bot.store import Store

NEVER_EXPIRING = ("l:", "lanes", "o:", "ring", "r:", "b:", "idx", "live", "lease", "later", "dead", "unsettled")
"""The design's short list of keys of a shard that may live for ever (lanes, open turns, ready index, dead letters)."""
NEVER_EXPIRING_ELSEWHERE = ("parley:{meta}:shards", "parley:{meta}:schema", "parley:{meta}:channels")
NEVER_EXPIRING_OF_A_WORKSPACE = ("channels", "optouts")
"""Settings and personas, and who opted out, which people chose."""


def _only_loopback(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(address := arguments[1], tuple):
        host = str(address[0])
        if not (host.startswith("127.") or host in ("::1", "localhost")):
            raise RuntimeError(f"a test wanted to reach {host}: nothing here reaches beyond loopback")


def pytest_configure() -> None:
    """From the first import on, this process connects to loopback only."""
    sys.addaudithook(_only_loopback)


@pytest.fixture
async def _no_task_left() -> AsyncIterator[None]:
    yield
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
    assert left == [], "tasks that nobody ended"


@pytest.fixture(autouse=True)
def _tidy(request: pytest.FixtureRequest) -> None:
    """An async test leaves no task running."""
    if inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("_no_task_left")


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A real Valkey server for the whole run, on a socket of its own; its URL."""
    with tempfile.TemporaryDirectory(prefix="pv") as folder:
        path = Path(folder) / "s"
        arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder, "--loglevel", "warning"]
        process = subprocess.Popen([find_server(), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
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
    owner, braced, rest = key.partition("}:")
    if owner.startswith("parley:{w:"):
        return rest in NEVER_EXPIRING_OF_A_WORKSPACE
    return bool(braced) and rest.startswith(NEVER_EXPIRING)
