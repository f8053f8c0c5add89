"""What becomes of what people do on Slack: which event, in which conversation, and when Slack is told "received"."""

import asyncio
from dataclasses import replace

import pytest

from adapters.slack.client import SlackAdapter
from adapters.slack.listeners import GUEST, STRANGER
from bot.errors import NotAllowed, PlatformUnavailable, SettingsInvalid, StoreUnavailable
from bot.events import (
    ActionTaken,
    Address,
    Attachment,
    Conversation,
    Event,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Person,
    Quote,
)
from bot.ports import Admission
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Fault, Json
from tests.servers.harness import Heard, running
from tests.servers.slack import SlackServer
from tests.servers.slack_world import TEAM
from tests.slack.conftest import adapter_of

DROPPED = [
    *("channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive"),
    *("group_join", "bot_message", "message_replied", "tombstone", "ekm_access_denied", "assistant_app_thread"),
]
"""Subtypes that are not what somebody said."""


async def settled(server: SlackServer) -> None:
    """Something that is acknowledged at once is acknowledged: so would be what was told before it."""
    server.say(server.general, "from myself", author=server.bot)
    last = list(server.envelopes.values())[-1]
    await server.until(lambda: last.is_acknowledged, "an acknowledgement")


async def test_a_mention_in_a_channel_is_a_whole_event(server: SlackServer, adapter: SlackAdapter) -> None:
    """A mention carries its thread's conversation, its author, its text as people read it, and where to answer."""
    heard = Heard()
    async with running(adapter, heard):
        asked = server.ask(server.general, "is a < b & b > c?")
        event = await heard.message()
    alice, channel = server.alice.id, server.general.id
    assert event == MessageReceived(
        id=asked.ts,
        conversation=Conversation(platform="slack", workspace=TEAM, channel=channel, thread=asked.ts),
        author=Person(id=alice, name="Alice"),
        text="is a < b & b > c?",
        at=float(asked.ts),
        address=Address(
            channel=channel,
            thread=asked.ts,
            reply_to=asked.ts,
            recipient=f"{TEAM}/{alice}",
            quote="is a < b & b > c?",
        ),
        mentions_bot=True,
    )


async def test_one_post_comes_as_two_events_that_are_alike(server: SlackServer, adapter: SlackAdapter) -> None:
    """`message` and `app_mention` of one post give the same event: either suffices, and admit drops the second."""
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "once or twice?")
        assert await heard.message(1) == await heard.message(2)
        stranger = server.world.add_channel("elsewhere", is_member=False)
        server.ask(stranger, "only app_mention here")
        await heard.message(3)


async def test_who_is_addressed(server: SlackServer, adapter: SlackAdapter) -> None:
    """Mentions, answers in a thread that the bot began and direct messages tell so; all else is heard as talk."""
    heard, general = Heard(), server.general
    ours = server.world.add_message(general, server.bot, "mine")
    theirs = server.world.add_message(general, server.alice, "hers")
    async with running(adapter, heard):
        server.say(general, "just talk")
        server.say(general, "<!channel> look")
        server.say(general, "to Alice", thread_ts=theirs.ts)
        server.say(general, "to the bot", thread_ts=ours.ts)
        server.say(server.world.add_direct(server.alice), "between us")
        await heard.message(5)
    told = [(event.text, event.mentions_bot, event.replies_to_bot, event.is_direct) for event in heard.messages]
    assert told == [
        ("just talk", False, False, False),
        ("<!channel> look", False, False, False),
        ("to Alice", False, False, False),
        ("to the bot", False, True, False),
        ("between us", False, False, True),
    ]
    assert heard.messages[3].conversation.thread == ours.ts


async def test_what_is_surely_not_for_us_is_acknowledged_and_dropped(
    server: SlackServer, adapter: SlackAdapter
) -> None:
    """Own messages, bots, joins and unknown events do not reach the intake, and do not come again."""
    heard, general = Heard(), server.general
    robot = server.world.add_user("Robot", is_bot=True)
    async with running(adapter, heard):
        server.say(general, "from myself", author=server.bot)
        server.say(general, "from a bot", author=robot)
        for subtype in DROPPED:
            told = {"type": "message", "subtype": subtype, "user": server.alice.id, "text": "x"}
            server._event(general, told | {"ts": server.world.stamp()})
        server._event(general, {"type": "never_heard_of", "user": server.alice.id, "ts": server.world.stamp()})
        for odd in ({"user": "USLACKBOT"}, {"bot_profile": {"app_id": "A0"}, "user": "U0X"}, {"user": None}):
            server._event(general, {"type": "message", "text": "x", "ts": server.world.stamp()} | odd)
        server.say(general, "from Alice")
        await heard.message()
        await server.until(lambda: not server.waiting, "everything acknowledged")
    assert heard.events == heard.messages
    assert [event.text for event in heard.messages] == ["from Alice"]


