"""Commands, shortcuts, buttons and modals: what each asks for, who sees it, and what is told where it cannot be."""

import asyncio

import pytest

from adapters.slack.client import SlackAdapter
from adapters.slack.listeners import GUEST, NO_QUESTION, STRANGER
from adapters.slack.translate import RESPONSE_URL_S
from bot.errors import BotError, NotAllowed, StoreUnavailable
from bot.events import Action, ActionTaken, Address, CommandInvoked, Conversation, Event, Person, Quote
from bot.ports import Admission
from tests.servers.common import Fault, Json
from tests.servers.harness import Heard, running
from tests.servers.slack import Envelope, SlackServer
from tests.servers.slack_acts import Modal
from tests.servers.slack_world import TEAM, Message
from tests.slack.conftest import adapter_of

INVITE = "I'm not in that channel. Please invite me there first: /invite and my name."


async def acknowledged(server: SlackServer, envelope: Envelope) -> Json:
    """What an interaction was acknowledged with."""
    await server.until(lambda: envelope.is_acknowledged, "the acknowledgement")
    return envelope.answer


async def opened(server: SlackServer) -> Modal:
    await server.until(lambda: server.acts.modals, "a modal")
    return server.acts.modals[0]


# ---- /ask


async def test_a_public_question_is_shown_and_answered_below(server: SlackServer, adapter: SlackAdapter) -> None:
    """`/ask` shows the question to the channel, pinging nobody, and its thread is the conversation."""
    heard, bob = Heard(), server.world.add_user("Bob")
    async with running(adapter, heard):
        text = f"is <@{bob.id}|bob> &lt; <#C0GENERAL|general>?"
        assert await acknowledged(server, server.acts.command(server.general, text)) == {}
    [event] = heard.events
    [root] = server.general.messages
    assert root.shown == "*Alice* asks:\n> is @Bob < #general?"
    assert root.pings == ()
    assert isinstance(event, CommandInvoked)
    where = Conversation(platform="slack", workspace=TEAM, channel=server.general.id, thread=root.ts)
    assert (event.name, event.options) == ("ask", (("question", "is @Bob < #general?"),))
    assert (event.conversation, event.author) == (where, Person(id=server.alice.id, name="Alice"))
    assert event.address == Address(
        channel=server.general.id,
        thread=root.ts,
        reply_to=root.ts,
        recipient=f"{TEAM}/{server.alice.id}",
        quote="is @Bob < #general?",
    )


