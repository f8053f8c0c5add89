"""A fake Slack with the real adapter made against it."""

from collections.abc import AsyncIterator

import pytest

from adapters.slack.client import SlackAdapter
from bot.pacing import Limits
from tests.servers.common import Clock
from tests.servers.slack import SlackServer

LIMITS = Limits(characters=11_000, cadence_s=0.01, sign_every_s=60.0, first_characters=1, first_s=0.01)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[SlackServer]:
    async with SlackServer(clock) as server:
        yield server


@pytest.fixture
def adapter(server: SlackServer) -> SlackAdapter:
    return SlackAdapter(server.bot_token, server.app_token, server.api_url, call_s=2.0, limits=LIMITS)