@pytest.mark.parametrize("subtype", ["me_message", "thread_broadcast", "file_share"])
async def test_what_people_say_in_other_shapes_is_heard(
    server: SlackServer, adapter: SlackAdapter, subtype: str
) -> None:
    """A /me, an answer that is also sent to the channel and a shared file are messages like others."""
    heard, root = Heard(), server.world.add_message(server.general, server.alice, "root")
    async with running(adapter, heard):
        message = server.world.add_message(server.general, server.alice, "said so", thread_ts=root.ts)
        message.subtype = subtype
        server._tell(message)
        event = await heard.message()
    assert (event.text, event.conversation.thread) == ("said so", root.ts)


# ---- edits and deletions


async def test_an_edit_and_a_deletion_are_told(server: SlackServer, adapter: SlackAdapter) -> None:
    """A new text is an edit of the same message; a deletion names the message and its conversation."""
    heard = Heard()
    async with running(adapter, heard):
        said = server.say(server.general, "talk")
        server.edit(said, "other talk & more")
        server.delete(said)
        await heard.until(lambda: len(heard.events) == 3, "three events")
    first, edit, gone = heard.events
    assert isinstance(first, MessageReceived)
    assert edit == MessageEdited(
        message=replace(first, text="other talk & more", address=replace(first.address, quote="other talk & more"))
    )
    assert isinstance(gone, MessageDeleted)
    assert (gone.id, gone.conversation) == (said.ts, first.conversation)


async def test_a_change_that_leaves_the_text_is_none(server: SlackServer, adapter: SlackAdapter) -> None:
    """A link that unfolds, and every edit of our own, change nothing for us."""
    heard = Heard()
    async with running(adapter, heard):
        said = server.say(server.general, "see https://example.com")
        server.unfurl(said)
        server.edit(server.say(server.general, "mine", author=server.bot), "mine, longer")
        server.say(server.general, "last")
        await heard.message(2)
        await server.until(lambda: not server.waiting, "everything acknowledged")
    assert heard.events == heard.messages
    assert len(heard.events) == 2


async def test_a_root_that_becomes_a_tombstone_is_deleted(server: SlackServer, adapter: SlackAdapter) -> None:
    """Slack tells the deletion of a message that has answers as a change to a tombstone."""
    heard = Heard()
    async with running(adapter, heard):
        said = server.say(server.general, "root")
        before = said.json()
        said.subtype, said.text = "tombstone", "This message was deleted."
        server._changed_message(said, before)
        await heard.until(lambda: len(heard.events) == 2, "two events")
    assert isinstance(heard.events[1], MessageDeleted)
    assert heard.events[1].id == said.ts


async def test_a_mention_that_an_edit_adds_is_one_message(server: SlackServer, adapter: SlackAdapter) -> None:
    """It comes as a change and as an app_mention with `edited`: both are the same edit, which asks once."""
    heard = Heard()
    async with running(adapter, heard):
        said = server.say(server.general, "what is 2+2?")
        said_id = said.ts
        before = said.json()
        said.text, said.edited_ts = f"{server.bot.mention} what is 2+2?", server.world.stamp()
        server._changed_message(said, before)
        server._event(server.general, said.json() | {"type": "app_mention"})
        await heard.until(lambda: len(heard.events) == 3, "three events")
    _, changed, mentioned = heard.events
    assert changed == mentioned
    assert isinstance(changed, MessageEdited)
    assert (changed.message.id, changed.message.mentions_bot, changed.message.text) == (said_id, True, "what is 2+2?")


# ---- who and what is called how