@pytest.mark.parametrize("text", ["--private who am I?", "who am I? --private", "who --private am I?"])
async def test_a_private_question_is_its_askers_alone(server: SlackServer, adapter: SlackAdapter, text: str) -> None:
    """`--private` shows nothing to the channel: a conversation of the asker's own, answered by the response_url."""
    heard = Heard()
    async with running(adapter, heard):
        await acknowledged(server, server.acts.command(server.general, text))
    [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert event.options == (("question", "who am I?"),)
    assert (event.conversation.thread, event.conversation.person) == ("", server.alice.id)
    assert event.address.is_private
    assert event.address.token in [f"{server.address}/respond/{id}" for id in server.acts.responses]
    assert event.address.expires_at == event.at + RESPONSE_URL_S
    assert server.general.messages == []


async def test_a_command_says_whether_it_is_of_a_direct_message(server: SlackServer, adapter: SlackAdapter) -> None:
    """So that what is allowed there is judged as for messages."""
    heard = Heard()
    async with running(adapter, heard):
        for channel in (server.world.add_direct(server.alice), server.general):
            await acknowledged(server, server.acts.command(channel, "--private who am I?"))
    assert [isinstance(event, CommandInvoked) and event.is_direct for event in heard.events] == [True, False]


async def test_a_command_without_a_question_says_how(server: SlackServer, adapter: SlackAdapter) -> None:
    """An empty `/ask` is answered with an example, to its sender alone."""
    heard = Heard()
    async with running(adapter, heard):
        for text in ("", "  ", "--private"):
            assert await acknowledged(server, server.acts.command(server.general, text)) == {"text": NO_QUESTION}
    assert heard.events == []


async def test_a_command_where_we_are_not_says_to_invite_us(server: SlackServer, adapter: SlackAdapter) -> None:
    """We never join by ourselves; a private question works everywhere."""
    heard, elsewhere = Heard(), server.world.add_channel("elsewhere", is_member=False)
    async with running(adapter, heard):
        assert await acknowledged(server, server.acts.command(elsewhere, "hello?")) == {"text": INVITE}
        assert await acknowledged(server, server.acts.command(elsewhere, "hello? --private")) == {}
    assert len(heard.events) == 1


@pytest.mark.parametrize(
    ("error", "notice"),
    [(StoreUnavailable(), StoreUnavailable().notice), (NotAllowed(notice="Not you."), "Not you.")],
)
@pytest.mark.parametrize("text", ["hello?", "hello? --private"])
async def test_a_command_that_is_not_admitted_is_told(
    server: SlackServer, adapter: SlackAdapter, text: str, error: BotError, notice: str
) -> None:
    """It cannot come again, so its sender reads why, alone; nothing is left in the channel."""
    async with running(adapter, Heard(errors=[error])):
        assert await acknowledged(server, server.acts.command(server.general, text)) == {"text": notice}
    assert server.general.messages == []


async def test_a_slow_store_does_not_keep_a_command_waiting(server: SlackServer, adapter: SlackAdapter) -> None:
    """Admit has a second; Slack would give up after three."""
    began = asyncio.Event()

    async def never(event: Event) -> Admission:
        began.set()
        await asyncio.Event().wait()
        return Admission.ADMITTED

    async with running(adapter, never):
        command = server.acts.command(server.general, "hello? --private")
        await began.wait()
        assert await acknowledged(server, command) == {"text": StoreUnavailable().notice}


async def test_guests_and_strangers_command_nothing(server: SlackServer, adapter: SlackAdapter) -> None:
    """They read why not, each time, alone."""
    heard, guest = Heard(), server.world.add_user("Gus", is_guest=True)
    stranger = server.world.add_user("Stan", team="T0OTHER")
    async with running(adapter, heard):
        for person, notice in ((guest, GUEST), (stranger, STRANGER)):
            command = server.acts.command(server.general, "hello?", user=person)
            assert await acknowledged(server, command) == {"text": notice}
    assert heard.events == []
    assert server.general.messages == []


# ---- shortcuts


async def test_ask_about_this_opens_a_modal_and_asks_with_its_message(
    server: SlackServer, adapter: SlackAdapter
) -> None:
    """The question comes with the message as its subject, and is answered in that message's thread."""
    heard, bob = Heard(), server.world.add_user("Bob")
    root = server.world.add_message(server.general, bob, "Release on &lt;Friday&gt;?")
    said = server.world.add_message(server.general, bob, "or <@U0ALICE>?", thread_ts=root.ts)
    async with running(adapter, heard):
        await acknowledged(server, server.acts.shortcut(said, "ask_about"))
        modal = await opened(server)
        assert await acknowledged(server, server.acts.submit(modal, "Is that wise?")) == {}
    [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.name, event.options, event.author.name) == ("ask", (("question", "Is that wise?"),), "Alice")
    assert event.quotes == (Quote(kind="subject", text="or @Alice?", author="Bob", id=said.ts),)
    assert (event.conversation.thread, event.address.thread, event.address.reply_to) == (root.ts, root.ts, said.ts)


async def test_a_modal_says_why_its_question_was_not_taken(server: SlackServer, adapter: SlackAdapter) -> None:
    """Where the store is away, or we are not in the channel, the modal stays open and says so."""
    heard = Heard(errors=[StoreUnavailable()])
    elsewhere = server.world.add_channel("elsewhere", is_member=False)
    here, there = (server.world.add_message(channel, server.alice, "x") for channel in (server.general, elsewhere))
    async with running(adapter, heard):
        for message, notice in ((here, StoreUnavailable().notice), (there, INVITE)):
            server.acts.shortcut(message, "ask_about")
            await server.until(lambda: server.acts.modals, "a modal")
            answer = await acknowledged(server, server.acts.submit(server.acts.modals.pop(), "Well?"))
            assert answer == {"response_action": "errors", "errors": {"said": notice}}
    assert heard.events == []


async def test_a_modal_that_slack_does_not_open_is_told(server: SlackServer, adapter: SlackAdapter) -> None:
    """Slack gives three seconds for a modal; past them the person reads that alone."""
    said = server.say(server.general, "talk")
    fault = Fault(match="views.open", status=200, body={"ok": False, "error": "expired_trigger_id"})
    server.faults.append(fault)
    async with running(adapter, Heard()):
        await acknowledged(server, server.acts.shortcut(said, "ask_about"))
    assert server.acts.whispered == ["That took too long: Slack's window for it has closed. Please try once more."]


async def test_summarise_thread_asks_for_the_whole_thread(server: SlackServer, adapter: SlackAdapter) -> None:
    """The shortcut of any message of a thread asks in that thread."""
    heard = Heard()
    root = server.world.add_message(server.general, server.alice, "root")
    said = server.world.add_message(server.general, server.alice, "reply", thread_ts=root.ts)
    async with running(adapter, heard):
        await acknowledged(server, server.acts.shortcut(said, "summarise"))
    [event] = heard.events
    assert isinstance(event, CommandInvoked)
    assert (event.name, event.options) == ("summarise", (("from", "thread"),))
    assert (event.conversation.thread, event.address.thread) == (root.ts, root.ts)


@pytest.mark.parametrize(("callback", "is_private"), [("summarise", False), ("summarise", True)])
async def test_summarise_where_we_are_not_says_to_invite_us(
    server: SlackServer, adapter: SlackAdapter, callback: str, is_private: bool
) -> None:
    """A summary could not be posted there: its asker reads what to do, alone."""
    heard = Heard()
    elsewhere = server.world.add_channel("elsewhere", is_member=False, is_private=is_private)
    said = server.world.add_message(elsewhere, server.alice, "x")
    async with running(adapter, heard):
        await acknowledged(server, server.acts.shortcut(said, callback))
    assert server.acts.whispered == [INVITE]
    assert heard.events == []


async def test_guests_use_no_shortcut(server: SlackServer, adapter: SlackAdapter) -> None:
    """They read why not, alone."""
    guest = server.world.add_user("Gus", is_guest=True)
    said = server.say(server.general, "talk")
    async with running(adapter, Heard()):
        await acknowledged(server, server.acts.shortcut(said, "ask_about", user=guest))
    assert server.acts.whispered == [GUEST]
    assert server.acts.modals == []


async def test_a_shortcut_that_is_not_ours_is_acknowledged(server: SlackServer, adapter: SlackAdapter) -> None:
    """Nothing of ours, nothing to do, and no error for the person."""
    heard, said = Heard(), server.say(server.general, "talk")
    async with running(adapter, heard):
        await acknowledged(server, server.acts.shortcut(said, "another"))
        unknown = {"type": "shortcut", "callback_id": "global", "trigger_id": "1", "user": {"id": server.alice.id}}
        await acknowledged(server, server._interact(unknown))
        await acknowledged(server, server.acts.control(said, {"action_id": "link", "type": "button"}))
    assert [event for event in heard.events if isinstance(event, CommandInvoked | ActionTaken)] == []


# ---- what stands under an answer


def answered(server: SlackServer) -> Message:
    root = server.world.add_message(server.general, server.alice, "well?")
    return server.world.add_message(server.general, server.bot, "so", thread_ts=root.ts)


@pytest.mark.parametrize(
    ("control", "action"),
    [
        ({"type": "button", "action_id": "parley:retry", "value": "t1"}, "retry"),
        ({"type": "icon_button", "action_id": "parley:delete", "value": "t1"}, "delete"),
        ({"type": "overflow", "action_id": "parley:more", "selected_option": {"value": "why:t1"}}, "why"),
        ({"type": "feedback_buttons", "action_id": "parley:rate", "value": "up:t1"}, "up"),
    ],
)
async def test_a_control_is_an_action_upon_its_turn(
    server: SlackServer, adapter: SlackAdapter, control: Json, action: Action
) -> None:
    """Buttons, icons, the menu and the thumbs all name the action and the turn; the reply goes into the thread."""
    heard, shown = Heard(), answered(server)
    async with running(adapter, heard):
        await acknowledged(server, server.acts.control(shown, control))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert (event.action, event.turn, event.author.name, event.text) == (action, "t1", "Alice", "")
    assert (event.conversation.thread, event.conversation.person) == (shown.thread_ts, "")
    assert (event.address.thread, event.address.reply_to, event.address.is_private) == (
        shown.thread_ts,
        shown.ts,
        False,
    )


async def test_a_control_of_a_private_answer_stays_private(server: SlackServer, adapter: SlackAdapter) -> None:
    """What is pressed under an answer that only its asker sees belongs to their private conversation."""
    heard, shown = Heard(), answered(server)
    async with running(adapter, heard):
        control = {"type": "button", "action_id": "parley:retry", "value": "t1"}
        await acknowledged(server, server.acts.control(shown, control, is_private=True))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert (event.conversation.thread, event.conversation.person) == ("", server.alice.id)
    assert event.address.is_private
    assert event.address.token.startswith(server.address)


async def test_a_thumb_down_may_say_what_would_have_been_better(server: SlackServer, adapter: SlackAdapter) -> None:
    """The thumb counts at once; the modal that follows adds a better answer, or nothing."""
    heard, shown = Heard(), answered(server)
    control = {"type": "feedback_buttons", "action_id": "parley:rate", "value": "down:t1"}
    async with running(adapter, heard):
        await acknowledged(server, server.acts.control(shown, control))
        modal = await opened(server)
        await acknowledged(server, server.acts.submit(modal, None))
        assert len(heard.events) == 1
        await acknowledged(server, server.acts.submit(modal, "42"))
    first, second = heard.events
    assert isinstance(first, ActionTaken)
    assert isinstance(second, ActionTaken)
    assert [(event.action, event.turn, event.text) for event in (first, second)] == [
        ("down", "t1", ""),
        ("down", "t1", "42"),
    ]
    assert first.conversation == second.conversation
    assert first.id != second.id


async def test_a_control_that_is_refused_is_told_alone(server: SlackServer, adapter: SlackAdapter) -> None:
    """Whoever may not press it, or presses while the store is away, reads so; a refused thumb opens no modal."""
    shown = answered(server)
    heard = Heard(errors=[NotAllowed(notice="Not yours."), StoreUnavailable()])
    async with running(adapter, heard):
        for value in ("down:t1", "up:t1"):
            control = {"type": "feedback_buttons", "action_id": "parley:rate", "value": value}
            await acknowledged(server, server.acts.control(shown, control))
    assert server.acts.whispered == ["Not yours.", StoreUnavailable().notice]
    assert server.acts.modals == []
    bodies = [body for bodies in server.acts.responses.values() for body in bodies]
    assert {(body["response_type"], body["replace_original"]) for body in bodies} == {("ephemeral", False)}


async def test_interactions_work_without_names(server: SlackServer) -> None:
    """With neither store nor users:read a person is an id, and what they press is taken."""
    heard, shown = Heard(), answered(server)
    server.faults.append(Fault(match="users.info", status=503, times=9))
    async with running(adapter_of(server), heard):
        await acknowledged(server, server.acts.control(shown, {"action_id": "parley:stop", "value": "t1"}))
    [event] = heard.events
    assert isinstance(event, ActionTaken)
    assert event.author.name == server.alice.id
