"""The fake's streams, sessions and tiers refuse what Slack refuses, seen through the real slack-sdk."""

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.common import Clock
from tests.servers.slack import SlackServer
from tests.servers.slack_streams import LIFE_S
from tests.servers.slack_world import TEAM


@pytest.fixture
def web(server: SlackServer) -> AsyncWebClient:
    return AsyncWebClient(server.bot_token, server.api_url, retry_handlers=[])


@pytest.fixture
async def thread(server: SlackServer) -> str:
    return server.ask(server.general, "well?").ts


async def start(server: SlackServer, web: AsyncWebClient, thread: str, text: str = "One. ") -> str:
    answer = await web.chat_startStream(
        channel=server.general.id,
        thread_ts=thread,
        recipient_team_id=TEAM,
        recipient_user_id=server.alice.id,
        markdown_text=text,
    )
    return str(answer["ts"])


async def test_a_stream_is_started_appended_and_stopped(server: SlackServer, web: AsyncWebClient, thread: str) -> None:
    """Its message grows, its session is processing, and its end brings blocks and metadata."""
    ts = await start(server, web, thread)
    [message] = server.general.by(server.bot)
    assert (message.shown, server.general.sessions[thread], server.streams.is_live(message)) == (
        "One. ",
        "processing",
        True,
    )
    channel, mark = server.general.id, {"event_type": "e", "event_payload": {"a": 1}}
    await web.chat_appendStream(channel=channel, ts=ts, chunks=[{"type": "markdown_text", "text": "Two."}])
    await web.chat_stopStream(channel=channel, ts=ts, metadata=mark, blocks=[{"type": "divider"}])
    assert (message.shown, message.metadata, server.general.sessions[thread]) == ("One. Two.", mark, "active")
    assert not server.streams.is_live(message)


@pytest.mark.parametrize("method", ["chat_appendStream", "chat_stopStream"])
async def test_a_stream_expires(
    server: SlackServer, web: AsyncWebClient, thread: str, clock: Clock, method: str
) -> None:
    """After its time neither more text nor a stop is taken, and what it showed stays."""
    ts = await start(server, web, thread)
    clock.advance(LIFE_S + 1)
    with pytest.raises(SlackApiError, match="message_not_in_streaming_state"):
        await getattr(web, method)(channel=server.general.id, ts=ts, markdown_text="Two.")
    assert [message.shown for message in server.general.by(server.bot)] == ["One. "]


async def test_a_stream_in_a_channel_needs_its_reader(server: SlackServer, web: AsyncWebClient, thread: str) -> None:
    """Without the recipient Slack refuses, outside a direct message."""
    with pytest.raises(SlackApiError, match="missing_recipient_team_id"):
        await web.chat_startStream(channel=server.general.id, thread_ts=thread, markdown_text="One.")


async def test_a_chunk_has_a_limit(server: SlackServer, web: AsyncWebClient, thread: str) -> None:
    """12,000 characters go, one more does not."""
    ts = await start(server, web, thread, "")
    await web.chat_appendStream(channel=server.general.id, ts=ts, markdown_text="x" * 12_000)
    with pytest.raises(SlackApiError, match="msg_too_long"):
        await web.chat_appendStream(channel=server.general.id, ts=ts, markdown_text="x" * 12_001)


async def test_an_app_that_is_no_agent_has_no_sessions(server: SlackServer, web: AsyncWebClient, thread: str) -> None:
    """A session's status is for declared agents."""
    where = {"channel_id": server.general.id, "thread_ts": thread}
    await web.agents_sessions_setStatus(**where, status="processing", title="well?")
    server.streams.is_agent = False
    with pytest.raises(SlackApiError, match="not_authorized"):
        await web.agents_sessions_setStatus(**where, status="active")
    assert (server.general.sessions, server.general.titles) == ({thread: "processing"}, {thread: "well?"})


async def test_the_tiers_refuse_with_429(server: SlackServer, web: AsyncWebClient, thread: str, clock: Clock) -> None:
    """The 21st start of a minute is refused until the first one is a minute old; other methods go on."""
    server.tiers.is_on = True
    ts = ""
    for _ in range(20):
        ts = await start(server, web, thread)
        clock.advance(1.0)
    with pytest.raises(SlackApiError) as caught:
        await start(server, web, thread)
    response = caught.value.response
    assert (response.status_code, response["error"], response.headers["Retry-After"]) == (429, "ratelimited", "40")
    await web.chat_stopStream(channel=server.general.id, ts=ts)
    clock.advance(40.0)
    await start(server, web, thread)
    assert server.tiers.refusals == ["chat.startStream"]


async def test_a_channel_takes_one_post_a_second(server: SlackServer, web: AsyncWebClient, clock: Clock) -> None:
    """Each channel has its own second."""
    server.tiers.is_on = True
    other = server.world.add_channel("other")
    await web.chat_postMessage(channel=server.general.id, text="one")
    await web.chat_postMessage(channel=other.id, text="one")
    with pytest.raises(SlackApiError, match="ratelimited"):
        await web.chat_postMessage(channel=server.general.id, text="two")
    clock.advance(1.0)
    await web.chat_postMessage(channel=server.general.id, text="two")


async def test_the_readers_stop_ends_the_stream(server: SlackServer, web: AsyncWebClient, thread: str) -> None:
    """Slack ends the streams of the thread, names them in the event, and leaves the session's status to the app."""
    ts = await start(server, web, thread)
    server.acts.stop(server.general, thread)
    told = [envelope.payload["event"] for envelope in server.envelopes.values()][-1]
    assert (told["type"], told["streaming_message_ts"]) == ("agent_session_stopped", [ts])
    assert server.general.sessions == {thread: "processing"}
    with pytest.raises(SlackApiError, match="message_not_in_streaming_state"):
        await web.chat_appendStream(channel=server.general.id, ts=ts, markdown_text="Two.")
