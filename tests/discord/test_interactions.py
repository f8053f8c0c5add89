"""Commands, menus, buttons and dialogs on Discord: which event, how soon it is acknowledged, and who is refused."""

import asyncio

import discord
import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.markup import control_of, custom_id
from adapters.discord.options import Options
from adapters.discord.texts import ASK_ABOUT, MENU, SUMMARISE
from bot.errors import BotError, NotAllowed, StoreUnavailable
from bot.events import ActionTaken, Attachment, CommandInvoked, Event, Person, Quote
from bot.ports import Admission
from handlers.table import SPECS
from tests.discord.conftest import adapter_with
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Fault
from tests.servers.discord import DiscordServer, Interaction
from tests.servers.discord_world import Message
from tests.servers.harness import Heard, running

TURN = "f00d" * 8
SHOW, DEFER, DEFER_UPDATE, MODAL = 4, 5, 6, 9
CALLBACK = "POST /interactions/*/callback"


async def answered(server: DiscordServer, used: Interaction) -> Interaction:
    await server.until(lambda: used.kind, "an acknowledgement")
    return used


def shown(server: DiscordServer, used: Interaction) -> str:
    message = server.world.find(used.message)
    assert message is not None
    return message.content


def an_answer(server: DiscordServer, *ids: str, is_private: bool = False) -> Message:
    """An answer of ours with buttons."""
    message = server.world.add_message(server.general, server.bot, "So it is.")
    buttons = [{"type": 2, "style": 2, "label": "x", "custom_id": id} for id in ids]
    message.components, message.flags = [{"type": 1, "components": buttons}], 64 * is_private
    return message


# ---- the command


