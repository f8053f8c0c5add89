"""One answer on Discord under bad days: nothing twice, nothing cut, nobody pinged, and errors that are ours."""

import asyncio

import discord
import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.desk import Desk
from adapters.discord.reply import DiscordSurface
from bot.errors import MessageGone, PlatformUnavailable, ReplyUndeliverable, SettingsInvalid
from bot.events import Action, Address, MessageReceived, MessageRef
from bot.ports import Button
from tests.discord.conftest import LIMITS
from tests.fakes.model import FakeModel
from tests.fakes.reply import FakeDraft
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Clock, Fault
from tests.servers.discord import NONCE_S, DiscordServer
from tests.servers.harness import Heard, answer, running

POST, PATCH, HISTORY = "POST /channels/*/messages", "PATCH /channels/*/messages/*", "GET /channels/*/messages"


@pytest.fixture
def surface(server: DiscordServer, client: discord.Client) -> DiscordSurface:
    """The surface of a turn that answers a question of Alice's."""
    return surface_of(server, client, "f00d" * 8)


def surface_of(server: DiscordServer, client: discord.Client, turn: str) -> DiscordSurface:
    asked = next(iter(server.general.messages), None) or server.ask(server.general, "well?")
    return DiscordSurface(desk(server, client), Address(channel=server.general.id, reply_to=asked.id), turn)


def desk(server: DiscordServer, client: discord.Client, *, pings_asker: bool = False) -> Desk:
    return Desk(client=lambda: client, shelf=FakeShelf(), limits=LIMITS, pings_asker=pings_asker, clock=server.clock)


async def ask(server: DiscordServer, heard: Heard) -> MessageReceived:
    server.ask(server.general, "well?")
    return await heard.message()


def shown(server: DiscordServer) -> list[str]:
    return [message.content for message in server.general.by(server.bot)]


# ---- through the whole adapter


async def test_a_long_answer_is_several_messages_that_reply_to_the_question(
    server: DiscordServer, adapter: DiscordAdapter
) -> None:
    """Every part is a reply to the question, so that readers and takeovers know whose answer it is."""
    heard, text = Heard(), " ".join(f"word{number}" for number in range(600))
    async with running(adapter, heard):
        event = await ask(server, heard)
        await answer(adapter, event, FakeDraft(), FakeModel(text))
    parts = server.general.by(server.bot)
    assert " ".join(part.content for part in parts) == text
    assert [part.reply_to for part in parts] == [event.id] * 3


