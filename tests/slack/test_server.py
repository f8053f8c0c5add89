"""The fake of Slack itself, where the adapter's tests do not show that it speaks as Slack does."""

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.common import in_own_process
from tests.servers.slack import BOT_TOKEN, SlackServer


@pytest.fixture
def web(server: SlackServer) -> AsyncWebClient:
    return AsyncWebClient(server.bot_token, server.api_url)


async def error_of(call: object) -> str:
    """What Slack says to a call."""
    with pytest.raises(SlackApiError) as caught:
        await call  # type: ignore[misc]
    return str(caught.value.response["error"])


async def test_messages_are_checked(server: SlackServer, web: AsyncWebClient) -> None:
    """Empty, too long, unknown, foreign and archived: each has Slack's own error."""
    channel, alien = server.general.id, server.world.add_channel("alien", is_member=False).id
    hers = server.say(server.general, "hers").ts
    mine = (await web.chat_postMessage(channel=channel, text="mine"))["ts"]
    assert await error_of(web.api_call("chat.postMessage", json={"channel": channel})) == "no_text"
    assert await error_of(web.chat_postMessage(channel="C0", text="x")) == "channel_not_found"
    assert await error_of(web.chat_postMessage(channel=alien, text="x")) == "not_in_channel"
    assert await error_of(web.chat_postMessage(channel=channel, markdown_text="x" * 12001)) == "msg_too_long"
    assert (
        await error_of(web.chat_postMessage(channel=channel, markdown_text="x", text="x")) == "markdown_text_conflict"
    )
    blocks = [{"type": "markdown", "text": "x" * 6001}] * 2
    assert await error_of(web.chat_postMessage(channel=channel, text="x", blocks=blocks)) == "msg_blocks_too_long"
    assert await error_of(web.chat_postMessage(channel=channel, text="x", thread_ts="1.1")) == "thread_not_found"
    assert await error_of(web.chat_update(channel=channel, ts=hers, text="x")) == "cant_update_message"
    assert await error_of(web.chat_delete(channel=channel, ts=hers)) == "cant_delete_message"
    assert await error_of(web.chat_update(channel=channel, ts=mine, text="x" * 4001)) == "msg_too_long"
    await web.chat_delete(channel=channel, ts=mine)
    assert await error_of(web.chat_delete(channel=channel, ts=mine)) == "message_not_found"


async def test_reactions_names_and_direct_messages(server: SlackServer, web: AsyncWebClient) -> None:
    """A reaction is there once; people have names; a direct message is opened by its person."""
    asked = server.say(server.general, "hello")
    await web.reactions_add(channel=asked.channel, timestamp=asked.ts, name="eyes")
    again = web.reactions_add(channel=asked.channel, timestamp=asked.ts, name="eyes")
    assert await error_of(again) == "already_reacted"
    assert asked.reactions == ["eyes"]
    await web.reactions_remove(channel=asked.channel, timestamp=asked.ts, name="eyes")
    assert (await web.users_info(user=server.alice.id))["user"]["profile"]["display_name"] == "Alice"
    assert await error_of(web.users_info(user="U0NOBODY")) == "user_not_found"
    opened = (await web.conversations_open(users=server.alice.id))["channel"]["id"]
    await web.chat_postMessage(channel=opened, text="psst")
    history = await web.conversations_history(channel=opened)
    assert [message["text"] for message in history["messages"]] == ["psst"]


async def test_it_runs_in_a_process_of_its_own() -> None:
    """Chaos tests start it beside the bot, talk to it over HTTP and read what a reader sees."""
    async with in_own_process("tests.servers.slack") as (address, control):
        told = await control("say", {"text": "hello"})
        state = await control("state", None)
        [message] = state["channels"][state["general"]]["messages"]
        assert (message["id"], message["author"]) == (told["id"], "Alice")
        assert [envelope["attempts"] for envelope in state["envelopes"]] == [0, 0]
        await control("fault", {"match": "auth.test", "status": 503})
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {BOT_TOKEN}"}) as session:
            assert (await session.post(f"{address}/api/auth.test")).status == 503
            assert (await (await session.post(f"{address}/api/auth.test")).json())["user_id"] == state["bot"]
