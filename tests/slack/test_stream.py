"""Answers on native streams: whole and once, whatever Slack refuses, ends or loses on the way."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.client import SlackAdapter
from adapters.slack.markup import harmless, settled
from bot.events import MessageReceived
from bot.pacing import Limits, split
from bot.ports import Button
from tests.fakes.reply import FakeDraft
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Clock, Fault
from tests.servers.harness import Heard, running
from tests.servers.slack import SlackServer
from tests.servers.slack_world import Message
from tests.slack.conftest import adapter_of

FIRST, REST = "One half of it. ", "And then the other one."


def refusal(method: str, code: str, *, times: int = 1) -> Fault:
    return Fault(match=method, status=200, body={"ok": False, "error": code}, times=times)


def shown(server: SlackServer) -> list[str]:
    return [message.shown for message in server.general.by(server.bot)]


def calls(server: SlackServer) -> list[str]:
    """What was called that shows text, in order."""
    texts = ("chat.startStream", "chat.appendStream", "chat.stopStream", "chat.postMessage", "chat.update")
    return [call.name for call in server.calls if call.name in texts]


async def answered(
    server: SlackServer,
    adapter: SlackAdapter,
    meanwhile: Callable[[], None],
    *rest: str,
) -> MessageReceived:
    """An answer whose first half is shown before something happens; the rest comes after it, each piece shown."""
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "well?")
        event = await heard.message()
        async with adapter.reply(event.address, FakeDraft()) as reply:
            text = FIRST
            reply.show(text)
            await server.until(lambda: FIRST.strip() in "".join(shown(server)), "the first half")
            meanwhile()
            for piece in rest or (REST,):
                text += piece
                reply.show(text)
                await server.until(lambda: len(calls(server)) > 1 or not rest, "something is called")
            await reply.finish(text, BUTTONS)
    return event


BUTTONS = tuple(
    Button(action=action, label=action.title(), turn="t1")
    for action in ("up", "down", "retry", "continue", "delete", "why")
)


def mark(message: Message) -> object:
    return message.metadata.get("event_payload")


# ---- as it should be


async def test_an_answer_is_streamed_to_who_asked(server: SlackServer, adapter: SlackAdapter) -> None:
    """Started for the asker in the thread, appended, stopped with its controls, its mark and the end of the session."""
    event = await answered(server, adapter, lambda: None, "And then ", "the other one.")
    [message] = server.general.by(server.bot)
    start, *_, stop = [call for call in server.calls if call.name.endswith("Stream")]
    assert calls(server)[0] == "chat.startStream"
    assert set(calls(server)) <= {"chat.startStream", "chat.appendStream", "chat.stopStream"}
    assert (start.body["recipient_team_id"], start.body["recipient_user_id"]) == ("T0TEAM", server.alice.id)
    assert (start.body["thread_ts"], message.thread_ts) == (event.id, event.id)
    assert message.shown == FIRST + REST
    assert mark(message) == {"turn": "t1", "part": 0}
    assert stop.body["session_status"] == "active"
    assert server.general.sessions == {event.id: "active"}
    assert [call.body["status"] for call in server.named("agents.sessions.setStatus")] == ["processing"]


async def test_the_controls_under_an_answer(server: SlackServer, adapter: SlackAdapter) -> None:
    """Thumbs and the weightiest buttons are seen, the others are in a menu; each carries its turn."""
    await answered(server, adapter, lambda: None)
    [message] = server.general.by(server.bot)
    assert message.buttons == {f"parley:{button.action}": "t1" for button in BUTTONS}
    kinds = [(item["type"], item["action_id"]) for block in message.blocks[1:] for item in block["elements"]]
    assert kinds == [
        ("feedback_buttons", "parley:rate"),
        ("button", "parley:retry"),
        ("button", "parley:continue"),
        ("overflow", "parley:more"),
    ]


async def test_an_answer_that_comes_at_once_needs_no_stream(server: SlackServer, adapter: SlackAdapter) -> None:
    """Starts and stops are dear: what is whole when it is first written is posted."""
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "well?")
        event = await heard.message()
        async with adapter.reply(event.address, FakeDraft()) as reply:
            await reply.finish("Yes.")
        await server.until(lambda: server.general.sessions.get(event.id) != "processing", "the session ends")
    assert (calls(server), shown(server)) == (["chat.postMessage"], ["Yes."])


async def test_a_long_answer_rolls_over_to_fresh_streams(server: SlackServer, adapter: SlackAdapter) -> None:
    """Each message ends before Slack's limit, at a paragraph; no call carries more than 12,000 characters."""
    paragraphs = [f"Paragraph {number}. " + "word " * 180 for number in range(32)]
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "well?")
        event = await heard.message()
        async with adapter.reply(event.address, FakeDraft()) as reply:
            for count in range(4, 33, 4):
                reply.show("\n\n".join(paragraphs[:count]))
                before = len(server.calls)
                await server.until(lambda before=before: len(server.calls) > before, "more is shown")  # type: ignore[misc]
            await reply.finish("\n\n".join(paragraphs))
    texts = shown(server)
    assert "".join("".join(texts).split()) == "".join("".join(paragraphs).split())
    assert len(texts) == 3
    assert all(text.startswith("Paragraph") and len(text) <= 11_000 for text in texts)
    assert len(server.named("chat.startStream")) >= 2
    sizes = [sum(len(chunk["text"]) for chunk in call.body.get("chunks", ())) for call in server.named("chat.*Stream")]
    assert max(sizes) <= 12_000
    assert {message.metadata["event_payload"]["part"] for message in server.general.by(server.bot)} == {0, 1, 2}


