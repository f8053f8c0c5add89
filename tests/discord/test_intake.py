"""What becomes of what people do on Discord: which event, in which conversation, and that nothing ends the adapter."""

from contextlib import suppress

import discord
import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.texts import TEXTS
from bot.errors import PlatformUnavailable, SettingsInvalid, StoreUnavailable
from bot.events import Address, Conversation, MessageReceived, Person
from tests.servers.common import Fault
from tests.servers.discord import DiscordServer
from tests.servers.harness import Heard, running

UNREADABLE = {"id": "not a number", "channel_id": None}


async def test_a_mention_in_a_channel_is_a_whole_event(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A mention carries its channel's conversation, its author, its text without our name, and where to answer."""
    heard = Heard()
    async with running(adapter, heard):
        asked = server.ask(server.general, f"what does {server.alice.mention} mean by @everyone & <b>?")
        event = await heard.message()
    assert event == MessageReceived(
        id=asked.id,
        conversation=Conversation(platform="discord", workspace=server.world.guild, channel=server.general.id),
        author=Person(id=server.alice.id, name="Alice", is_admin=True),
        text="what does @Alice mean by @everyone & <b>?",
        at=asked.at,
        address=Address(channel=server.general.id, reply_to=asked.id, recipient=server.alice.id),
        mentions_bot=True,
    )


async def test_who_is_addressed(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Mentions, replies to us and direct messages tell so; talk, @everyone and replies to others are heard as talk."""
    heard, general = Heard(), server.general
    ours = server.world.add_message(general, server.bot, "I said so")
    other = server.world.add_message(general, server.alice, "and I said this")
    direct = server.world.add_direct(server.alice)
    async with running(adapter, heard):
        server.say(general, "just talk")
        server.say(general, "@everyone look")
        server.say(general, "no, you", reply_to=other.id)
        server.ask(general, "a mention")
        server.say(general, "a reply", reply_to=ours.id)
        server.say(general, "a quiet reply", reply_to=ours.id, pings=False)
        server.say(direct, "between us")
        await heard.message(7)
    told = [(event.text, event.mentions_bot, event.replies_to_bot, event.is_direct) for event in heard.messages]
    assert told == [
        ("just talk", False, False, False),
        ("@everyone look", False, False, False),
        ("no, you", False, False, False),
        ("a mention", True, False, False),
        ("a reply", False, True, False),
        ("a quiet reply", False, True, False),
        ("between us", False, False, True),
    ]
    assert heard.messages[-1].conversation.key == f"discord:@me:{direct.id}:"


async def test_what_is_surely_not_for_us_is_dropped(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Own messages, other bots, webhooks and system messages do not reach the intake."""
    heard, general = Heard(), server.general
    robot = server.world.add_user("Robot", is_bot=True)
    async with running(adapter, heard):
        server.say(general, f"{server.bot.mention} from myself", author=server.bot)
        server.say(general, f"{server.bot.mention} from a bot", author=robot)
        for type, webhook in ((7, ""), (0, "77")):
            message = server.world.add_message(general, server.alice, f"{server.bot.mention} not by a person")
            message.type, message.webhook = type, webhook
            server.dispatch("MESSAGE_CREATE", server.world.json(message, is_event=True), general.guild)
        server.ask(general, "from Alice")
        await heard.message()
    assert [event.text for event in heard.messages] == ["from Alice"]


async def test_a_thread_is_a_conversation_of_its_own(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """In a thread the conversation is the thread in its parent channel, whose id is the starter message's."""
    heard = Heard()
    async with running(adapter, heard):
        starter = server.ask(server.general, "let us talk")
        thread = server.add_thread(server.general, starter)
        server.ask(thread, "here?")
        event = await heard.message(2)
    assert event.conversation == Conversation(
        platform="discord", workspace=server.world.guild, channel=server.general.id, thread=starter.id
    )
    assert event.address.channel == starter.id


async def test_messages_wait_in_order_while_the_store_is_away(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A message that could not be admitted is tried again before the ones after it."""
    heard = Heard(errors=[StoreUnavailable(retry_in_s=0.01) for _ in range(3)])
    async with running(adapter, heard):
        for word in ("one", "two", "three"):
            server.ask(server.general, word)
        await heard.message(3)
    assert [event.text for event in heard.messages] == ["one", "two", "three"]


async def test_an_event_that_cannot_be_read_is_dropped(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A malformed MESSAGE_CREATE, which ends discord.py's own connection, costs nothing but itself."""
    heard = Heard()
    async with running(adapter, heard):
        server.dispatch("MESSAGE_CREATE", UNREADABLE, server.world.guild)
        server.ask(server.general, "still there?")
        await heard.message()
    assert server.identifies == 1


@pytest.mark.parametrize("path", ["GET /users/@me", "GET /oauth2/applications/@me", "GET /gateway/bot"])
@pytest.mark.parametrize("status", [0, 503])
async def test_a_connect_that_fails_may_be_tried_again(
    server: DiscordServer, adapter: DiscordAdapter, path: str, status: int
) -> None:
    """Whatever fails before the gateway is reached, and is not retried by discord.py, the next run gets there."""
    server.faults.append(Fault(match=path, status=status))
    heard = Heard()
    for _ in range(2):
        with suppress(PlatformUnavailable):
            async with running(adapter, heard):
                server.ask(server.general, "hello")
                await heard.message()
    assert heard.messages


async def test_what_was_missed_over_a_dropped_socket_is_heard(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """After a dropped socket the session is resumed, and what happened meanwhile arrives."""
    heard = Heard()
    async with running(adapter, heard):
        server.drop(4000)
        await server.until(
            lambda: all(session.outbox is None for session in server.sessions.values()), "a dropped socket"
        )
        server.ask(server.general, "while you were away")
        event = await heard.message()
    assert event.text == "while you were away"
    assert (server.identifies, server.resumes) == (1, 1)


async def test_a_new_session_is_asked_of_the_configured_server(
    server: DiscordServer, adapter: DiscordAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that cannot be resumed is identified anew where `api_base` points, not at Discord's own gateway."""

    async def at_once(client: discord.Client, shard: int | None, *, initial: bool = False) -> None:
        pass

    monkeypatch.setattr(discord.Client, "before_identify_hook", at_once)
    heard = Heard()
    async with running(adapter, heard) as life:
        server.invalidate(is_resumable=False)
        await life.until(lambda: life.readies == 2, "ready a second time")
        server.ask(server.general, "hello again")
        await heard.message()
    assert server.identifies == 2


async def test_a_refused_token_ends_the_run_with_what_to_do(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A wrong token is not tried again and names its variable."""
    server.token = "another"
    with pytest.raises(SettingsInvalid, match="DISCORD_TOKEN"):
        async with running(adapter, Heard()):
            pass
    assert len(server.named("GET /users/@me")) == 1


async def test_without_the_intent_it_says_so_and_goes_on(
    server: DiscordServer, adapter: DiscordAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Where message content is off in the developer portal, that is said once, and who mentions us is heard."""
    server.has_content_intent = False
    heard = Heard()
    async with running(adapter, heard):
        server.say(server.general, "just talk")
        server.ask(server.general, "can you hear me?")
        await heard.message()
    assert [event.text for event in heard.messages] == ["can you hear me?"]
    assert [record.message for record in caplog.records if "Message Content Intent" in record.message] == [
        TEXTS["no_content"]
    ]
