"""What `parley doctor` says of Discord: the token, the intent, the commands, and what the bot may do in a channel."""

from collections.abc import Sequence
from typing import Literal

import discord
from discord.http import Route

from adapters.discord.commands import are_declared
from adapters.discord.errors import errors_as_ours
from adapters.discord.files import Place, may_read_content, rights
from adapters.discord.options import proxy_for
from bot.commands import CommandSpec
from bot.errors import BotError

PERMISSIONS = 309237746688
"""What an invitation asks for, no more: docs/discord.md says what each is for, a test adds them up."""
_NEEDED = discord.Permissions(PERMISSIONS)
_PORTAL = "https://discord.com/developers/applications > your application > Bot"
Found = tuple[Literal["ok", "warning", "failure"], str, str]
"""How bad it is, what was found, and what helps."""


async def examine(token: str, api_base: str, channels: Sequence[str], commands: Sequence[CommandSpec]) -> list[Found]:
    """Every look; `channels` are ids, `commands` what shall be declared. Never raises."""
    Route.BASE = api_base.rstrip("/")
    client, found = discord.Client(intents=discord.Intents.none(), proxy=proxy_for(Route.BASE)), list[Found]()
    try:
        with errors_as_ours():
            await client.login(token)
            invite = discord.utils.oauth_url(client.application_id or 0, permissions=_NEEDED)
            found.append(("ok", f"the token is that of {client.user}; invite it with {invite}", ""))
            if not may_read_content(client):
                off = "only mentions, replies and direct messages are read: the content intent is off"
                found.append(("warning", off, f"Switch it on at {_PORTAL} > Message Content Intent."))
            if not await are_declared(client, commands):
                found.append(("warning", "the slash commands are not declared", "`parley run` does that at its start."))
        found += [await _channel(client, channel) for channel in channels]
    except BotError as error:
        found.append(("failure", str(error), f"Check DISCORD_TOKEN; a new one: {_PORTAL} > Reset Token"))
    finally:
        await client.close()
    return found


async def _channel(client: discord.Client, id: str) -> Found:
    try:
        with errors_as_ours():
            channel = await client.fetch_channel(int(id))
            if not isinstance(channel, Place):
                return "ok", f"channel {id} is a direct one", ""
            may = await rights(client, channel, client.user.id if client.user else 0)
    except (BotError, ValueError) as error:
        return "failure", f"channel {id} cannot be seen: {error}", "Invite the bot, and let it view the channel."
    missing = [name.replace("_", " ") for name, needed in _NEEDED if needed and not getattr(may, name)]
    if missing:
        lacks = f"in #{channel.name} it may not: {', '.join(missing)}"
        return "failure", lacks, "Allow it in Server Settings > Roles, or in the channel's settings."
    return "ok", f"in #{channel.name} it may do all that it needs", ""