async def test_code_is_streamed_without_the_splitters_fence(server: SlackServer, adapter: SlackAdapter) -> None:
    """A code block that still grows is not closed and opened again: its text is appended."""
    pieces = ("\n\n```python\na = 1\n", "b = 2\n", "```\n\nThat is it.")
    await answered(server, adapter, lambda: None, *pieces)
    [message] = server.general.by(server.bot)
    assert message.shown == FIRST + "".join(pieces)
    assert server.named("chat.update") == []


@pytest.mark.parametrize("channels", ["native", "edit"])
async def test_channels_can_be_edited_instead(server: SlackServer, channels: str) -> None:
    """Where all should see an answer grow it is posted and edited; a direct message streams all the same."""
    await answered(server, adapter_of(server, channels=channels), lambda: None)
    assert ("chat.startStream" in calls(server)) is (channels == "native")
    heard, direct, adapter = Heard(), server.world.add_direct(server.alice), adapter_of(server, channels=channels)
    async with running(adapter, heard):
        server.say(direct, "and you?")
        event = await heard.message()
        async with adapter.reply(event.address, FakeDraft("t2")) as reply:
            reply.show(FIRST)
            await server.until(lambda: direct.by(server.bot), "an answer")
            await reply.finish(FIRST)
    [message] = direct.by(server.bot)
    assert message.stream_ends_at == 0.0
    assert server.named("chat.startStream")[-1].body["channel"] == direct.id


# ---- what Slack refuses


@pytest.mark.parametrize(
    ("code", "is_lasting"),
    [
        ("unknown_method", True),
        ("not_authorized", True),
        ("feature_not_enabled", True),
        ("method_deprecated", True),
        ("missing_scope", True),
        ("missing_recipient_team_id", False),
        ("channel_type_not_supported", False),
        ("ratelimited", False),
    ],
)
async def test_a_stream_refused_at_the_start(
    server: SlackServer, adapter: SlackAdapter, code: str, is_lasting: bool
) -> None:
    """The answer is posted and edited instead; what is refused for good is not tried with the next answer."""
    fault = refusal("chat.startStream", code)
    if code == "ratelimited":
        fault = Fault(match="chat.startStream", status=429, headers={"Retry-After": "30"})
    server.faults.append(fault)
    heard = Heard()
    async with running(adapter, heard):
        for number in (1, 2):
            server.ask(server.general, "well?")
            event = await heard.message(number)
            async with adapter.reply(event.address, FakeDraft(f"t{number}")) as reply:
                reply.show(FIRST)
                await server.until(lambda number=number: len(shown(server)) == number, "the first half")  # type: ignore[misc]
                await reply.finish(FIRST + REST)
    assert shown(server) == [FIRST + REST] * 2
    is_held = code == "ratelimited"
    assert len(server.named("chat.startStream")) == (1 if is_lasting or is_held else 2)


@pytest.mark.parametrize(
    "code",
    ["message_not_in_streaming_state", "unknown_method", "not_authorized", "feature_not_enabled", "method_deprecated"],
)
async def test_a_stream_refused_in_mid_answer(server: SlackServer, adapter: SlackAdapter, code: str) -> None:
    """Its message is edited from then on; the reader has the whole text once."""
    await answered(server, adapter, lambda: server.faults.append(refusal("chat.appendStream", code)), REST)
    assert shown(server) == [FIRST + REST]
    assert len(server.named("chat.update")) in (1, 2)


@pytest.mark.parametrize("code", ["message_not_in_streaming_state", "invalid_blocks", "msg_too_long", "fatal_error"])
async def test_a_stream_refused_at_the_stop(server: SlackServer, adapter: SlackAdapter, code: str) -> None:
    """Its message is edited to the whole text; nothing of it is lost or there twice."""
    server.faults.append(refusal("chat.stopStream", code))
    await answered(server, adapter, lambda: None)
    [message] = server.general.by(server.bot)
    assert message.shown == FIRST + REST
    assert mark(message) == {"turn": "t1", "part": 0}
    assert message.buttons.keys() >= {"parley:retry", "parley:up"}
    assert not server.streams.is_live(message) or code == "message_not_in_streaming_state"


