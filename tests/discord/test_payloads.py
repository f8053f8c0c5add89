"""Payloads in the shapes of Discord's documentation, and what each becomes. A bug of a parser adds one.

Each file of tests/payloads/discord has the gateway event's name and data, and the events that must come of it.
"""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from adapters.discord.options import Options
from tests.discord.conftest import adapter_with
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Json
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import User
from tests.servers.harness import Heard, running

FOLDER = Path(__file__).parents[1] / "payloads" / "discord"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def recorded(name: str) -> Json:
    told: Json = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return told


@pytest.mark.parametrize("name", NAMES)
async def test_each_payload_becomes_its_events(server: DiscordServer, shelf: FakeShelf, name: str) -> None:
    """Over the wire, through discord.py, into the intake: the whole event, or none."""
    server.world.bot = User(id="1400000000000000900", name="Parley", is_bot=True)
    told, guild, heard = recorded(name), recorded("guild"), Heard()
    last = recorded("direct")["payload"] | {"id": "1"}
    async with running(adapter_with(server, shelf, Options(people=frozenset({"1400000000000000300"}))), heard):
        for event, data in (("GUILD_CREATE", guild["payload"]), (told["event"], told["payload"])):
            server.dispatch(event, data)
        server.dispatch("MESSAGE_CREATE", last)
        await heard.until(lambda: len(heard.events) > len(told["expected"]), "the event, and one after it")
        await server.until(lambda: all(used.kind for used in server.interactions.values()), "every acknowledgement")
    events = [json.loads(json.dumps(asdict(event))) for event in heard.events]
    assert [event for event in events if event.get("id") != "1"] == told["expected"]
