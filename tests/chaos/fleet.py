"""Real processes to be killed, and a real store that can be: started, stopped, continued, ended, waited for."""

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from bot.embedded import find_server
from tests.chaos.process import Options, run


class Member:
    """One process of Parley."""

    def __init__(self, process: ForkServerProcess, sleeps: Connection, options: Options) -> None:
        self.options = options
        self._process = process
        self._sleeps = sleeps

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still lives."""
        if self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, number)

    async def ended(self, *, within_s: float = 20.0) -> int | None:
        """Wait for its end: the exit code, negative after a signal."""
        await _readable(self._process.sentinel, f"{self.options.name} ends", within_s)
        self._process.join()
        return self._process.exitcode

    async def sleeps(self, *, within_s: float = 20.0) -> None:
        """Wait until it has stopped itself."""
        await _readable(self._sleeps.fileno(), f"{self.options.name} sleeps at {self.options.sleep}", within_s)

    def remove(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._sleeps.close()


class Fleet:
    """Starts members by forking a server that has imported everything, so that a start takes milliseconds."""

    def __init__(self) -> None:
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(["tests.chaos.process", "bot.model.client"])
        self.members: list[Member] = []

    def start(self, options: Options) -> Member:
        """A process that runs."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=run, args=(options, theirs), name=options.name)
        process.start()
        theirs.close()
        member = Member(process, ours, options)
        self.members.append(member)
        return member

    def bury(self, member: Member) -> None:
        """This one is done with."""
        self.members.remove(member)
        member.remove()

    def close(self) -> None:
        """End all of them."""
        for member in self.members:
            member.remove()
        self.members.clear()


class StoreServer:
    """A Valkey server that syncs every write to disk before it answers; `kill` and `start` keep its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "s"
        self._process: subprocess.Popen[bytes] | None = None
        self.is_away = False

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    async def start(self) -> None:
        """Start it, and wait until it has read its file and serves."""
        arguments = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._folder)]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"]
        self._process = subprocess.Popen(
            [find_server(), *arguments, *durable], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        client = Redis.from_url(self.url, retry=Retry(ConstantBackoff(0.02), 1000))
        await client.ping()
        await client.aclose()
        self.is_away = False

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        assert self._process is not None
        self.is_away = True
        self._process.kill()
        self._process.wait()
        self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """It hears and says nothing until `thaw`."""
        assert self._process is not None
        self.is_away = True
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on with what came in meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self.is_away = False


@asynccontextmanager
async def store_server() -> AsyncIterator[StoreServer]:
    """A store of one's own, in a folder that ends with it."""
    with tempfile.TemporaryDirectory(prefix="pc") as folder:
        server = StoreServer(Path(folder))
        await server.start()
        try:
            yield server
        finally:
            server.kill()


async def _readable(descriptor: int, reason: str, within_s: float) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        async with asyncio.timeout(within_s):
            await ready.wait()
    except TimeoutError:
        raise AssertionError(f"never happened: {reason}") from None
    finally:
        with contextlib.suppress(ValueError):
            loop.remove_reader(descriptor)