async def test_people_and_channels_are_called_by_their_names(server: SlackServer, shelf: FakeShelf) -> None:
    """What people write arrives with names, which are asked for once and kept for a day, by workspace."""
    heard, bob = Heard(), server.world.add_user("Bob", is_admin=True)
    async with running(adapter_of(server, shelf), heard):
        for _ in range(2):
            server._post(server.general, f"{server.bot.mention} ask {bob.mention} in <#C0GENERAL>", server.alice, "")
        event = await heard.message(4)
        server.ask(server.general, "me?", author=bob)
        asked = await heard.message(5)
    assert event.text == "ask @Bob in #general"
    assert (asked.author.name, asked.author.is_admin, event.author.is_admin) == ("Bob", True, False)
    assert [call.body["user"] for call in server.named("users.info")] == [server.alice.id, bob.id]
    assert {key: shelf.expiries[key] for key in shelf.kept if key.startswith("name:")} == dict.fromkeys(
        [f"name:{TEAM}:{id}" for id in (server.alice.id, bob.id, server.general.id)], 86_400.0
    )


async def test_names_are_kept_for_other_processes(server: SlackServer, shelf: FakeShelf) -> None:
    """A second process asks Slack for no name that the first one has put on the shelf."""
    for _ in range(2):
        heard = Heard()
        async with running(adapter_of(server, shelf), heard):
            server.ask(server.general, "who am I?")
            assert (await heard.message()).author.name == "Alice"
    assert len(server.named("users.info")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match="users.info", status=200, body={"ok": False, "error": "missing_scope", "needed": "users:read"}),
        Fault(match="users.info", status=429),
        Fault(match="users.info", status=503),
        Fault(match="users.info", is_held=True),
    ],
)
async def test_a_name_that_cannot_be_had_costs_no_message(
    server: SlackServer, adapter: SlackAdapter, fault: Fault
) -> None:
    """Without the scope, under a rate limit or with no answer at all the id stands for the name; it is not asked again
    at once."""
    server.faults.append(fault)
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "one")
        server.ask(server.general, "two")
        events = [await heard.message(number) for number in (1, 2, 3, 4)]
        server.release()
    assert {event.author.name for event in events} == {server.alice.id}
    assert len(server.named("users.info")) == 1


async def test_names_are_not_asked_for_while_slack_wants_a_pause(server: SlackServer, adapter: SlackAdapter) -> None:
    """After a 429 nobody's name is looked up before Slack's delay is over; what is known stays known."""
    server.faults.append(Fault(match="users.info", status=429, headers={"Retry-After": "30"}))
    heard, bob = Heard(), server.world.add_user("Bob")
    async with running(adapter, heard):
        server.say(server.general, "one")
        server.say(server.general, "two", author=bob)
        await heard.message(2)
    assert [event.author.name for event in heard.messages] == [server.alice.id, bob.id]
    assert len(server.named("users.info")) == 1


async def test_what_is_said_in_a_channel_arrives_in_its_order(server: SlackServer, adapter: SlackAdapter) -> None:
    """A name that takes long does not let a later message overtake an earlier one."""
    server.faults.append(Fault(match="users.info", status=200, is_held=True))
    heard, bob = Heard(), server.world.add_user("Bob")
    async with running(adapter, heard):
        server.say(server.general, "first", author=bob)
        await server.until(lambda: server.held, "a look-up")
        server.say(server.general, "second")
        server.say(server.world.add_direct(server.alice), "elsewhere")
        await heard.message()
        server.release()
        await heard.message(3)
    assert [event.text for event in heard.messages] == ["elsewhere", "first", "second"]


async def test_a_message_that_begins_by_naming_another_is_to_others(server: SlackServer, adapter: SlackAdapter) -> None:
    """Who begins with a person or a group speaks to them; who begins with us, or names others later, does not."""
    heard, bob = Heard(), server.world.add_user("Bob")
    texts = [f"{bob.mention} look", "<!subteam^S1|@ops> look", f"look, {bob.mention}", f"{server.bot.mention} look"]
    async with running(adapter, heard):
        for text in texts:
            server._post(server.world.add_direct(server.alice), text, server.alice, "")
        await heard.message(4)
    assert [event.to_others for event in heard.messages] == [True, True, False, False]


# ---- what comes with a message


