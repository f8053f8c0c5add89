"""The table of commands on Slack: `/parley NAME`, its dialogs, and `!name` in threads."""

import json

import pytest

from adapters.slack.client import SlackAdapter
from adapters.slack.listeners import GUEST
from adapters.slack.manifest import manifest
from adapters.slack.private import PrivateReply
from adapters.slack.workspace import Workspace
from bot.commands import CommandSpec, usage
from bot.events import Address, CommandInvoked, Conversation, MessageReceived
from handlers.table import SPECS
from tests.fakes.reply import FakeDraft
from tests.servers.common import Clock
from tests.servers.harness import Heard, running
from tests.servers.slack import SlackServer
from tests.slack.conftest import LIMITS, adapter_of
from tests.slack.test_controls import acknowledged, opened


async def ours(place: Conversation) -> bool:
    """Every thread is one that we take part in."""
    return True


@pytest.fixture
def adapter(server: SlackServer) -> SlackAdapter:
    return adapter_of(server, commands=SPECS, takes_part=ours)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.name != "ask"], ids=lambda spec: spec.name)
async def test_every_command_is_an_event(server: SlackServer, adapter: SlackAdapter, spec: CommandSpec) -> None:
    """Its answer goes over the response_url, to its user alone, unless the table says otherwise."""
    heard = Heard()
    words = " ".join(option.choices[0] for option in spec.options if option.is_required)
    words = words.replace("bad", "good")  # whose dialog has its own test
    async with running(adapter, heard):
        answer = await acknowledged(server, server.acts.command(server.general, f"{spec.name} {words}", name="/parley"))
    [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (answer, event.name, event.conversation.person) == ({}, spec.name, server.alice.id)
    assert event.address.is_private
    assert event.address.token


async def test_without_a_name_it_is_help_and_ask_is_a_question(server: SlackServer, adapter: SlackAdapter) -> None:
    """`/parley` alone lists what there is; `/parley ask` is `/ask`."""
    heard = Heard()
    async with running(adapter, heard):
        await acknowledged(server, server.acts.command(server.general, "", name="/parley"))
        await acknowledged(server, server.acts.command(server.general, "ask why?", name="/parley"))
    told = [(event.name, event.options) for event in heard.events if isinstance(event, CommandInvoked)]
    assert told == [("help", ()), ("ask", (("question", "why?"),))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dance", "I don't know the command `dance`. `/parley help` lists what there is."),
        ("settings colour:red", "`settings`: `name` is one of answer"),
        ("history many", "`count` is a number"),
        ("help me", "it takes nothing more than that"),
    ],
)
async def test_wrong_use_is_told_at_once(server: SlackServer, adapter: SlackAdapter, text: str, said: str) -> None:
    """One line says what is wrong and how it goes; nothing is admitted."""
    heard = Heard()
    async with running(adapter, heard):
        answer = await acknowledged(server, server.acts.command(server.general, text, name="/parley"))
    assert said in str(answer["text"])
    assert heard.events == []


async def test_guests_use_no_command(server: SlackServer, adapter: SlackAdapter) -> None:
    """They read why not, as with a question."""
    heard, guest = Heard(), server.world.add_user("Gus", is_guest=True)
    async with running(adapter, heard):
        told = server.acts.command(server.general, "history", user=guest, name="/parley")
        assert await acknowledged(server, told) == {"text": GUEST}
    assert heard.events == []


async def test_long_options_are_asked_for_in_a_modal(server: SlackServer, adapter: SlackAdapter) -> None:
    """What was given before, and where the answer goes, comes back with the modal."""
    heard = Heard()
    async with running(adapter, heard):
        await acknowledged(server, server.acts.command(server.general, "persona create pirate", name="/parley"))
        modal = await opened(server)
        assert heard.events == []
        await acknowledged(server, server.acts.submit(modal, "You are a pirate.\nArr."))
    [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert dict(event.options) == {"do": "create", "name": "pirate", "prompt": "You are a pirate.\nArr."}
    assert (event.conversation.channel, event.author.id) == (server.general.id, server.alice.id)
    assert event.address.token in [f"{server.address}/respond/{id}" for id in server.acts.responses]


async def test_a_name_behind_a_mark_is_a_command_in_our_threads(server: SlackServer, adapter: SlackAdapter) -> None:
    """`!why` in a thread is answered to its user alone, there; elsewhere and for other words it is what was said."""
    heard = Heard()
    async with running(adapter, heard):
        root = server.ask(server.general, "well?")
        server.say(server.general, "!why", thread_ts=root.ts)
        server.say(server.general, "!dance", thread_ts=root.ts)
        await heard.until(lambda: "!dance" in [event.text for event in heard.messages], "the last one")
    *_, why, dance = heard.events
    assert isinstance(why, CommandInvoked)
    assert (why.name, why.conversation.thread, why.conversation.person) == ("why", root.ts, server.alice.id)
    assert (why.address.thread, why.address.is_private, why.address.token) == (root.ts, True, "")
    assert isinstance(dance, MessageReceived)


async def test_in_other_threads_it_is_not_ours(server: SlackServer) -> None:
    """Other bots have commands like these."""

    async def theirs(place: Conversation) -> bool:
        return False

    heard = Heard()
    async with running(adapter_of(server, commands=SPECS, takes_part=theirs), heard):
        root = server.say(server.general, "lunch?")
        server.say(server.general, "!help", thread_ts=root.ts)
        await heard.until(lambda: len(heard.events) == 2, "both")
    assert all(isinstance(event, MessageReceived) for event in heard.events)


async def test_its_wrong_use_is_a_hint_to_one(server: SlackServer, adapter: SlackAdapter) -> None:
    """An ephemeral message says what is wrong."""
    heard = Heard()
    async with running(adapter, heard):
        root = server.ask(server.general, "well?")
        server.say(server.general, "!history many", thread_ts=root.ts)
        await server.until(lambda: server.general.hints, "a hint")
    [(user, said)] = server.general.hints
    assert user == server.alice.id
    assert "`count` is a number" in said


async def test_without_a_response_url_a_private_answer_is_ephemeral(
    server: SlackServer, workspace: Workspace, clock: Clock
) -> None:
    """In a thread, for its user alone."""
    to = Address(channel=server.general.id, thread="1.2", recipient=f"T0TEAM/{server.alice.id}", is_private=True)
    async with PrivateReply(workspace, to, FakeDraft(), LIMITS, 1.0, clock) as reply:
        await reply.finish("So it is.")
    assert [user for user, _ in server.general.hints] == [server.alice.id]
    [call] = server.named("chat.postEphemeral")
    assert (call.body["thread_ts"], server.general.messages) == ("1.2", [])


def test_the_manifest_offers_the_commands_within_slacks_limits() -> None:
    """Both slash commands, also in the small manifest: 2,000 characters of description, 1,000 of usage hint."""
    for is_minimal in (False, True):
        commands = json.loads(manifest(is_minimal=is_minimal))["features"]["slash_commands"]
        assert [command["command"] for command in commands] == ["/ask", "/parley"]
        assert all(len(command["description"]) <= 2000 and len(command["usage_hint"]) <= 1000 for command in commands)
    assert all(len(usage(spec)) < 3000 for spec in SPECS)


def test_messages_have_links(adapter: SlackAdapter) -> None:
    """As Slack's own permalinks."""
    place = Conversation(platform="slack", workspace="T1", channel="C1", thread="1700000000.000100")
    shown = "https://slack.com/archives/C1/p1700000000000200?thread_ts=1700000000.000100&cid=C1"
    assert adapter.link(place, "1700000000.000200") == shown
