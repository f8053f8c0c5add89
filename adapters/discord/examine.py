"""What `parley doctor` says of Discord: the token, the intent, the commands, and what the bot may do in a channel."""

from collections.abc import AsyncIterator, Sequence
from typing import Literal
from urllib.request import getproxies

import discord
from discord.http import Route

from adapters.discord.commands import are_declared
from adapters.discord.errors import errors_as_ours
from adapters.discord.files import Place, rights
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
    client, found = discord.Client(intents=discord.Intents.none(), proxy=getproxies().get("https")), list[Found]()
    try:
        with errors_as_ours():
            await client.login(token)
            found += [seen async for seen in _application(client, commands)]
        for channel in channels:
            found.append(await _channel(client, channel))
    except BotError as error:
        found.append(("failure", str(error), f"Check DISCORD_TOKEN; a new one: {_PORTAL} > Reset Token"))
    finally:
        await client.close()
    return found


async def _application(client: discord.Client, commands: Sequence[CommandSpec]) -> AsyncIterator[Found]:
    invite = discord.utils.oauth_url(client.application_id or 0, permissions=_NEEDED)
    yield "ok", f"the token is that of {client.user}; invite it with {invite}", ""
    flags = client.application.flags if client.application else discord.ApplicationFlags()
    if not (flags.gateway_message_content or flags.gateway_message_content_limited):
        remedy = f"Switch it on at {_PORTAL} > Message Content Intent."
        yield "warning", "only mentions, replies and direct messages are read: the content intent is off", remedy
    if not await are_declared(client, commands):
        yield "warning", "the slash commands are not declared", "`parley run` declares them as it starts."


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
