"""Tests of pacing run in a loop whose time jumps."""

import asyncio
from collections.abc import Callable, Mapping

from tests.fakes import VirtualLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualLoop}