async def test_files_and_forwarded_messages_come_along(server: SlackServer, adapter: SlackAdapter) -> None:
    """A file is known by its id, name, kind and size; a forwarded message is a quote; a link's preview is neither."""
    heard = Heard()
    direct = server.world.add_direct(server.alice)
    async with running(adapter, heard):
        picture = server.acts.add_file("a.png", "image/png", b"\x89PNG....")
        server.acts.share(direct, "what is this?", picture)
        forwarded = server.world.add_message(direct, server.alice, "what does he mean?")
        forwarded.attachments = [
            {"is_share": True, "text": "Ship it &amp; rest", "author_name": "Bob", "ts": "1.5"},
            {"title": "a page", "text": "no quote"},
        ]
        server._tell(forwarded)
        shared, quoting = await heard.message(1), await heard.message(2)
    assert shared.attachments == (Attachment(id="F01", name="a.png", media_type="image/png", size=8),)
    assert quoting.quotes == (Quote(kind="forward", text="Ship it & rest", author="Bob", id="1.5"),)


async def test_a_file_that_is_gone_is_none(server: SlackServer, adapter: SlackAdapter) -> None:
    """Deleted files, and those that a plan's limit hides, are not told."""
    heard = Heard()
    async with running(adapter, heard):
        message = server.world.add_message(server.world.add_direct(server.alice), server.alice, "this")
        message.files = [{"id": "F1", "mode": "tombstone"}, {"id": "F2", "mode": "hidden_by_limit"}]
        server._tell(message)
        assert (await heard.message()).attachments == ()


GENERAL = {"type": "slack#/types/channel_id", "value": "C0GENERAL", "team_id": TEAM}
IN_GENERAL = {"type": "slack#/types/message_context", "value": {"channel_id": "C0GENERAL", "message_ts": "1.5"}}
CANVAS = {"type": "slack#/types/canvas_id", "value": "F123"}


@pytest.mark.parametrize(
    ("entity", "quote"),
    [
        (GENERAL, Quote(kind="view", text="the channel #general", id="C0GENERAL")),
        (IN_GENERAL, Quote(kind="view", text="a message in the channel #general", id="1.5")),
        (CANVAS, Quote(kind="view", text="a canvas", id="F123")),
    ],
)
async def test_what_somebody_views_goes_with_their_question(
    server: SlackServer, shelf: FakeShelf, entity: Json, quote: Quote
) -> None:
    """What Slack told that a person views stands with what they ask in private, for some minutes; not in channels."""
    heard, direct = Heard(), server.world.add_direct(server.alice)
    async with running(adapter_of(server, shelf), heard):
        server.acts.look_at(entity, CANVAS)
        await server.until(lambda: not server.waiting, "the view noted")
        server.say(direct, "what is this?")
        server.ask(server.general, "and this?")
        bob = server.world.add_user("Bob")
        server.say(server.world.add_direct(bob), "not mine", author=bob)
        asked = [await heard.message(number) for number in (1, 2, 3, 4)]
    told = {event.text: event.quotes for event in asked}
    assert told == {"what is this?": (quote,), "and this?": (), "not mine": ()}
    assert shelf.expiries[f"view:{TEAM}:{server.alice.id}"] == 600.0


async def test_a_view_that_ended_is_forgotten(server: SlackServer, adapter: SlackAdapter) -> None:
    """An empty context takes the last one back; one that comes with the message itself counts before any other."""
    heard, direct = Heard(), server.world.add_direct(server.alice)
    async with running(adapter, heard):
        server.acts.open_home("messages", context={"entities": [GENERAL]})
        server.acts.look_at()
        await server.until(lambda: not server.waiting, "the views noted")
        server.say(direct, "what is this?")
        await heard.message()
        message = server.world.add_message(direct, server.alice, "and this?")
        server._event(direct, message.json() | {"app_context": {"entities": [CANVAS]}})
        assert (await heard.message(2)).quotes == (Quote(kind="view", text="a canvas", id="F123"),)
    assert heard.messages[0].quotes == ()


# ---- sessions


async def test_each_direct_message_has_its_own_thread(server: SlackServer, adapter: SlackAdapter) -> None:
    """A top-level direct message is the root of a conversation; what is written below it belongs there."""
    heard, direct = Heard(), server.world.add_direct(server.alice)
    async with running(adapter, heard):
        one = server.say(direct, "one")
        server.say(direct, "below", thread_ts=one.ts)
        two = server.say(direct, "two")
        await heard.message(3)
    assert [event.conversation.thread for event in heard.messages] == [one.ts, one.ts, two.ts]
    assert [event.address.quote for event in heard.messages] == ["one", "", "two"]