async def test_an_answer_pings_nobody(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Mentions that the model writes notify nobody, neither in a new message nor in an edit."""
    heard, more = Heard(), asyncio.Event()
    async with running(adapter, heard):
        event = await ask(server, heard)
        model = FakeModel("@everyone and @here. ", more, f"And {server.alice.mention}.")
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), model))
        await server.until(lambda: server.general.by(server.bot), "a first post")
        more.set()
        await answering
    assert [message.pings for message in server.general.by(server.bot)] == [()]
    assert [call.body["allowed_mentions"] for name in (POST, PATCH) for call in server.named(name)] == [
        {"parse": []}
    ] * 2


@pytest.mark.parametrize("status", [0, 503])
@pytest.mark.parametrize("is_applied", [False, True])
async def test_a_post_whose_answer_is_lost_is_not_repeated(
    server: DiscordServer, adapter: DiscordAdapter, status: int, is_applied: bool
) -> None:
    """Whether Discord took the post or not before it failed, one message stands there in the end."""
    heard, more = Heard(), asyncio.Event()
    fault = Fault(match=POST, status=status, is_applied=is_applied)
    server.faults.append(fault)
    async with running(adapter, heard):
        event = await ask(server, heard)
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), FakeModel("One ", more, "answer.")))
        await server.until(lambda: not fault.times, "a post that fails")
        more.set()
        await answering
    assert shown(server) == ["One answer."]


@pytest.mark.parametrize(("status", "is_applied"), [(503, False), (503, True), (0, False), (0, True), (429, False)])
async def test_a_part_that_fails_is_tried_again_alone(
    server: DiscordServer, adapter: DiscordAdapter, status: int, is_applied: bool
) -> None:
    """The second of three messages fails: all three stand there once, in their order, and the first was not touched."""
    heard, more, words = Heard(), asyncio.Event(), " ".join(f"word{number}" for number in range(600))
    async with running(adapter, heard):
        event = await ask(server, heard)
        answering = asyncio.create_task(
            answer(adapter, event, FakeDraft(), FakeModel(words[:1500], more, words[1500:]))
        )
        await server.until(lambda: server.general.by(server.bot), "a first post")
        server.faults.append(Fault(match=POST, status=status, is_applied=is_applied, body={"retry_after": 0.01}))
        more.set()
        await answering
    assert " ".join(shown(server)) == words
    assert len(shown(server)) == 3
    assert len(server.general.by(server.bot)[0].versions) == 2


async def test_a_reply_outlives_the_run_until_the_adapter_is_closed(
    server: DiscordServer, adapter: DiscordAdapter
) -> None:
    """While the process drains, an answer that has begun is still delivered."""
    heard, ready = Heard(), asyncio.Event()
    life = asyncio.create_task(adapter.run(heard, ready.set))
    await ready.wait()
    event = await ask(server, heard)
    life.cancel()
    await asyncio.wait({life})
    await answer(adapter, event, FakeDraft(), FakeModel("Late, but whole."))
    await adapter.close()
    assert shown(server) == ["Late, but whole."]


async def in_a_second_run(server: DiscordServer, adapter: DiscordAdapter, surface: DiscordSurface) -> None:
    async with running(adapter, Heard()):
        await surface.create(1, "in time again", ())


async def test_a_reply_waits_for_a_login(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Before Discord was reached, while it is reached anew, and after the end, a reply is told to try again."""
    surface = DiscordSurface(adapter._desk, Address(channel=server.general.id, reply_to="1"), "f00d")
    with pytest.raises(PlatformUnavailable):
        await surface.create(0, "too early", ())
    ready = asyncio.Event()
    run = asyncio.create_task(adapter.run(Heard(), ready.set))
    await ready.wait()
    await surface.create(0, "in time", ())
    server.drop(4013)
    with pytest.raises(SettingsInvalid):
        await run
    server.faults.append(Fault(match="GET /users/@me", status=200, is_held=True))
    async with asyncio.TaskGroup() as group:
        group.create_task(in_a_second_run(server, adapter, surface))
        await server.until(lambda: server.held, "a second login")
        with pytest.raises(PlatformUnavailable):
            await surface.create(1, "too early again", ())
        server.release()
    with pytest.raises(PlatformUnavailable):
        await surface.create(2, "too late", ())
    assert shown(server) == ["in time", "in time again"]


# ---- the primitives


async def test_the_same_part_is_posted_once(server: DiscordServer, surface: DiscordSurface) -> None:
    """A part that is created again within minutes is the same message, and shows the newer text."""
    first = await surface.create(0, "old", ())
    assert await surface.create(0, "new", ()) == first
    assert [message.versions for message in server.general.by(server.bot)] == [["old", "new"]]
    assert all(len(call.body["nonce"]) <= 25 and call.body["enforce_nonce"] for call in server.named(POST))


async def test_a_part_that_somebody_deleted_is_posted_anew(server: DiscordServer, surface: DiscordSurface) -> None:
    """Discord refuses the nonce of a deleted message; the answer appears all the same."""
    await surface.create(0, "old", ())
    server.delete(server.general.by(server.bot)[0])
    await surface.create(0, "new", ())
    assert shown(server) == ["new"]


async def test_parts_are_found_when_their_nonces_are_forgotten(
    server: DiscordServer, client: discord.Client, surface: DiscordSurface, clock: Clock
) -> None:
    """Hours later the parts are found as our replies to the question, among other talk and other answers."""
    refs = [await surface.create(0, "one", ())]
    another = server.ask(server.general, "and me?", author=server.world.add_user("Bob"))
    other = DiscordSurface(desk(server, client), Address(channel=server.general.id, reply_to=another.id), "beef" * 8)
    await other.create(0, "for Bob", ())
    refs.append(await surface.create(1, "two", ()))
    server.say(server.general, "I reply too", reply_to=str(surface._asked))
    clock.advance(60 * NONCE_S)
    assert await surface.find() == list(enumerate(refs))


async def test_without_the_right_to_read_nothing_is_found(server: DiscordServer, surface: DiscordSurface) -> None:
    """Where the history is closed to us the nonce has to do, so looking is no error."""
    server.faults.append(Fault(match=HISTORY, status=403, body={"code": 50001, "message": "Missing Access"}))
    assert await surface.find() == []


async def test_a_deleted_question_is_answered_without_the_reference(
    server: DiscordServer, surface: DiscordSurface
) -> None:
    """A reply to what is gone is posted as an ordinary message."""
    server.delete(server.general.messages[0])
    await surface.create(0, "here", ())
    assert [(message.content, message.reply_to) for message in server.general.by(server.bot)] == [("here", "")]


async def test_edits_and_deletions_of_what_is_gone_say_so(server: DiscordServer, surface: DiscordSurface) -> None:
    """An unknown message is told apart from other refusals, for the reply creates it anew."""
    ref = MessageRef(channel=server.general.id, id="1")
    with pytest.raises(MessageGone):
        await surface.edit(ref, "x", ())
    with pytest.raises(MessageGone):
        await surface.delete(ref)


async def test_a_post_that_is_refused_in_itself_loses_its_reference(
    server: DiscordServer, surface: DiscordSurface
) -> None:
    """Discord refuses to reply to some messages (system messages, say): the rest comes without."""
    for code, message in ((50035, "Invalid Form Body"), (160002, "Cannot reply")):
        body = {
            "code": code,
            "message": message,
            "errors": {"message_reference": {"_errors": [{"code": "X", "message": "Y"}]}},
        }
        server.faults.append(Fault(match=POST, status=400, body=body))
        await surface.create(len(shown(server)), f"after {code}", ())
    assert [(message.content, message.reply_to) for message in server.general.by(server.bot)] == [
        ("after 50035", ""),
        ("after 160002", ""),
    ]
    assert len(server.named(POST)) == 4


async def test_what_hides_behind_a_deleted_message_is_found_out(server: DiscordServer, surface: DiscordSurface) -> None:
    """10008 is said of a nonce and of a reference: first another nonce is tried, then no reference."""
    body = {"code": 10008, "message": "Unknown Message"}
    server.faults.append(Fault(match=POST, status=404, body=body, times=2))
    await surface.create(0, "here", ())
    nonces = [call.body["nonce"] for call in server.named(POST)]
    assert len(set(nonces)) == 3
    assert [message.reply_to for message in server.general.by(server.bot)] == [""]


async def test_too_long_a_message_is_refused_for_good(surface: DiscordSurface) -> None:
    """Discord's own limit is an error that no retry heals; the reply's limits keep below it."""
    with pytest.raises(ReplyUndeliverable):
        await surface.create(0, "x" * 2001, ())


async def test_a_short_rate_limit_is_waited_for(server: DiscordServer, surface: DiscordSurface) -> None:
    """A 429 with the time to wait costs that time and nothing else."""
    server.faults.append(Fault(match=POST, status=429, body={"retry_after": 0.01}))
    await surface.create(0, "patience", ())
    assert shown(server) == ["patience"]


async def test_a_sign_that_is_refused_is_no_error(server: DiscordServer, surface: DiscordSurface) -> None:
    """Typing is a courtesy."""
    server.faults.append(Fault(match="POST /channels/*/typing", status=403))
    await surface.sign()
    await surface.sign()
    assert len(server.general.typed) == 1


# ---- buttons


LABELS: dict[Action, str] = {
    "retry": "Regenerate",
    "up": "Good",
    "down": "Bad",
    "why": "Why?",
    "delete": "Delete",
}
BUTTONS = tuple(Button(action=action, label=label, turn="f00d" * 8) for action, label in LABELS.items())


def controls(server: DiscordServer) -> list[list[str]]:
    return [message.buttons for message in server.general.by(server.bot)]


async def test_four_buttons_are_shown_as_they_are(server: DiscordServer, surface: DiscordSurface) -> None:
    """Their custom ids tell all that is needed, so they outlive this process, and discord.py keeps none of them."""
    await surface.create(0, "here", BUTTONS[:4])
    turn = "f00d" * 8
    assert controls(server) == [[f"parley:{action}:{turn}" for action in ("retry", "up", "down", "why")]]
    [row] = server.general.by(server.bot)[0].components
    assert [(item.get("label"), item["emoji"]["name"] if "emoji" in item else "") for item in row["components"]] == [
        ("Regenerate", "\U0001f504"),
        (None, "\U0001f44d"),
        (None, "\U0001f44e"),
        ("Why?", ""),
    ]
    assert surface._desk.client().persistent_views == []


async def test_of_more_than_four_buttons_the_last_ones_are_behind_a_menu(
    server: DiscordServer, surface: DiscordSurface
) -> None:
    """The first three stand there; the fourth opens a menu of the others, which it names."""
    await surface.create(0, "here", BUTTONS)
    turn = "f00d" * 8
    assert controls(server) == [
        [*(f"parley:{action}:{turn}" for action in ("retry", "up", "down")), f"parley:more:{turn}:why,delete"]
    ]


async def test_buttons_go_with_the_edit_that_takes_them_away(server: DiscordServer, surface: DiscordSurface) -> None:
    """An edit without buttons leaves none."""
    ref = await surface.create(0, "here", BUTTONS)
    await surface.edit(ref, "here", ())
    assert controls(server) == [[]]


async def test_the_same_nonce_gets_the_newer_buttons(server: DiscordServer, surface: DiscordSurface) -> None:
    """A part that is there already with the same text and other buttons gets these."""
    await surface.create(0, "here", BUTTONS[:1])
    await surface.create(0, "here", BUTTONS[1:2])
    assert controls(server) == [[f"parley:up:{'f00d' * 8}"]]


async def test_an_answer_can_be_stopped_while_it_grows(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A Stop button stands under the text while it comes, and is gone with the end."""
    heard, more = Heard(), asyncio.Event()
    async with running(adapter, heard):
        event = await ask(server, heard)
        answering = asyncio.create_task(answer(adapter, event, FakeDraft("t7"), FakeModel("One. ", more, "Two.")))
        await server.until(lambda: server.general.by(server.bot), "a first post")
        assert controls(server) == [["parley:stop:t7"]]
        more.set()
        await answering
    assert controls(server) == [[]]


async def test_buttons_tell_whose_a_message_is(server: DiscordServer, client: discord.Client) -> None:
    """The question was deleted: what streams is still found, by its Stop button. That of another turn is not ours."""
    mine, other = surface_of(server, client, "f00d" * 8), surface_of(server, client, "beef" * 8)
    await other.create(0, "another answer to it", (Button(action="stop", label="Stop", turn="beef" * 8),))
    server.delete(server.general.messages[0])
    ref = await mine.create(0, "half an ans", (Button(action="stop", label="Stop", turn="f00d" * 8),))
    assert server.general.by(server.bot)[-1].reply_to == ""
    assert await mine.find() == [(0, ref)]


# ---- mentions


async def test_only_the_asker_may_be_pinged_and_only_by_setting(server: DiscordServer, client: discord.Client) -> None:
    """With the setting the asker hears of the answer, by the reply and by name; nobody else does, in edits neither."""
    asked, bob = server.ask(server.general, "well?"), server.world.add_user("Bob")
    address = Address(channel=server.general.id, reply_to=asked.id, recipient=server.alice.id)
    surface = DiscordSurface(desk(server, client, pings_asker=True), address, "f00d")
    text = f"@everyone, {bob.mention}, {server.alice.mention}"
    ref = await surface.create(0, text, ())
    assert server.general.by(server.bot)[0].pings == (server.alice.id,)
    await surface.edit(ref, text + "!", ())
    allowed = {"parse": [], "users": [int(server.alice.id)], "replied_user": True}
    assert [call.body["allowed_mentions"] for name in (POST, PATCH) for call in server.named(name)] == [allowed] * 2


# ---- old messages


@pytest.mark.parametrize("age_s", [3500.0, 3700.0])
async def test_old_messages_are_not_edited(
    server: DiscordServer, surface: DiscordSurface, clock: Clock, age_s: float
) -> None:
    """After an hour a message gives its place to a new one."""
    ref = await surface.create(0, "old", ())
    clock.advance(age_s)
    if age_s < 3600:
        await surface.edit(ref, "new", ())
        assert shown(server) == ["new"]
    else:
        with pytest.raises(MessageGone):
            await surface.edit(ref, "new", ())
        assert shown(server) == []
        assert server.named(PATCH) == []


async def test_a_message_that_was_edited_too_often_gives_its_place(
    server: DiscordServer, surface: DiscordSurface
) -> None:
    """Discord says 30046 earlier than we thought: the same is done."""
    ref = await surface.create(0, "old", ())
    server.faults.append(Fault(match=PATCH, status=400, body={"code": 30046, "message": "Too many edits"}))
    with pytest.raises(MessageGone):
        await surface.edit(ref, "new", ())
    assert shown(server) == []


# ---- long answers


async def test_a_very_long_answer_is_attached(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Five messages are written; of what is longer they show the beginning, and the whole is a file at the last."""
    heard, text = Heard(), "\n\n".join(f"{number}. " + "word " * 100 for number in range(40))
    async with running(adapter, heard):
        event = await ask(server, heard)
        await answer(adapter, event, FakeDraft(), FakeModel(text))
    messages = server.general.by(server.bot)
    assert [message.files for message in messages] == [[], [], [], [], [text]]
    assert messages[-1].content.endswith("*(This is its beginning; the whole answer is in the file.)*")
    assert all(len(message.content) <= 1990 for message in messages)


async def test_a_table_is_shown_in_columns(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """What the model writes as a table reaches readers as aligned text."""
    heard = Heard()
    async with running(adapter, heard):
        event = await ask(server, heard)
        await answer(adapter, event, FakeDraft(), FakeModel("| a | b |\n|---|---|\n| 1 | 2 |"))
    assert shown(server) == ["```\na  b\n-  -\n1  2\n```"]