async def test_a_stream_that_expires_in_mid_answer(server: SlackServer, adapter: SlackAdapter, clock: Clock) -> None:
    """Slack ends it after five minutes whatever flows: the rest comes by edits, in the same message."""
    event = await answered(server, adapter, lambda: clock.advance(301), REST)
    assert shown(server) == [FIRST + REST]
    assert server.general.sessions[event.id] == "active"


async def test_a_stream_that_was_stopped_by_its_reader(server: SlackServer, adapter: SlackAdapter) -> None:
    """Slack's own Stop ends the stream: what the turn still says is edited in, and the session is released."""

    def stop() -> None:
        [message] = server.general.by(server.bot)
        server.acts.stop(server.general, message.thread_ts)

    event = await answered(server, adapter, stop, "\n\n*(stopped)*")
    assert shown(server) == [FIRST + "\n\n*(stopped)*"]
    assert server.general.sessions[event.id] == "active"


async def test_a_stream_is_ended_before_slack_does_it(server: SlackServer, clock: Clock) -> None:
    """After four minutes it is stopped, its session kept, and its message edited."""
    adapter = adapter_of(server)
    adapter._workspace.clock = clock
    event = await answered(server, adapter, lambda: clock.advance(241), REST)
    statuses = [call.body["session_status"] for call in server.named("chat.stopStream")]
    assert shown(server) == [FIRST + REST]
    assert statuses in (["processing"], ["active"])
    assert server.general.sessions[event.id] == "active"


@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
@pytest.mark.parametrize("is_applied", [False, True])
@pytest.mark.parametrize("status", [0, 503])
async def test_a_call_whose_answer_is_lost_doubles_nothing(
    server: SlackServer, adapter: SlackAdapter, method: str, is_applied: bool, status: int
) -> None:
    """Nothing is appended to text of unknown length: such a stream is stopped, then its message is edited."""
    server.faults.append(Fault(match=method, status=status, is_applied=is_applied))
    await answered(server, adapter, lambda: None, "And then ", "the other one.")
    assert shown(server) == [FIRST + REST]
    assert not any(server.streams.is_live(message) for message in server.general.messages)


async def test_a_429_of_appends_skips_growing_text_alone(server: SlackServer, adapter: SlackAdapter) -> None:
    """Its Retry-After holds the appends; the end of the answer does not wait for it."""
    fault = Fault(match="chat.appendStream", status=429, headers={"Retry-After": "60"})
    server.faults.append(fault)
    async with asyncio.timeout(10):
        await answered(server, adapter, lambda: None, "And then ", "the other one.")
    assert shown(server) == [FIRST + REST]
    assert len(server.named("chat.appendStream")) <= 1
    assert server.named("chat.update") == []


async def test_beyond_the_places_answers_are_edited(server: SlackServer) -> None:
    """Where all places for streams are lent, an answer is posted and edited."""
    shelf = FakeShelf()
    shelf.kept |= {f"T0TEAM:stream:{number}": "somebody" for number in range(20)}
    await answered(server, adapter_of(server, shelf), lambda: None)
    assert (shown(server), server.named("chat.startStream")) == ([FIRST + REST], [])


# ---- who takes over


async def test_a_dead_workers_stream_is_stopped_then_overwritten(server: SlackServer) -> None:
    """The next worker does not know how much is shown: it stops the stream and edits its message."""
    shelf, draft, heard = FakeShelf(), FakeDraft(), Heard()
    first, second = adapter_of(server, shelf), adapter_of(server, shelf)
    async with running(first, heard):
        server.ask(server.general, "well?")
        event = await heard.message()
        async with first.reply(event.address, draft) as reply:
            reply.show("It was going to say something else")
            await server.until(lambda: shown(server), "a first post")
            await server.until(lambda: draft.refs.get(0) is not None, "it is recorded", within_s=0.2)
    assert server.streams.is_live(server.general.by(server.bot)[0])
    async with second.reply(event.address, draft.takeover()) as reply:
        await reply.finish("The answer.")
    await second.close()
    [message] = server.general.by(server.bot)
    assert (message.shown, mark(message)) == ("The answer.", {"turn": "t1", "part": 0})
    assert not server.streams.is_live(message)
    assert [name for name in shelf.kept if name.startswith("stream:")] == []


