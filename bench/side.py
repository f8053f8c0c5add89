"""One side in a process of its own, so that its CPU and its memory are its own; told what to do line by line.

`python -m bench.side bare|whole STORE MODEL` reads lists of JSON and answers each with a line; `Side` is its other end.
The event loop is the real process's, on both sides.
"""

import asyncio
import json
import logging
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

import uvloop

from bench.talk import Block, Cost


class Side:
    """A side's process, until `with` ends. It logs to a file beside the store, as a service would."""

    def __init__(self, name: Literal["bare", "whole"], store_url: str, model_url: str, folder: Path) -> None:
        self._log = folder / f"{name}.log"
        command = [sys.executable, "-m", "bench.side", name, store_url, model_url]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def turns(self, block: Block) -> Cost:
        """Run a block there."""
        return Cost(**self.asked("turns", block.turns, block.lanes, block.stored))

    def asked(self, *words: str | int) -> Any:
        """One line there, one line back."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):
            print(json.dumps(words), file=self._process.stdin, flush=True)
        if line := self._process.stdout.readline():
            return json.loads(line)
        raise SystemExit(f"{self._log.name} of a side that ended:\n{self._log.read_text()[-2000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate()


def resident_mb(pid: int | str = "self", field: str = "VmRSS") -> float:
    """Memory of a process as Linux tells it: `VmRSS` now, `VmHWM` at its highest."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


async def _serve(name: str, store_url: str, model_url: str) -> None:
    # Here, because each side must load only what it runs.
    async with AsyncExitStack() as stack:
        if name == "bare":
            from bench.bare import Bare

            side: Any = Bare(model_url)
        else:
            from bench.whole import Whole

            side = await stack.enter_async_context(Whole.opened(store_url, model_url))
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await _answered(side, json.loads(line))), flush=True)


async def _answered(side: Any, words: list[str | int]) -> object:
    match words:
        case ["turns", int(turns), int(lanes), int(stored)]:
            return asdict(await side.turns(Block(turns=turns, lanes=lanes, stored=stored)))
        case ["waits"]:
            return await side.waits()
        case ["appends", int(count), int(lanes), str(fsync)]:
            return await side.appends(count, lanes, fsync)
        case ["raw_appends", int(count)]:
            return await side.raw_appends(count)
        case ["rss"]:
            return resident_mb()
        case _:
            raise ValueError(words)


if __name__ == "__main__":
    # As `parley run` logs by default: a line a turn.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger("bot").setLevel("INFO")
    uvloop.run(_serve(*sys.argv[1:4]))
