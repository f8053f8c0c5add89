"""The table of commands on Discord: declared within its limits, understood, completed as one types."""

from collections.abc import Sequence

import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.commands import declared
from adapters.discord.options import Options
from bot.commands import CommandSpec
from bot.events import CommandInvoked, Conversation
from handlers.table import SPECS
from tests.discord.conftest import adapter_with
from tests.discord.test_interactions import DEFER, MODAL, SHOW, answered
from tests.fakes.shelf import FakeShelf
from tests.servers.discord import DiscordServer
from tests.servers.harness import Heard, running

AUTOCOMPLETE_RESULT = 8


def test_the_declaration_is_within_discords_limits() -> None:
    """100 commands, 25 options and choices, names of 32 and texts of 100 characters, 8,000 characters a command."""
    commands = declared(SPECS)
    assert len(commands) <= 100
    for command in commands:
        texts: list[str] = [str(command["name"]), str(command.get("description", ""))]
        options = command.get("options", [])
        assert isinstance(options, list)
        assert len(options) <= 25
        required = [option["required"] for option in options]
        assert required == sorted(required, reverse=True)
        for option in options:
            texts += [option["name"], option["description"]]
            choices = option.get("choices", [])
            texts += [text for choice in choices for text in (choice["name"], choice["value"])]
            assert len(option["name"]) <= 32
            assert len(choices) <= 25
            assert not (choices and option.get("autocomplete"))
        assert all(len(text) <= 100 for text in texts)
        assert sum(map(len, texts)) <= 8000


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.name != "ask"], ids=lambda spec: spec.name)
async def test_every_command_is_an_event_and_deferred(
    server: DiscordServer, adapter: DiscordAdapter, spec: CommandSpec
) -> None:
    """Its answer is for its user alone unless the table or the user says otherwise."""
    options: dict[str, str | bool] = {
        option.name: True if option.type == "switch" else (*option.choices, "5")[0]
        for option in spec.options
        if option.is_required or option.choices
    }
    heard = Heard()
    async with running(adapter, heard):
        used = await answered(server, server.command(server.general, spec.name, options))
        [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.name, dict(event.options)) == (spec.name, options)
    assert (used.kind, used.is_private) == (DEFER, spec.is_private)
    assert bool(event.conversation.person) == event.address.is_private == spec.is_private


async def test_a_summary_can_be_for_everybody(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """The switch `public` shows the answer to the channel, and makes it no private conversation."""
    heard = Heard()
    async with running(adapter, heard):
        used = await answered(server, server.command(server.general, "summarise", {"from": "2h", "public": True}))
        [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert event.options == (("from", "2h"), ("public", "on"))
    assert (event.conversation.person, event.address.is_private, used.is_private) == ("", False, False)


async def test_long_options_are_asked_for_in_a_dialog(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A persona's prompt has several lines: a modal asks for it, and what was given before comes with it."""
    heard = Heard()
    async with running(adapter, heard):
        opened = await answered(server, server.command(server.general, "persona", {"do": "create", "name": "pirate"}))
        assert opened.kind == MODAL
        assert heard.events == []
        sent = await answered(server, server.submit(opened, "You are a pirate.\nArr."))
        [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.name, sent.is_private) == ("persona", True)
    assert dict(event.options) == {"do": "create", "name": "pirate", "prompt": "You are a pirate.\nArr."}


async def test_values_are_suggested_as_one_types(server: DiscordServer, shelf: FakeShelf) -> None:
    """What the core suggests is shown; it learns the place, the command, the option and the letters so far."""
    asked: list[tuple[str, ...]] = []

    async def suggest(place: Conversation, command: str, option: str, typed: str) -> Sequence[str]:
        asked.append((place.key, command, option, typed))
        return ["pirate", "pilot"]

    async with running(adapter_with(server, shelf, Options(suggest=suggest)), Heard()):
        used = await answered(server, server.typing(server.general, "persona", "name", "pi"))
    assert used.kind == AUTOCOMPLETE_RESULT
    assert [choice["value"] for choice in used.data["choices"]] == ["pirate", "pilot"]
    assert asked == [(f"discord:{server.world.guild}:{server.general.id}:", "persona", "name", "pi")]


async def test_a_dialog_whose_beginning_is_forgotten_says_so(
    server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf
) -> None:
    """After an hour the options that were given before are gone."""
    heard = Heard()
    async with running(adapter, heard):
        opened = await answered(server, server.command(server.general, "feedback", {"rating": "bad"}))
        del shelf.kept[f"form:{opened.id}"]
        sent = await answered(server, server.submit(opened, "x"))
    assert (sent.kind, sent.is_private, heard.events) == (SHOW, True, [])


def test_messages_have_links(adapter: DiscordAdapter) -> None:
    """As Discord's own: of the channel, or of the thread."""
    place = Conversation(platform="discord", workspace="100", channel="200")
    assert adapter.link(place, "300") == "https://discord.com/channels/100/200/300"
