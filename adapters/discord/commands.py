"""The declaration of our commands at Discord, made only when they have changed."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence

import discord

from adapters.discord.errors import errors_as_ours
from adapters.discord.texts import MENU
from bot.commands import CommandSpec, OptionSpec
from bot.errors import BotError
from bot.ports import Shelf

_KEPT_S, _DECLARE_S = 30 * 86400.0, 5.0
_TYPES = {"text": 3, "number": 10, "switch": 5, "file": 11}
_LONGEST = 6000
Json = dict[str, object]


def declared(specs: Sequence[CommandSpec]) -> list[Json]:
    """All commands as Discord's API takes them: those of the table, and the entries of a message's menu."""
    return [*(_slash(spec) for spec in specs), *MENU]


def _slash(spec: CommandSpec) -> Json:
    options = [_option(option) for option in spec.options]
    return {"name": spec.name, "type": 1, "description": spec.help, "options": options}


def _option(option: OptionSpec) -> Json:
    plain: Json = {"name": option.name, "type": _TYPES[option.type], "description": option.help}
    plain["required"] = option.is_required
    if option.choices:
        plain["choices"] = [{"name": choice, "value": choice} for choice in option.choices]
    elif option.type == "text":
        plain |= {"autocomplete": option.completes, "max_length": min(option.most, _LONGEST)}
    return plain


async def sync(client: discord.Client, shelf: Shelf, specs: Sequence[CommandSpec], *, is_user_install: bool) -> None:
    """Declare the commands in one request, unless exactly these were declared before. Trouble is logged, no more.

    Users may install the app only where there are listed ones.
    """
    kinds, contexts = ([0, 1], [0, 1, 2]) if is_user_install else ([0], [0, 1])
    commands = [command | {"integration_types": kinds, "contexts": contexts} for command in declared(specs)]
    app = client.application_id or 0
    digest = hashlib.sha256(json.dumps([app, commands]).encode()).hexdigest()
    try:
        with errors_as_ours():
            async with asyncio.timeout(_DECLARE_S):
                if await shelf.get("commands") != digest:
                    # Private API: tests/discord/test_private_apis.py. Its tree makes commands of functions only.
                    await client.http.bulk_upsert_global_commands(app, commands)
                    await shelf.put("commands", digest, expires_s=_KEPT_S)
    except BotError as error:
        logging.getLogger(__name__).warning("the slash commands could not be declared: %s", error)


async def are_declared(client: discord.Client, specs: Sequence[CommandSpec]) -> bool:
    """Whether Discord knows exactly these commands by name. Raises what discord.py raises."""
    known = await client.http.get_global_commands(client.application_id or 0)
    return {command["name"] for command in known} == {command["name"] for command in declared(specs)}
