"""What becomes of what people do on Slack: which event, in which conversation, and when Slack is told "received"."""

import asyncio

import pytest

from adapters.slack.client import SlackAdapter
from bot.errors import PlatformUnavailable, SettingsInvalid, StoreUnavailable
from bot.events import Address, Conversation, Event, MessageReceived, Person
from bot.ports import Admission
from tests.servers.common import Fault
from tests.servers.harness import Heard, running
from tests.servers.slack import SlackServer
from tests.servers.slack_world import TEAM


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
        author=Person(id=alice, name=alice),
        text="is a < b & b > c?",
        at=float(asked.ts),
        address=Address(channel=channel, thread=asked.ts, reply_to=asked.ts, recipient=alice),
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
    """Own messages, bots, edits, joins and unknown events do not reach the intake, and do not come again."""
    heard, general = Heard(), server.general
    robot = server.world.add_user("Robot", is_bot=True)
    async with running(adapter, heard):
        server.say(general, "from myself", author=server.bot)
        server.say(general, "from a bot", author=robot)
        talk = server.world.add_message(general, server.alice, "talk")
        server.edit(talk, "other talk")
        server.delete(talk)
        for event in ({"type": "message", "subtype": "channel_join"}, {"type": "never_heard_of"}):
            server._event(general, event | {"user": server.alice.id, "ts": server.world.stamp(), "text": "x"})
        server.say(general, "from Alice")
        await heard.message()
        await server.until(lambda: not server.waiting, "everything acknowledged")
    assert [event.text for event in heard.messages] == ["from Alice"]


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
