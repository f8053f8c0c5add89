"""Parley's commands as Discord shows them, and their declaration there, made only when they have changed."""

import asyncio
import hashlib
import json
import logging

import discord

from adapters.discord.errors import errors_as_ours
from bot.errors import BotError
from bot.ports import Shelf

ASK_ABOUT, SUMMARISE = "Ask about this", "Summarise from here"
_TEXT, _FLAG, _FILE = 3, 5, 11
_KEPT_S, _DECLARE_S = 30 * 86400.0, 5.0
Json = dict[str, object]
Option = tuple[str, str, int, bool]
"""Name, help, Discord's number for its type, whether it is required."""

COMMANDS: tuple[tuple[str, str, tuple[Option, ...]], ...] = (
    (
        "ask",
        "Ask a question",
        (
            ("question", "What do you want to know?", _TEXT, True),
            ("attachment", "A picture or a text file that belongs to it", _FILE, False),
            ("private", "Show the answer to me alone", _FLAG, False),
        ),
    ),
    (ASK_ABOUT, "", ()),
    (SUMMARISE, "", ()),
)
"""Name, help and options of each; what has no help stands in the menu of a message."""


def payload(*, is_user_install: bool) -> list[Json]:
    """All commands as Discord's API takes them; for users who install the app only where there are listed ones."""
    places: Json = {"integration_types": [0, 1], "contexts": [0, 1, 2]}
    if not is_user_install:
        places = {"integration_types": [0], "contexts": [0, 1]}
    return [_declared(*command) | places for command in COMMANDS]


async def sync(client: discord.Client, shelf: Shelf, *, is_user_install: bool) -> None:
    """Declare the commands in one request, unless exactly these were declared before. Trouble is logged, no more."""
    commands, app = payload(is_user_install=is_user_install), client.application_id or 0
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


async def are_declared(client: discord.Client) -> bool:
    """Whether Discord knows exactly these commands by name. Raises what discord.py raises."""
    known = await client.http.get_global_commands(client.application_id or 0)
    return {command["name"] for command in known} == {name for name, _, _ in COMMANDS}


def _declared(name: str, help: str, options: tuple[Option, ...]) -> Json:
    if not help:
        return {"name": name, "type": 3}
    asked = [{"name": name, "description": help, "type": kind, "required": must} for name, help, kind, must in options]
    return {"name": name, "type": 1, "description": help, "options": asked}