async def test_a_direct_message_can_be_one_session(server: SlackServer) -> None:
    """Where so set, a direct message is one conversation, still answered in the thread of each question."""
    heard, direct = Heard(), server.world.add_direct(server.alice)
    async with running(adapter_of(server, has_one_session=True), heard):
        one, two = server.say(direct, "one"), server.say(direct, "two")
        await heard.message(2)
    assert {event.conversation.thread for event in heard.messages} == {""}
    assert [event.address.thread for event in heard.messages] == [one.ts, two.ts]


async def test_the_stop_button_of_slack_stops_the_running_turn(server: SlackServer, adapter: SlackAdapter) -> None:
    """Slack's own Stop is an action upon whatever runs in that thread."""
    heard = Heard()
    async with running(adapter, heard):
        asked = server.ask(server.general, "count to a million")
        server.acts.stop(server.general, asked.ts)
        await heard.until(lambda: len(heard.events) == 3, "the stop")
    stopped = next(event for event in heard.events if isinstance(event, ActionTaken))
    assert (stopped.action, stopped.turn, stopped.author.id) == ("stop", "", server.alice.id)
    assert stopped.conversation == heard.messages[0].conversation


async def test_the_tabs_are_filled_when_they_are_opened(server: SlackServer) -> None:
    """The Messages tab suggests what is set; the Home tab tells what holds, and that Parley can be wrong."""
    adapter = adapter_of(server, prompts=("Write a haiku",), facts=("Model: gpt <small>",))
    async with running(adapter, Heard()):
        server.acts.open_home("messages")
        server.acts.open_home("home")
        await server.until(lambda: server.acts.prompts and server.acts.homes, "both tabs")
    assert server.acts.prompts == {f"D{server.alice.id}": [{"title": "Write a haiku", "message": "Write a haiku"}]}
    shown = str(server.acts.homes[server.alice.id])
    assert "Model: gpt &lt;small&gt;" in shown
    assert "I can be wrong" in shown


async def test_a_tab_that_cannot_be_filled_is_no_error(server: SlackServer, adapter: SlackAdapter) -> None:
    """Slack's refusal of a courtesy is acknowledged all the same, and does not come again."""
    server.faults.append(Fault(match="views.publish", status=200, body={"ok": False, "error": "not_enabled"}))
    async with running(adapter, Heard()):
        server.acts.open_home("home")
        await server.until(lambda: not server.waiting, "the acknowledgement")


# ---- who is not answered


async def test_guests_and_strangers_are_told_once_a_day(server: SlackServer, shelf: FakeShelf) -> None:
    """A guest, or somebody of another company, who asks reads why not, alone and once; their talk is not heard."""
    guest = server.world.add_user("Gus", is_guest=True)
    stranger = server.world.add_user("Stan", team="T0OTHER")
    heard = Heard()
    async with running(adapter_of(server, shelf), heard):
        for person in (guest, stranger):
            server.say(server.general, "just talk", author=person)
            server.ask(server.general, "hello?", author=person)
            server.ask(server.general, "hello??", author=person)
        server.ask(server.general, "me")
        await heard.message(2)
        await server.until(lambda: not server.waiting, "everything acknowledged")
    assert {event.author.id for event in heard.messages} == {server.alice.id}
    assert server.general.hints == [(guest.id, GUEST), (stranger.id, STRANGER)]
    assert shelf.expiries[f"hint:{TEAM}:{guest.id}"] == 86_400.0


@pytest.mark.parametrize("strangers", [{"T0OTHER"}, {"U0STAN"}])
async def test_guests_and_strangers_may_be_let_in(server: SlackServer, strangers: set[str]) -> None:
    """A setting lets guests in; a list lets in a company, or one of its people. The reply knows whose person it is."""
    guest = server.world.add_user("Gus", is_guest=True)
    stranger = server.world.add_user("Stan", team="T0OTHER")
    heard = Heard()
    async with running(adapter_of(server, guests=True, strangers=frozenset(strangers)), heard):
        server.say(server.general, "one", author=guest)
        server.say(server.general, "two", author=stranger)
        await heard.message(2)
    assert [event.address.recipient for event in heard.messages] == [f"{TEAM}/U0GUS", "T0OTHER/U0STAN"]


