"""One answer on Slack that is posted and edited, on bad days: nothing twice, nothing cut, nobody pinged."""

import asyncio

import pytest

from adapters.slack.client import SlackAdapter
from adapters.slack.session import Session
from adapters.slack.surface import SlackSurface
from adapters.slack.workspace import Workspace
from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable
from bot.events import Address, MessageReceived, MessageRef
from bot.ports import Button
from tests.fakes.model import FakeModel
from tests.fakes.reply import FakeDraft
from tests.servers.common import Fault
from tests.servers.harness import Heard, answer, running
from tests.servers.slack import SlackServer
from tests.slack.conftest import LIMITS, adapter_of

STOP = Button(action="stop", label="Stop", turn="f00d")


@pytest.fixture
def adapter(server: SlackServer) -> SlackAdapter:
    """One whose answers all readers see grow."""
    return adapter_of(server, channels="edit")


@pytest.fixture
async def surface(server: SlackServer, workspace: Workspace) -> SlackSurface:
    """The surface of a turn that answers a question of Alice's."""
    return surface_of(server, workspace, "f00d" * 8)


def surface_of(server: SlackServer, workspace: Workspace, turn: str) -> SlackSurface:
    asked = next(iter(server.general.messages), None) or server.ask(server.general, "well?")
    address = Address(channel=server.general.id, thread=asked.ts, reply_to=asked.ts)
    session = Session(workspace, address.channel, address.thread, "")
    return SlackSurface(workspace, session, address, turn, LIMITS, is_native=False)


async def ask(server: SlackServer, heard: Heard) -> MessageReceived:
    server.say(server.general, "well?")
    return await heard.message()


def shown(server: SlackServer) -> list[str]:
    return [message.shown for message in server.general.by(server.bot)]


# ---- through the whole adapter


async def test_a_long_answer_is_several_messages_in_the_thread(server: SlackServer, adapter: SlackAdapter) -> None:
    """What does not fit into one Markdown block goes on in the next message."""
    heard, text = Heard(), " ".join(f"word{number}" for number in range(3000))
    async with running(adapter, heard):
        event = await ask(server, heard)
        await answer(adapter, event, FakeDraft(), FakeModel(text))
    assert " ".join(shown(server)) == text
    assert [message.thread_ts for message in server.general.by(server.bot)] == [event.id] * 3


async def test_an_answer_pings_nobody(server: SlackServer, adapter: SlackAdapter) -> None:
    """Mentions that the model writes ring no bell, even where they come in pieces; real links stay."""
    heard, more = Heard(), asyncio.Event()
    async with running(adapter, heard):
        event = await ask(server, heard)
        model = FakeModel("<https://a.b|c> <!cha", more, f"nnel> <!subteam^S1> {server.alice.mention} <!-- note -->")
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), model))
        await server.until(lambda: server.general.by(server.bot), "a first post")
        more.set()
        await answering
    [message] = server.general.by(server.bot)
    assert message.pings == ()
    written = message.shown.replace("\u200b", "")
    assert written == f"<https://a.b|c> <!channel> <!subteam^S1> {server.alice.mention} <!-- note -->"
    assert message.shown.count("\u200b") == 3


@pytest.mark.parametrize("status", [0, 503])
@pytest.mark.parametrize("is_applied", [False, True])
async def test_a_post_whose_answer_is_lost_is_not_repeated(
    server: SlackServer, adapter: SlackAdapter, status: int, is_applied: bool
) -> None:
    """Whether Slack took the post or not before it failed, one message stands there in the end."""
    heard, more = Heard(), asyncio.Event()
    fault = Fault(match="chat.postMessage", status=status, is_applied=is_applied)
    server.faults.append(fault)
    async with running(adapter, heard):
        event = await ask(server, heard)
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), FakeModel("One ", more, "answer.")))
        await server.until(lambda: not fault.times, "a post that fails")
        more.set()
        await answering
    assert shown(server) == ["One answer."]


async def test_the_final_text_is_shown_after_a_rate_limit(server: SlackServer, adapter: SlackAdapter) -> None:
    """A 429 in mid-stream costs previews, not the end of the answer."""
    heard, more, rest = Heard(), asyncio.Event(), asyncio.Event()
    fault = Fault(match="chat.update", status=429, headers={"Retry-After": "0"})
    server.faults.append(fault)
    async with running(adapter, heard):
        event = await ask(server, heard)
        model = FakeModel("One, ", more, "two, ", rest, "three.")
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), model))
        await server.until(lambda: server.general.by(server.bot), "a first post")
        more.set()
        await server.until(lambda: not fault.times, "an edit that is refused")
        rest.set()
        await answering
    assert shown(server) == ["One, two, three."]


async def test_a_reply_outlives_the_run_until_the_adapter_is_closed(server: SlackServer, adapter: SlackAdapter) -> None:
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


# ---- the primitives


