"""How Slack reaches us, in both ways: what is acknowledged and what comes again, and how a connection is kept."""

import asyncio
import time

import aiohttp
import pytest

from adapters.slack.client import SlackAdapter
from adapters.slack.web import proxy_of
from bot.errors import PlatformUnavailable, SettingsInvalid, StoreUnavailable
from bot.events import CommandInvoked
from tests.fakes.model import FakeModel
from tests.fakes.reply import FakeDraft
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Clock, Fault
from tests.servers.harness import Heard, answer, running
from tests.servers.slack import SIGNING_SECRET, SlackServer
from tests.servers.slack_acts import signed
from tests.slack.conftest import adapter_of


def over_http(server: SlackServer) -> SlackAdapter:
    return adapter_of(server, app_token="", signing_secret=SIGNING_SECRET, http_port=0)


@pytest.fixture(params=["sockets", "http"])
def either(request: pytest.FixtureRequest, server: SlackServer) -> SlackAdapter:
    """The adapter in each of the two ways; `listen` once it runs."""
    return adapter_of(server) if request.param == "sockets" else over_http(server)


def listen(server: SlackServer, adapter: SlackAdapter) -> None:
    """Tell the server where the adapter takes requests, where it does."""
    server.http_url = f"http://127.0.0.1:{adapter.http_port}/slack/events" if adapter.http_port else ""


# ---- in both ways


async def test_a_question_is_answered(server: SlackServer, either: SlackAdapter) -> None:
    """The same app answers over sockets and over HTTP, where the bot token and the signing secret are enough."""
    heard = Heard()
    async with running(either, heard):
        listen(server, either)
        server.ask(server.general, "well?")
        await answer(either, await heard.message(), FakeDraft(), FakeModel("Well."))
        await server.until(lambda: not server.waiting, "everything acknowledged")
    assert [message.shown for message in server.general.by(server.bot)] == ["Well."]


async def test_what_the_store_did_not_take_comes_again(server: SlackServer, either: SlackAdapter, clock: Clock) -> None:
    """While the store is away nothing is acknowledged: Slack delivers it at once, after a minute and after five."""
    heard = Heard(errors=[StoreUnavailable(), StoreUnavailable()])
    async with running(either, heard):
        listen(server, either)
        asked = server.say(server.general, "hello?")
        [envelope] = server.envelopes.values()
        await heard.until(lambda: len(heard.refused) == 1, "the first refusal")
        server.redeliver_due()
        await heard.until(lambda: len(heard.refused) == 2, "the second refusal")
        clock.advance(59.0)
        server.redeliver_due()
        assert envelope.attempts == 2
        clock.advance(1.0)
        server.redeliver_due()
        assert (await heard.message()).id == asked.ts
        await server.until(lambda: envelope.is_acknowledged, "the acknowledgement")
        clock.advance(300.0)
        server.redeliver_due()
    assert envelope.attempts == 3
    assert len(heard.events) == 1


async def test_a_shelf_that_is_away_is_as_a_store_that_is_away(server: SlackServer) -> None:
    """What cannot be looked up on the shelf is not acknowledged either: nothing is half known."""
    heard, adapter = Heard(), adapter_of(server, shelf := FakeShelf())
    async with running(adapter, heard):
        shelf.is_away = True
        server.say(server.general, "hello?")
        server.say(server.general, "from myself", author=server.bot)
        await server.until(lambda: len(server.waiting) == 1, "our own message acknowledged")
        shelf.is_away = False
        server.redeliver()
        await heard.message()
        await server.until(lambda: not server.waiting, "everything acknowledged")


async def test_duplicates_are_one_event(server: SlackServer, either: SlackAdapter) -> None:
    """A retry of what was already taken gives the same event once more, which the core knows by its id."""
    heard = Heard()
    async with running(either, heard):
        listen(server, either)
        server.say(server.general, "once")
        await server.until(lambda: not server.waiting, "the acknowledgement")
        [envelope] = server.envelopes.values()
        envelope.is_acknowledged = False
        server.redeliver()
        await heard.message(2)
        await server.until(lambda: not server.waiting, "the acknowledgement")
    assert heard.events[0] == heard.events[1]


@pytest.mark.parametrize("status", [429, 500])
async def test_who_we_are_is_asked_once_and_never_while_an_event_waits(
    server: SlackServer, either: SlackAdapter, status: int
) -> None:
    """When auth.test fails the start is tried again; what came meanwhile was not acknowledged, and is answered."""
    server.faults.append(Fault(match="auth.test", status=status, headers={"Retry-After": "0"}))
    with pytest.raises(PlatformUnavailable):
        await either.run(Heard(), lambda: None)
    heard = Heard()
    server.say(server.general, "while you were away")
    async with running(either, heard):
        listen(server, either)
        server.faults.append(Fault(match="auth.test", status=status, times=9))
        server.redeliver()
        await heard.message()
        await server.until(lambda: not server.waiting, "the acknowledgement")
    assert len(server.named("auth.test")) == 2


async def test_commands_come_in_both_ways(server: SlackServer, either: SlackAdapter) -> None:
    """Over HTTP a command and a modal are forms, over sockets they are JSON: the events are alike."""
    heard = Heard()
    async with running(either, heard):
        listen(server, either)
        command = server.acts.command(server.general, "hello & good-bye? --private")
        said = server.world.add_message(server.general, server.alice, "x")
        shortcut = server.acts.shortcut(said, "summarise")
        await server.until(lambda: command.is_acknowledged and shortcut.is_acknowledged, "both acknowledged")
    events = [event for event in heard.events if isinstance(event, CommandInvoked)]
    assert {(event.name, *event.options) for event in events} == {
        ("ask", ("question", "hello & good-bye?")),
        ("summarise", ("from", "thread")),
    }