async def test_a_refusal_of_the_core_is_shown_to_its_person_alone(server: SlackServer, adapter: SlackAdapter) -> None:
    """What the intake does not allow is acknowledged, and its notice shown to who asked: where they can see it."""
    heard = Heard(errors=[NotAllowed(notice="Not here.")] * 2)
    root = server.world.add_message(server.general, server.alice, "root")
    async with running(adapter, heard):
        server.say(server.general, "hello?")
        server.say(server.general, "hello??", thread_ts=root.ts)
        await server.until(lambda: not server.waiting, "everything acknowledged")
    assert server.general.hints == [(server.alice.id, "Not here.")] * 2
    # Slack shows such a message in a thread only where there are answers already.
    assert [call.body.get("thread_ts") for call in server.named("chat.postEphemeral")] == [None, root.ts]


async def test_nothing_is_acknowledged_before_it_is_admitted(server: SlackServer, adapter: SlackAdapter) -> None:
    """Slack is told "received" only after the intake has returned."""
    is_admitting, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow(event: Event) -> Admission:
        is_admitting.set()
        await may_go_on.wait()
        return Admission.ADMITTED

    async with running(adapter, slow):
        server.say(server.general, "hello")
        await is_admitting.wait()
        await settled(server)
        assert len(server.waiting) == 1
        may_go_on.set()
        await server.until(lambda: not server.waiting, "the acknowledgement")


async def test_what_could_not_be_admitted_comes_again(server: SlackServer, adapter: SlackAdapter) -> None:
    """While the store is away nothing is acknowledged, so that Slack delivers it again."""
    heard = Heard(errors=[StoreUnavailable()])
    async with running(adapter, heard):
        server.say(server.general, "hello")
        await heard.until(lambda: heard.refused, "the refusal")
        await settled(server)
        assert len(server.waiting) == 1
        server.redeliver()
        await heard.message()
        await server.until(lambda: not server.waiting, "the acknowledgement")
    assert next(iter(server.envelopes.values())).attempts == 2


async def test_an_event_that_cannot_be_read_costs_nothing_but_itself(
    server: SlackServer, adapter: SlackAdapter
) -> None:
    """A malformed event does not end the adapter."""
    heard = Heard()
    async with running(adapter, heard):
        server.dispatch("events_api", {"type": "event_callback", "event": {"type": "message", "user": "U1"}})
        server.say(server.general, "still there?")
        await heard.message()


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
@pytest.mark.parametrize("status", [0, 429, 503])
async def test_a_connect_that_fails_may_be_tried_again(
    server: SlackServer, adapter: SlackAdapter, method: str, status: int
) -> None:
    """Whatever fails before the socket is open is an error of ours, and the next run gets there."""
    server.faults.append(Fault(match=method, status=status, headers={"Retry-After": "0"} if status == 429 else {}))
    heard = Heard()
    if (method, status) != ("apps.connections.open", 429):  # that wait slack-sdk keeps by itself
        with pytest.raises(PlatformUnavailable):
            await adapter.run(heard, lambda: None)
    async with running(adapter, heard):
        server.say(server.general, "hello")
        await heard.message()


async def test_what_happens_while_the_socket_is_refreshed_is_heard(server: SlackServer, adapter: SlackAdapter) -> None:
    """Slack asks for a new connection every few hours; nothing is lost over it."""
    heard = Heard()
    async with running(adapter, heard):
        server.refresh()
        await server.until(lambda: server.connects == 2, "a second connection")
        server.say(server.general, "still there?")
        await heard.message()


@pytest.mark.parametrize("which", ["bot_token", "app_token"])
async def test_a_refused_token_ends_the_run_with_what_to_do(
    server: SlackServer, adapter: SlackAdapter, which: str
) -> None:
    """A wrong token is not tried again, and the variables are named with what Slack says."""
    setattr(server, which, "another")
    with pytest.raises(SettingsInvalid, match=r"SLACK_BOT_TOKEN or SLACK_APP_TOKEN: Slack says invalid_auth"):
        async with running(adapter, Heard()):
            pass
