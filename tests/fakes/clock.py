"""An event loop whose time jumps to the next timer as soon as nothing else is left to do."""

import asyncio
import selectors
from collections.abc import Mapping
from selectors import SelectorKey
from typing import Any


class _Jump(selectors.SelectSelector):
    """Never waits: what would have been waited is added to `now`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen: the test waits for ever")
        self.now += max(0.0, timeout)
        return ready

    def get_map(self) -> Mapping[Any, SelectorKey]:
        return super().get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """For tests of pacing: seconds pass at once and exactly. Not for tests that speak over a socket or use a thread."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now