@pytest.mark.parametrize("event", ["app_uninstalled", "tokens_revoked"])
async def test_an_app_that_is_removed_ends_the_run(server: SlackServer, either: SlackAdapter, event: str) -> None:
    """Slack tells that the app is gone: the adapter stops, with one line, and is not tried again."""
    ready = asyncio.Event()
    life = asyncio.create_task(either.run(Heard(), ready.set))
    await ready.wait()
    listen(server, either)
    told = {"type": event, "tokens": {"bot": [server.bot.id]}, "ts": server.world.stamp()}
    server._event(server.general, told)
    with pytest.raises(SettingsInvalid, match=f"Slack says {event}"):
        await life
    await either.close()


# ---- a token that is taken away


@pytest.mark.parametrize("code", ["token_revoked", "invalid_auth", "account_inactive"])
async def test_a_token_that_is_refused_in_mid_life_ends_the_run(
    server: SlackServer, adapter: SlackAdapter, code: str
) -> None:
    """Any call that Slack answers so stops this adapter with one clear line, instead of failing for ever."""
    ready = asyncio.Event()
    life = asyncio.create_task(adapter.run(Heard(), ready.set))
    await ready.wait()
    server.faults.append(Fault(match="users.info", status=200, body={"ok": False, "error": code}))
    server.ask(server.general, "hello?")
    with pytest.raises(SettingsInvalid, match=f"Slack says {code}"):
        await life
    await adapter.close()


# ---- sockets


async def test_each_event_comes_over_one_of_several_sockets(server: SlackServer) -> None:
    """As many sockets as are set stand open; each event comes over one of them, and all are heard."""
    heard = Heard()
    async with running(adapter_of(server, sockets=3, silent_s=0.9), heard):
        await server.until(lambda: server.connects == 3, "three connections")
        for number in range(6):
            server.say(server.general, str(number))
        await heard.message(6)
        await server.until(lambda: not server.waiting, "everything acknowledged")
    assert sorted(event.text for event in heard.messages) == list("012345")


async def test_a_silent_socket_is_replaced_by_a_new_one(server: SlackServer) -> None:
    """A connection that is lost and does not come back by itself is given up, and another one opened."""
    heard = Heard()
    async with running(adapter_of(server, silent_s=0.1), heard):
        server.refused_connects = 1  # slack-sdk now waits ten seconds before it tries again
        server.drop()
        await server.until(lambda: server.connects == 2, "another connection", within_s=5.0)
        server.say(server.general, "still there?")
        await heard.message()


async def test_a_watchdog_outlasts_refusals(server: SlackServer) -> None:
    """While Slack gives no new address the watchdog goes on; what was said meanwhile is heard then."""
    heard = Heard()
    async with running(adapter_of(server, silent_s=0.1), heard):
        server.faults.append(Fault(match="apps.connections.open", status=503, times=3))
        server.drop()
        server.say(server.general, "while you were away")
        await server.until(lambda: server.connects == 2, "another connection", within_s=5.0)
        server.redeliver()
        await heard.message()


# ---- signed HTTP


async def posted(adapter: SlackAdapter, body: str, headers: dict[str, str]) -> int:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{adapter.http_port}/slack/events"
        async with session.post(url, data=body, headers=headers) as answer:
            return answer.status


async def test_only_what_slack_signed_is_taken(server: SlackServer) -> None:
    """A wrong, old, missing or malformed signature is refused before anything is read; the right one is taken."""
    heard, adapter = Heard(), over_http(server)
    payload = {"type": "event_callback", "team_id": "T0TEAM", "event": {"type": "never_heard_of"}}
    body, right = signed(SIGNING_SECRET, "events_api", payload, time.time())
    _, forged = signed("another secret", "events_api", payload, time.time())
    _, old = signed(SIGNING_SECRET, "events_api", payload, time.time() - 301)
    async with running(adapter, heard):
        assert await posted(adapter, body, right) == 200
        for wrong in (
            forged,
            old,
            {},
            right | {"X-Slack-Signature": "v0=ü"},
            right | {"X-Slack-Request-Timestamp": "x"},
        ):
            assert await posted(adapter, body, {"Content-Type": "application/json"} | wrong) == 401
        assert await posted(adapter, body + " ", right) == 401
        assert await posted(adapter, "[", {"Content-Type": "application/json"}) == 401


async def test_slack_finds_out_that_the_address_is_ours(server: SlackServer) -> None:
    """The challenge of the set-up is answered."""
    adapter = over_http(server)
    payload = {"type": "url_verification", "challenge": "c4", "token": "t"}
    body, headers = signed(SIGNING_SECRET, "events_api", payload, time.time())
    async with running(adapter, Heard()), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{adapter.http_port}/slack/events"
        async with session.post(url, data=body, headers=headers) as answer:
            assert "c4" in await answer.text()


async def test_a_port_that_is_taken_is_tried_again(server: SlackServer) -> None:
    """Another process may be about to let it go: no setting is wrong for sure."""
    first = over_http(server)
    async with running(first, Heard()):
        second = adapter_of(server, app_token="", signing_secret=SIGNING_SECRET, http_port=first.http_port)
        with pytest.raises(PlatformUnavailable, match="cannot listen on"):
            await second.run(Heard(), lambda: None)
        await second.close()


# ---- the way out


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY for Slack's own address, and none for what NO_PROXY names."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    assert proxy_of("https://slack.com/api/") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert proxy_of("https://slack.com/api/") == "http://127.0.0.1:9"
    assert proxy_of("http://127.0.0.1:1/api/") is None
    monkeypatch.setenv("NO_PROXY", "slack.com")
    assert proxy_of("https://slack.com/api/") is None
