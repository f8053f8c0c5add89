"""Parley's commands as Discord shows them, and their declaration there, made only when they have changed."""

import hashlib
import json
import logging
from dataclasses import dataclass

import discord

from adapters.discord.errors import errors_as_ours
from bot.errors import BotError
from bot.ports import Shelf

ASK_ABOUT, SUMMARISE = "Ask about this", "Summarise from here"
_TEXT, _FLAG, _FILE = 3, 5, 11
_KEPT_S = 30 * 86400.0
Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """`kind` is Discord's number of an option's type."""

    name: str
    help: str
    kind: int = _TEXT
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command with its options; without `help` it stands in the menu of a message."""

    name: str
    help: str = ""
    options: tuple[Option, ...] = ()


COMMANDS = (
    Command(
        name="ask",
        help="Ask a question",
        options=(
            Option(name="question", help="What do you want to know?", is_required=True),
            Option(name="attachment", help="A picture or a text file that belongs to it", kind=_FILE),
            Option(name="private", help="Show the answer to me alone", kind=_FLAG),
        ),
    ),
    Command(name=ASK_ABOUT),
    Command(name=SUMMARISE),
)


def payload(*, is_user_install: bool) -> list[Json]:
    """All commands as Discord's API takes them; for users who install the app only where there are listed ones."""
    places: Json = {
        "integration_types": [0, 1] if is_user_install else [0],
        "contexts": [0, 1, 2] if is_user_install else [0, 1],
    }
    return [_declared(command) | places for command in COMMANDS]


async def sync(client: discord.Client, shelf: Shelf, *, is_user_install: bool) -> None:
    """Declare the commands in one request, unless exactly these were declared before. Trouble is logged, no more."""
    commands, app = payload(is_user_install=is_user_install), client.application_id or 0
    digest = hashlib.sha256(json.dumps([app, commands]).encode()).hexdigest()
    try:
        if await shelf.get("commands") == digest:
            return
        with errors_as_ours():
            # Private API: tests/discord/test_private_apis.py. discord.py's tree makes commands of functions only.
            await client.http.bulk_upsert_global_commands(app, commands)
        await shelf.put("commands", digest, expires_s=_KEPT_S)
    except BotError as error:
        logging.getLogger(__name__).warning("the slash commands could not be declared: %s", error)


async def are_declared(client: discord.Client) -> bool:
    """Whether Discord knows exactly these commands by name. Raises what discord.py raises."""
    known = await client.http.get_global_commands(client.application_id or 0)
    return {command["name"] for command in known} == {command.name for command in COMMANDS}


def _declared(command: Command) -> Json:
    if not command.help:
        return {"name": command.name, "type": 3}
    options = [
        {"name": option.name, "description": option.help, "type": option.kind, "required": option.is_required}
        for option in command.options
    ]
    return {"name": command.name, "type": 1, "description": command.help, "options": options}