async def test_ask_is_a_command(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """`/ask` carries the question, who asks, where, and a token that is good for 15 minutes; it is deferred."""
    heard = Heard()
    async with running(adapter, heard):
        used = await answered(server, server.command(server.general, "ask", {"question": "why?"}))
        [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.id, event.name, event.options) == (used.id, "ask", (("question", "why?"),))
    assert event.author == Person(id=server.alice.id, name="Alice")
    assert event.conversation.key == f"discord:{server.world.guild}:{server.general.id}:"
    assert (event.address.token, event.address.is_private) == (used.token, False)
    assert event.address.expires_at == pytest.approx(used.at + 900, abs=1)
    assert (used.kind, used.is_private) == (DEFER, False)


async def test_a_private_ask_is_a_private_conversation(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """What only its asker sees lives in that person's own conversation, and is deferred unseen."""
    heard = Heard()
    async with running(adapter, heard):
        options: dict[str, str | bool] = {"question": "why?", "private": True}
        used = await answered(server, server.command(server.general, "ask", options))
        [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.conversation.person, event.address.is_private, used.is_private) == (server.alice.id, True, True)
    assert event.options == (("question", "why?"), ("private", "on"))


async def test_a_file_of_a_command_can_be_read_later(
    server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf
) -> None:
    """No message holds it: its address lies on the shelf, and the file is read by its id."""
    holder = server.world.add_message(server.general, server.alice, "elsewhere")
    file, heard = server.world.attach(holder, "notes.txt", "text/plain", b"notes"), Heard()
    adapter = adapter_with(server, shelf, Options(file_hosts=frozenset({"127.0.0.1"})))
    async with running(adapter, heard):
        await answered(server, server.command(server.general, "ask", {"question": "what?"}, file=file))
        [event] = heard.events
        assert isinstance(event, CommandInvoked)
        id = f"interaction/{event.id}/{file.id}"
        assert event.attachments == (Attachment(id=id, name="notes.txt", media_type="text/plain", size=5),)
        assert await adapter.read(event.attachments[0], 100) == b"notes"


async def test_a_command_of_an_admin_says_so(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Discord tells with each interaction what its member may do in that channel."""
    heard = Heard()
    server.world.grant(server.alice, discord.Permissions(manage_guild=True).value)
    async with running(adapter, heard):
        await answered(server, server.command(server.general, "ask", {"question": "why?"}))
    [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert event.author.is_admin


# ---- the menus


async def test_ask_about_this_opens_a_dialog(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """The menu asks for a question in a dialog of one field; the message comes with it as what it is about."""
    bob = server.world.add_user("Bob")
    theirs = server.world.add_message(server.general, bob, f"{server.alice.mention} broke it")
    file, heard = server.world.attach(theirs, "log.txt", "text/plain", b"log"), Heard()
    async with running(adapter, heard):
        opened = await answered(server, server.menu(theirs, ASK_ABOUT))
        assert (opened.kind, len(opened.data["components"])) == (MODAL, 1)
        sent = await answered(server, server.submit(opened, " how? "))
        [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.name, event.options) == ("ask", (("question", "how?"),))
    assert event.quotes == (Quote(kind="subject", text="@Alice broke it", author="Bob", id=theirs.id),)
    assert [found.id for found in event.attachments] == [f"{server.general.id}/{theirs.id}/{file.id}"]
    assert (sent.kind, event.address.token) == (DEFER, sent.token)


async def test_a_dialog_outlives_the_process(server: DiscordServer, shelf: FakeShelf) -> None:
    """What a dialog is about lies on the shelf: another process takes what is sent."""
    theirs, heard = server.world.add_message(server.general, server.alice, "the topic"), Heard()
    async with running(adapter_with(server, shelf, Options()), Heard()):
        opened = await answered(server, server.menu(theirs, ASK_ABOUT))
    async with running(adapter_with(server, shelf, Options()), heard):
        await answered(server, server.submit(opened, "how?"))
        shelf.kept.clear()
        forgotten = await answered(server, server.submit(opened, "again?"))
    [event] = [event for event in heard.events if isinstance(event, CommandInvoked)]
    assert [quote.text for quote in event.quotes] == ["the topic"]
    assert (forgotten.kind, forgotten.is_private) == (SHOW, True)
    assert "forgotten" in shown(server, forgotten)


async def test_summarise_from_here_names_the_message(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """The menu begins a summary at that message, for the one who asks alone."""
    theirs, heard = server.world.add_message(server.general, server.alice, "the beginning"), Heard()
    async with running(adapter, heard):
        used = await answered(server, server.menu(theirs, SUMMARISE))
    [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.name, event.options) == ("summarise", (("from", theirs.id),))
    assert (used.kind, used.is_private, event.conversation.person) == (DEFER, True, server.alice.id)


# ---- the buttons


@pytest.mark.parametrize("action", ["retry", "stop", "continue", "delete", "up"])
async def test_a_button_is_an_action_upon_its_turn(server: DiscordServer, adapter: DiscordAdapter, action: str) -> None:
    """A button says what it means to whoever is running now, and its use is acknowledged to its user alone."""
    message, heard = an_answer(server, f"parley:{action}:{TURN}"), Heard()
    async with running(adapter, heard):
        used = await answered(server, server.click(message, f"parley:{action}:{TURN}"))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert (event.action, event.turn, event.author.id) == (action, TURN, server.alice.id)
    assert (event.conversation.person, event.address.token, event.address.reply_to) == ("", "", message.id)
    assert (used.kind, used.is_private) == (SHOW, True)


async def test_why_is_answered_in_private(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """What went into an answer is told to who asks alone, through the button's own token."""
    message, heard = an_answer(server, f"parley:why:{TURN}"), Heard()
    async with running(adapter, heard):
        used = await answered(server, server.click(message, f"parley:why:{TURN}"))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert (event.conversation.person, event.address.is_private, event.address.token) == ("", True, used.token)
    assert (used.kind, used.is_private) == (DEFER, True)


async def test_a_button_of_a_private_answer_stays_private(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Its token then means the answer's own message, which nothing else reaches."""
    message, heard = an_answer(server, f"parley:retry:{TURN}", is_private=True), Heard()
    async with running(adapter, heard):
        used = await answered(server, server.click(message, f"parley:retry:{TURN}"))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert (event.conversation.person, event.address.token) == (server.alice.id, used.token)
    assert used.kind == DEFER_UPDATE


async def test_a_bad_answer_may_be_told_better(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Thumbs down opens a dialog for a better answer, which may stay empty; only what is sent counts."""
    message, heard = an_answer(server, f"parley:down:{TURN}"), Heard()
    async with running(adapter, heard):
        opened = await answered(server, server.click(message, f"parley:down:{TURN}"))
        assert opened.kind == MODAL
        assert opened.data["components"][0]["component"]["required"] is False
        assert heard.events == []
        await answered(server, server.submit(opened, "It is Tuesday."))
        await answered(server, server.submit(opened, ""))
    told = [(event.action, event.turn, event.text) for event in heard.events if isinstance(event, ActionTaken)]
    assert told == [("down", TURN, "It is Tuesday."), ("down", TURN, "")]


async def test_more_is_a_menu_for_one(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """The last button shows the others to who asks; they act upon the answer, not upon the menu."""
    more = custom_id("more", TURN, ("continue", "delete", "why"))
    message, heard = an_answer(server, more), Heard()
    async with running(adapter, heard):
        menu = await answered(server, server.click(message, more))
        assert (menu.kind, menu.is_private, heard.events) == (SHOW, True, [])
        opened = server.world.find(menu.message)
        assert opened is not None
        controls = [control_of(id) for id in opened.buttons]
        assert [control and (control.action, control.turn) for control in controls] == [
            ("continue", TURN),
            ("delete", TURN),
            ("why", TURN),
        ]
        await answered(server, server.click(opened, opened.buttons[1]))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert (event.action, event.conversation.person) == ("delete", "")


async def test_the_menu_of_a_private_answer_is_private(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """It offers only what needs no hold on the answer's message, and what it does stays in that conversation."""
    more = custom_id("more", TURN, ("continue", "delete", "why"))
    message, heard = an_answer(server, more, is_private=True), Heard()
    async with running(adapter, heard):
        menu = await answered(server, server.click(message, more))
        opened = server.world.find(menu.message)
        assert opened is not None
        [why] = opened.buttons
        await answered(server, server.click(opened, why))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert (event.action, event.conversation.person) == ("why", server.alice.id)


async def test_nothing_of_them_stays_in_memory(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """However many menus and dialogs are opened and left alone, discord.py keeps none."""
    ids = [custom_id("more", TURN, ("why",)), custom_id("down", TURN)]
    message = an_answer(server, *ids)
    async with running(adapter, Heard()):
        for id in ids:
            await answered(server, server.click(message, id))
        client = adapter._rest()
        assert list(client.persistent_views) == []
        store = client._connection._view_store
        assert (store._views, store._modals) == ({}, {})


# ---- who is refused, and what goes wrong


@pytest.mark.parametrize("id", ["other:bot", "parley:fly:1", "parley", f"parley:ask:{TURN}"])
async def test_an_unknown_button_is_answered(server: DiscordServer, adapter: DiscordAdapter, id: str) -> None:
    """A control of another version, or none of ours, gets a word in private."""
    message, heard = an_answer(server, id), Heard()
    async with running(adapter, heard):
        used = await answered(server, server.click(message, id))
        other = await answered(server, server.command(server.general, "dance", {}))
    assert heard.events == []
    assert [(told.kind, told.is_private) for told in (used, other)] == [(SHOW, True)] * 2


@pytest.mark.parametrize("error", [StoreUnavailable("away"), NotAllowed("no", notice="Not you.")])
async def test_a_refusal_is_told_in_private(server: DiscordServer, adapter: DiscordAdapter, error: BotError) -> None:
    """What could not be taken, or is not allowed, is the first response and seen by its user alone."""
    message, heard = an_answer(server, f"parley:up:{TURN}"), Heard(errors=[error, error])
    async with running(adapter, heard):
        pressed = await answered(server, server.click(message, f"parley:up:{TURN}"))
        asked = await answered(server, server.command(server.general, "ask", {"question": "why?"}))
    for used in (pressed, asked):
        assert (used.kind, used.is_private, shown(server, used)) == (SHOW, True, error.notice)


class Slow:
    """A store that does not answer."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def __call__(self, event: Event) -> Admission:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Admission.ADMITTED


async def test_a_store_that_hangs_costs_a_second(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """The first response never waits longer for the store, for Discord waits 3 s for it."""
    slow = Slow()
    async with running(adapter, slow):
        used = await answered(server, server.command(server.general, "ask", {"question": "why?"}))
    assert (used.kind, used.is_private, shown(server, used)) == (SHOW, True, StoreUnavailable().notice)
    assert slow.cancelled == 1


async def test_a_shelf_that_is_away_is_told(server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf) -> None:
    """A dialog whose subject cannot be kept is not opened: it could not be sent."""
    theirs = server.world.add_message(server.general, server.alice, "the topic")
    async with running(adapter, Heard()):
        shelf.is_away = True
        used = await answered(server, server.menu(theirs, ASK_ABOUT))
    assert (used.kind, shown(server, used)) == (SHOW, StoreUnavailable().notice)


@pytest.mark.parametrize("code", [10062, 40060])
async def test_a_dead_interaction_ends_nothing(server: DiscordServer, adapter: DiscordAdapter, code: int) -> None:
    """Where Discord takes no acknowledgement any more, the question is in; the next one is heard."""
    server.faults.append(Fault(match=CALLBACK, status=404, body={"code": code, "message": "Unknown interaction"}))
    heard = Heard()
    async with running(adapter, heard):
        server.command(server.general, "ask", {"question": "one"})
        await heard.until(lambda: heard.events, "the first")
        await answered(server, server.command(server.general, "ask", {"question": "two"}))
    assert len(heard.events) == 2


async def test_a_user_install_is_for_listed_people(server: DiscordServer, shelf: FakeShelf) -> None:
    """Where only a person has installed us, a listed one is answered in private, everybody else refused."""
    bob, heard = server.world.add_user("Bob"), Heard()
    foreign = server.world.add_channel("there", guild=server.world.add_guild("Elsewhere"))
    options = Options(people=frozenset({bob.id}), workspaces=frozenset({server.world.guild}))
    async with running(adapter_with(server, shelf, options), heard):
        for channel in (foreign, server.world.add_direct(server.alice)):
            question: dict[str, str | bool] = {"question": "why?"}
            refused = await answered(server, server.command(channel, "ask", question, is_foreign=True))
            taken = await answered(server, server.command(channel, "ask", question, user=bob, is_foreign=True))
            assert (refused.kind, refused.is_private) == (SHOW, True)
            assert (taken.kind, taken.is_private) == (DEFER, True)
    told = [event for event in heard.events if isinstance(event, CommandInvoked)]
    where = [(event.conversation.workspace, event.conversation.person, event.is_direct) for event in told]
    assert where == [("@me", bob.id, True)] * 2


async def test_without_a_list_a_user_install_answers_nobody(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """An empty list means nobody here, and the commands are not offered for it."""
    async with running(adapter, Heard()):
        used = await answered(server, server.command(server.general, "ask", {"question": "?"}, is_foreign=True))
    assert (used.kind, used.is_private) == (SHOW, True)
    assert {tuple(command["integration_types"]) for command in server.commands} == {(0,)}


async def test_a_guild_that_is_not_listed_is_refused(server: DiscordServer, shelf: FakeShelf) -> None:
    """A command there needs some answer: it is the notice, for its user alone."""
    heard = Heard()
    async with running(adapter_with(server, shelf, Options(workspaces=frozenset({"1"}))), heard):
        used = await answered(server, server.command(server.general, "ask", {"question": "?"}))
    assert (heard.events, used.is_private, shown(server, used)) == ([], True, NotAllowed().notice)


# ---- the declaration


PUT = "PUT /applications/*/commands"


async def test_commands_are_declared_when_they_change(server: DiscordServer, shelf: FakeShelf) -> None:
    """One request for all of them at the first start and after a change, none at any other."""
    for people in (frozenset[str](), frozenset[str](), frozenset({"300"}), frozenset({"300", "301"})):
        async with running(adapter_with(server, shelf, Options(people=people)), Heard()):
            pass
    assert len(server.named(PUT)) == 2
    assert [command["name"] for command in server.commands] == [
        *(spec.name for spec in SPECS),
        *(entry["name"] for entry in MENU),
    ]
    assert {tuple(command["integration_types"]) for command in server.commands} == {(0, 1)}
    ask = next(command for command in server.commands if command["name"] == "ask")
    assert [(option["name"], option["type"]) for option in ask["options"]] == [
        ("question", 3),
        ("attachment", 11),
        ("private", 5),
    ]


@pytest.mark.parametrize("status", [400, 403])
async def test_commands_that_are_refused_do_not_stop_it(
    server: DiscordServer, adapter: DiscordAdapter, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Without its commands it still hears messages; the next start tries again."""
    server.faults.append(Fault(match=PUT, status=status, body={"code": 30034, "message": "Max daily creates"}))
    for expected in (1, 2):
        async with running(adapter, Heard()):
            assert len(server.named(PUT)) == expected
    assert "could not be declared" in caplog.text