@pytest.mark.parametrize("has_claim", [False, True])
async def test_a_stream_that_nobody_recorded_is_found(server: SlackServer, has_claim: bool) -> None:
    """A worker dies right after the start of its stream: the next one finds it in the thread, among others' streams."""
    shelf, heard, adapter = FakeShelf(), Heard(), adapter_of(server, FakeShelf())
    adapter = adapter_of(server, shelf)
    async with running(adapter, heard):
        asked = server.ask(server.general, "well?")
        event = await heard.message()
        for text in ("lost", "another turn's"):
            await adapter._web.api_call(
                "chat.startStream",
                json={
                    "channel": server.general.id,
                    "thread_ts": asked.ts,
                    "recipient_team_id": "T0TEAM",
                    "recipient_user_id": "U0",
                    "chunks": [{"type": "markdown_text", "text": text}],
                },
            )
        lost, other = server.general.by(server.bot)
        shelf.kept[f"stream:{server.general.id}:{other.ts}"] = "t9:0"
        if has_claim:
            shelf.kept[f"stream:{server.general.id}:{lost.ts}"] = "t1:0"
        draft = FakeDraft(is_takeover=True)
        async with adapter.reply(event.address, draft) as reply:
            await reply.finish("The answer.")
    assert (lost.shown, other.shown) == ("The answer.", "another turn's")
    assert len(server.general.by(server.bot)) == 2
    assert not server.streams.is_live(lost)
    assert server.streams.is_live(other)


async def test_a_reply_before_the_connection_knows_whose_messages_are_ours(server: SlackServer) -> None:
    """A worker takes a turn over before its process has connected: it finds the lost stream all the same."""
    shelf, heard, draft = FakeShelf(), Heard(), FakeDraft(lost_at="ref 0")
    first, second = adapter_of(server, shelf), adapter_of(server, shelf)
    async with running(first, heard):
        server.ask(server.general, "well?")
        event = await heard.message()
        async with first.reply(event.address, draft) as reply:
            reply.show("It was going to say something else")
            await server.until(lambda: shown(server), "a first post")
            await server.until(lambda: draft.is_lost, "its record is lost", within_s=1.0)
    shelf.kept = {key: value for key, value in shelf.kept.items() if not key.startswith("stream:")}
    async with second.reply(event.address, draft.takeover()) as reply:
        await reply.finish("The answer.")
    await second.close()
    assert shown(server) == ["The answer."]


async def test_two_answers_in_one_thread_do_not_take_each_others_streams(server: SlackServer) -> None:
    """One start seems to fail and is looked for; the other answer's stream is left alone."""
    shelf, heard = FakeShelf(), Heard()
    adapter = adapter_of(server, shelf)
    server.faults.append(Fault(match="chat.startStream", status=0, is_applied=True))
    async with running(adapter, heard):
        asked = server.ask(server.general, "well?")
        event = await heard.message()
        address = replace(event.address, reply_to=asked.ts)
        async with adapter.reply(address, FakeDraft("t1")) as one, adapter.reply(address, FakeDraft("t2")) as two:
            for count in range(1, 6):
                one.show("One. " * count)
                two.show("Two. " * count)
                await asyncio.sleep(0.02)
            await asyncio.gather(one.finish("For Ada."), two.finish("For Bob."))
    assert sorted(shown(server)) == ["For Ada.", "For Bob."]


# ---- what a stream shows never rings, and only grows

LOUD = st.sampled_from(["<!channel>", "<!here|x>", "<!everyone>", "<!subteam^S1>", "<@U1>", "<@W1>", "<", "!", "<@"])
TEXTS = st.lists(LOUD | st.sampled_from([" ", "a.", "\n", "```", "```py", "~~~", "> "]) | st.text(max_size=3)).map(
    "".join
)


@given(TEXTS, st.lists(st.integers(min_value=0, max_value=60)))
def test_no_border_of_chunks_lets_a_mention_through(text: str, borders: list[int]) -> None:
    """However the model's text comes in pieces, what a stream has shown only grows, and nothing in it rings."""
    limits, streamed = Limits(characters=1_000, cadence_s=1.0, sign_every_s=1.0), ""
    for end in [*sorted(borders), len(text)]:
        pages = split(harmless(text[:end]), limits)
        page = settled(pages[0].text) if pages else ""
        if page.startswith(streamed):
            streamed = page
        message = Message(ts="1", channel="C", author=None, text=streamed)  # type: ignore[arg-type]
        assert message.pings == ()
    whole = split(harmless(text), limits)
    assert not whole or whole[0].text.startswith(streamed)


async def test_a_message_that_is_deleted_in_mid_stream_is_written_anew(server: SlackServer) -> None:
    """Somebody deletes it while it grows: the whole answer stands in a new one, and the old one's place is free."""
    shelf = FakeShelf()

    def delete() -> None:
        [message] = server.general.by(server.bot)
        server.delete(message)

    await answered(server, adapter_of(server, shelf), delete, REST)
    assert shown(server) == [FIRST + REST]
    assert {value for key, value in shelf.kept.items() if key.startswith("T0TEAM:stream:")} <= {"-"}
