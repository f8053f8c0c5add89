"""A fake Discord with the real adapter made against it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import discord
import pytest
from discord.http import Route

from adapters.discord.client import DiscordAdapter
from adapters.discord.options import Options
from bot.pacing import Limits
from bot.ports import Shelf
from handlers.table import SPECS
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Clock
from tests.servers.discord import DiscordServer

LIMITS = Limits(characters=1990, cadence_s=0.01, sign_every_s=8.0, first_characters=1, first_s=0.01)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine is on the way to the fake."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[DiscordServer]:
    async with DiscordServer(clock) as server:
        yield server


@pytest.fixture
def shelf() -> FakeShelf:
    return FakeShelf()


@pytest.fixture
def adapter(server: DiscordServer, shelf: FakeShelf) -> DiscordAdapter:
    return adapter_with(server, shelf, Options())


def adapter_with(server: DiscordServer, shelf: Shelf, options: Options) -> DiscordAdapter:
    """An adapter that lives in the server's time."""
    base, clock, options = server.api_base, server.clock, replace(options, commands=options.commands or SPECS)
    return DiscordAdapter(server.token, shelf, base, call_s=2.0, limits=LIMITS, options=options, clock=clock)


@pytest.fixture
async def client(server: DiscordServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[discord.Client]:
    """A client that is logged in, for tests of what the surface does with it."""
    monkeypatch.setattr(Route, "BASE", server.api_base)
    client = discord.Client(intents=discord.Intents.none())
    await client.login(server.token)
    yield client
    await client.close()
