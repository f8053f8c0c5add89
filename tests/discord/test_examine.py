"""What `parley doctor` and `parley init` say of Discord."""

import argparse

import discord
import pytest
from pydantic import SecretStr

from adapters.discord.commands import declared
from adapters.discord.examine import PERMISSIONS, examine
from bot import app
from bot.doctor import Finding
from bot.settings import Settings
from handlers.table import SPECS
from tests.servers.common import Fault
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import SEND


def test_an_invitation_asks_for_what_is_needed_and_no_more() -> None:
    """The number that stands in the invitation is the sum of what docs/discord.md lists."""
    needed = discord.Permissions(
        view_channel=True,
        send_messages=True,
        send_messages_in_threads=True,
        create_public_threads=True,
        attach_files=True,
        read_message_history=True,
    )
    assert needed.value == PERMISSIONS


async def findings(server: DiscordServer, *channels: str) -> list[Finding]:
    settings = Settings(discord_token=SecretStr("discord-token-of-the-tests"), discord_api_base=server.api_base)
    return list(await app.examine(settings, channels))


async def test_it_looks_at_token_intent_and_commands(server: DiscordServer) -> None:
    """A good token gives the invitation; what is off or not declared yet is a warning with its remedy."""
    server.has_content_intent = False
    good, intent, commands = await findings(server)
    assert good.level == "ok"
    assert f"client_id={server.bot.id}&scope=bot+applications.commands&permissions={PERMISSIONS}" in good.sentence
    assert (intent.level, commands.level) == ("warning", "warning")
    assert "Message Content Intent" in intent.remedy
    server.has_content_intent = True
    server.commands = [{"name": command["name"]} for command in declared(SPECS)]
    assert [found.level for found in await findings(server)] == ["ok"]


async def test_it_looks_at_channels_that_are_named(server: DiscordServer) -> None:
    """What the bot may not do there is named; what cannot be seen at all is said."""
    server.world.everyone[server.world.guild] = PERMISSIONS
    closed = server.world.add_channel("closed")
    closed.denied = SEND
    *_, fine, lacking, unknown, odd = await findings(
        server, f"discord:{server.general.id}", f"discord:{closed.id}", "discord:77", "discord:x", "slack:C1"
    )
    assert (fine.level, lacking.level, unknown.level, odd.level) == ("ok", "failure", "failure", "failure")
    assert "#closed" in lacking.sentence
    assert "send messages" in lacking.sentence
    assert "read message history" not in lacking.sentence


@pytest.mark.parametrize(("status", "said"), [(401, "DISCORD_TOKEN"), (503, "503")])
async def test_a_token_that_does_not_work_is_said(server: DiscordServer, status: int, said: str) -> None:
    """Whatever keeps us out is one finding, and nothing is raised."""
    server.faults.append(Fault(match="GET /users/@me", status=status))
    [found] = await examine("wrong", server.api_base, ["77"], SPECS)
    assert found[0] == "failure"
    assert said in found[1] + found[2]


async def test_doctor_takes_channels(server: DiscordServer) -> None:
    """`parley doctor --channel discord:200` names them on the command line."""
    from bot.cli import _parser

    parsed: argparse.Namespace = _parser(["doctor"]).parse_args(["doctor", "--channel", "discord:200"])
    assert parsed.channel == ["discord:200"]
