"""A fake Slack with the real adapter made against it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.slack.client import SlackAdapter
from adapters.slack.options import Options
from adapters.slack.web import SlackWeb
from adapters.slack.workspace import Workspace
from bot.pacing import Limits
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Clock
from tests.servers.slack import SlackServer

LIMITS = Limits(characters=11_000, cadence_s=0.01, sign_every_s=60.0, first_characters=1, first_s=0.01)


def options_of(server: SlackServer, **chosen: Any) -> Options:
    """The options of an adapter that knows this server's tokens."""
    told = {"bot_token": server.bot_token, "app_token": server.app_token, "api_url": server.api_url}
    return Options(**(told | chosen))


def adapter_of(server: SlackServer, shelf: FakeShelf | None = None, **chosen: Any) -> SlackAdapter:
    return SlackAdapter(options_of(server, **chosen), shelf or FakeShelf(), call_s=2.0, limits=LIMITS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shelf() -> FakeShelf:
    return FakeShelf()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[SlackServer]:
    async with SlackServer(clock) as server:
        yield server


@pytest.fixture
def adapter(server: SlackServer) -> SlackAdapter:
    return adapter_of(server)


@pytest.fixture
async def workspace(server: SlackServer) -> AsyncIterator[Workspace]:
    """The adapter's, without an adapter."""
    workspace = Workspace(SlackWeb(server.bot_token, server.api_url), FakeShelf())
    workspace.team, workspace.bot = "T0TEAM", server.bot.id
    workspace.web.open()
    yield workspace
    await workspace.web.close()