async def test_parts_are_found_by_their_metadata(
    server: SlackServer, workspace: Workspace, surface: SlackSurface
) -> None:
    """After a takeover the parts are found in the thread, through its pages, among other talk and other answers."""
    refs = [await surface.create(0, "one", ())]
    await surface_of(server, workspace, "beef" * 8).create(0, "another turn's", ())
    for number in range(250):
        server.say(server.general, f"talk {number}", thread_ts=server.general.messages[0].ts)
    refs.append(await surface.create(1, "two", ()))
    assert await surface.find() == list(enumerate(refs))
    assert len(server.named("conversations.replies")) == 3
    assert {call.body["include_all_metadata"] for call in server.named("conversations.replies")} == {"true"}


async def test_a_message_keeps_its_mark_when_it_is_edited(server: SlackServer, surface: SlackSurface) -> None:
    """An edit changes text and fallback; turn and part stay known."""
    ref = await surface.create(0, "old", ())
    await surface.edit(ref, "new & <b>bold</b>", ())
    [message] = server.general.by(server.bot)
    assert (message.versions, message.text) == (["old", "new & <b>bold</b>"], "new &amp; &lt;b&gt;bold&lt;/b&gt;")
    assert await surface.find() == [(0, ref)]


async def test_a_long_text_is_edited_in_full(server: SlackServer, surface: SlackSurface) -> None:
    """Slack limits the plain text of an edit to about 4,000 bytes: only the fallback is shortened for it."""
    ref = await surface.create(0, "…", ())
    await surface.edit(ref, "ü&" * 5000, ())
    assert shown(server) == ["ü&" * 5000]


async def test_edits_and_deletions_of_what_is_gone_say_so(server: SlackServer, surface: SlackSurface) -> None:
    """An unknown message is told apart from other refusals, for the reply creates it anew."""
    ref = MessageRef(channel=server.general.id, id="1.1")
    with pytest.raises(MessageGone):
        await surface.edit(ref, "x", ())
    with pytest.raises(MessageGone):
        await surface.delete(ref)


@pytest.mark.parametrize(
    ("fault", "error", "retry_in_s"),
    [
        (Fault(match="chat.*", status=200, body={"ok": False, "error": "not_in_channel"}), ReplyUndeliverable, None),
        (Fault(match="chat.*", status=200, body={"ok": False, "error": "is_archived"}), ReplyUndeliverable, None),
        (Fault(match="chat.*", status=200, body={"ok": False, "error": "fatal_error"}), PlatformUnavailable, 2.0),
        (Fault(match="chat.*", status=429, headers={"Retry-After": "7"}), PlatformUnavailable, 7.0),
        (Fault(match="chat.*", status=503), PlatformUnavailable, 2.0),
        (Fault(match="chat.*", status=0), PlatformUnavailable, 2.0),
    ],
)
async def test_refusals_are_errors_of_ours(
    server: SlackServer, surface: SlackSurface, fault: Fault, error: type[BotError], retry_in_s: float | None
) -> None:
    """What can help later is PlatformUnavailable, with Slack's own delay; what cannot is ReplyUndeliverable."""
    server.faults.append(fault)
    with pytest.raises(BotError) as caught:
        await surface.create(0, "x", ())
    assert isinstance(caught.value, error)
    assert caught.value.retry_in_s == retry_in_s


async def test_a_sign_that_is_refused_is_no_error(server: SlackServer, surface: SlackSurface) -> None:
    """A sign is a courtesy."""
    server.faults.append(Fault(match="a*.setStatus", status=200, body={"ok": False, "error": "fatal_error"}, times=2))
    await surface.sign()
    await surface.sign()
    await surface.sign()
    assert list(server.general.sessions.values()) == ["processing"]


# ---- what Slack refuses, in another shape


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long", "msg_too_long"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_refused_markdown_is_sent_as_plain_text(
    server: SlackServer, surface: SlackSurface, code: str, method: str
) -> None:
    """Nothing of the text is lost where Slack refuses it as Markdown."""
    text = "| a | b |\n" * 1000
    ref = await surface.create(0, "…", ()) if method == "chat.update" else None
    server.faults.append(Fault(match=method, status=200, body={"ok": False, "error": code}))
    if ref is None:
        await surface.create(0, text, ())
    else:
        await surface.edit(ref, text, ())
    [message] = server.general.by(server.bot)
    assert "".join(block["text"]["text"] for block in message.blocks) == text
    assert message.text


async def test_a_growing_answer_has_a_stop_button(server: SlackServer, adapter: SlackAdapter) -> None:
    """Who watches an answer that is edited can stop it; a whole one has its own controls instead."""
    heard, more = Heard(), asyncio.Event()
    async with running(adapter, heard):
        event = await ask(server, heard)
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), FakeModel("One ", more, "answer.")))
        await server.until(lambda: server.general.by(server.bot), "a first post")
        [message] = server.general.by(server.bot)
        assert message.buttons == {"parley:stop": "t1"}
        more.set()
        await answering
    assert message.buttons == {}
    assert server.named("chat.*Stream") == []
