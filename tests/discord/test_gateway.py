"""The connection to Discord on bad days: nothing that it does ends the adapter, but what no retry can heal."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.options import Options, proxy_for
from adapters.discord.texts import FATAL
from bot.channels import Channels
from bot.errors import PlatformUnavailable, SettingsInvalid, StoreUnavailable
from bot.events import Event, MessageReceived
from bot.inbox import Inbox
from bot.ports import Admission
from bot.settings import Settings
from bot.shelf import RedisShelf
from bot.store import Store
from handlers.intake import EventIntake
from tests.discord.conftest import adapter_with
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Clock, Fault, Watched
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import THREAD
from tests.servers.harness import Heard, running

HISTORY = "GET /channels/*/messages"


def texts(heard: Heard) -> list[str]:
    return [event.text for event in heard.messages]


async def run_until(server: DiscordServer, adapter: DiscordAdapter, act: Callable[[], None]) -> None:
    """The adapter's run, to its end, which `act` brings about once it is ready."""
    ready = asyncio.Event()
    run = asyncio.create_task(adapter.run(Heard(), ready.set))
    await ready.wait()
    act()
    try:
        async with asyncio.timeout(10):
            await run
    finally:
        await adapter.close()


# ---- what it survives


async def test_a_refused_first_connect_is_tried_again(
    server: DiscordServer, adapter: DiscordAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """discord.py's own wait between two attempts is 5 s: shortened here, or this test would take it."""
    sleep = asyncio.sleep
    monkeypatch.setattr("discord.shard.asyncio.sleep", lambda seconds: sleep(min(seconds, 0.01)))
    server.refused_connects = 2
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "hello")
        await heard.message()
    assert server.identifies == 1


@pytest.mark.parametrize("break_it", ["resume", "drop", "invalid", "half open"])
async def test_the_session_goes_on(server: DiscordServer, shelf: FakeShelf, break_it: str) -> None:
    """A request to resume, a dropped socket, a session that is invalid but whole, and a socket that has gone deaf."""
    adapter, heard = adapter_with(server, shelf, Options(silence_s=0.5)), Heard()
    server.heartbeat_s = 0.1
    async with running(adapter, heard):
        match break_it:
            case "resume":
                server.reconnect()
            case "drop":
                server.drop(1000)
            case "invalid":
                server.invalidate(is_resumable=True)
            case "half open":
                server.is_half_open = True
        server.ask(server.general, "meanwhile")
        await server.until(lambda: server.resumes, "a resumed session")
        server.ask(server.general, "after it")
        await heard.message(2)
    assert (texts(heard)[:2], server.identifies) == (["meanwhile", "after it"], 1)


async def test_a_malformed_event_of_any_kind_is_dropped(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Whatever cannot be read costs nothing but itself."""
    heard = Heard()
    async with running(adapter, heard):
        for name in ("MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "INTERACTION_CREATE", "THREAD_CREATE"):
            server.dispatch(name, {"id": "x", "channel_id": None, "type": "?"}, server.world.guild)
        server.dispatch("A_NEW_EVENT", {}, server.world.guild)
        server.ask(server.general, "still there?")
        await heard.message()
    assert (server.identifies, server.resumes) == (1, 0)


async def test_after_its_end_nothing_more_is_taken(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Intake ends first: what comes while replies are still written waits for the next start."""
    heard = Heard()
    ready = asyncio.Event()
    run = asyncio.create_task(adapter.run(heard, ready.set))
    await ready.wait()
    run.cancel()
    await asyncio.wait({run})
    client = adapter._rest()
    told = asyncio.ensure_future(client.wait_for("interaction"))
    server.ask(server.general, "too late")
    server.command(server.general, "ask", {"question": "too late"})
    await told
    await client.fetch_channel(int(server.general.id))
    await adapter.close()
    assert heard.events == []


async def test_a_message_that_waits_at_the_end_is_given_up(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """What the store would not take when we stop does not hold up the end: the next start reads it back."""
    heard = Heard(errors=[StoreUnavailable(retry_in_s=60.0)])
    async with running(adapter, heard):
        server.ask(server.general, "waiting")
        await heard.until(lambda: heard.refused, "a refusal")
    assert heard.events == []


# ---- what ends it


@pytest.mark.parametrize("code", sorted(FATAL))
async def test_a_fatal_close_is_a_matter_of_settings(server: DiscordServer, adapter: DiscordAdapter, code: int) -> None:
    """Closes that no retry can heal end this platform alone, with one line that says what to do."""
    with pytest.raises(SettingsInvalid) as caught:
        await run_until(server, adapter, lambda: server.drop(code))
    assert len(caught.value.problems) == 1
    assert server.identifies == 1


async def test_no_session_is_begun_beyond_discords_limit(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Discord says how many sessions are left: at none it says when there are more, and does not connect."""
    server.session_starts = 0
    with pytest.raises(PlatformUnavailable, match=r"used up .* 120 minutes"):
        async with running(adapter, Heard()):
            pass
    assert server.identifies == 0


async def test_no_session_is_begun_beyond_our_own_count(
    server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf
) -> None:
    """Our own count holds over restarts and over all processes."""
    server.heartbeat_s = 3600.0  # discord.py leaves the thread that beats for a connection without a session
    shelf.waits["identify"] = [172.8, 172.8]
    for _ in range(2):
        with pytest.raises(PlatformUnavailable, match=r"used up .* 3 minutes"):
            async with running(adapter, Heard()):
                pass
    assert server.identifies == 0


async def test_a_new_session_in_mid_run_counts_too(
    server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf
) -> None:
    """A session that must be begun anew when none is left ends the run, before it is begun."""
    server.heartbeat_s = 3600.0  # discord.py leaves the thread that beats for a connection without a session

    def invalidate() -> None:
        shelf.waits["identify"] = [172.8]
        server.invalidate(is_resumable=False)

    with pytest.raises(PlatformUnavailable, match=r"used up"):
        await run_until(server, adapter, invalidate)
    assert server.identifies == 1


async def test_sessions_begin_one_after_another(
    server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf
) -> None:
    """Each waits for its place among all processes; a store that is away holds up nothing."""
    shelf.waits["identify:0"] = [0.01, 0.01]
    async with running(adapter, Heard()):
        assert (shelf.tokens["identify"], shelf.waits["identify:0"]) == (1, [])
    shelf.is_away = True
    async with running(adapter, Heard()):
        pass
    assert server.identifies == 2


async def test_the_real_shelf_lends_half_of_the_day_at_once(store: Store, server: DiscordServer) -> None:
    """A bucket of 500 that refills in a day allows at most 1,000 in any 24 hours."""
    shelf = RedisShelf(store, "discord")
    taken = [await shelf.take_token("identify", per_s=500 / 86_400, burst=500) for _ in range(501)]
    assert not any(taken[:500])
    assert taken[500] > 100


# ---- shards


async def test_a_process_serves_its_own_shards(server: DiscordServer, shelf: FakeShelf) -> None:
    """With shards of its own it identifies as these, and hears their guilds alone."""
    heard, other = Heard(), server.world.add_guild("Other")
    number = (int(server.world.guild) >> 22) % 4
    elsewhere = server.world.add_channel("elsewhere", guild=str(int(other) + (1 << 22)))
    async with running(adapter_with(server, shelf, Options(shards=(number,), shard_count=4)), heard):
        server.ask(elsewhere, "not for you")
        server.ask(server.general, "for you")
        await heard.message()
        assert {session.shard for session in server.sessions.values()} == {(number, 4)}
    assert "for you" in texts(heard)


async def test_all_shards_that_discord_asks_for_are_served(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Without a setting Discord says how many there are."""
    server.shards, heard = 2, Heard()
    async with running(adapter, heard):
        server.ask(server.general, "hello")
        server.say(server.world.add_direct(server.alice), "hello")
        await heard.message(2)
        assert {session.shard for session in server.sessions.values()} == {(0, 2), (1, 2)}


async def test_a_proxy_is_honoured(server: DiscordServer, shelf: FakeShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is on the way of requests and of the gateway: here it is the fake itself. NO_PROXY excepts hosts."""
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "discord.com,.invalid.example")
    assert proxy_for("https://discord.com/api/v10") is None
    assert proxy_for("https://discord.example/api/v10") == "http://127.0.0.1:1"
    adapter, heard = DiscordAdapter(server.token, shelf, "http://discord.invalid/api/v10"), Heard()
    async with running(adapter, heard):
        server.ask(server.general, "through the proxy")
        await heard.message()


# ---- what was missed


async def away(server: DiscordServer, adapter: DiscordAdapter, heard: Heard) -> None:
    """A first life of the adapter, in which something was heard, so that its watermark is known."""
    async with running(adapter, heard):
        server.ask(server.general, "before")
        await heard.message()


async def test_what_was_said_during_an_outage_is_heard_after_it(
    server: DiscordServer, shelf: FakeShelf, clock: Clock
) -> None:
    """In channels, threads and direct messages, in order, through the same intake; what was heard may come again."""
    heard = Heard()
    starter = server.world.add_message(server.general, server.alice, "topic")
    thread = server.world.add_channel("t", type=THREAD, parent=server.general.id, id=starter.id)
    direct = server.world.add_direct(server.alice)
    async with running(adapter_with(server, shelf, Options()), heard):
        server.ask(server.general, "before")
        server.say(direct, "before")
        await heard.message(2)
    clock.advance(30)
    server.ask(server.general, "one")
    server.ask(server.general, "two")
    server.ask(thread, "three")
    server.say(direct, "four")
    before = len(heard.events)
    async with running(adapter_with(server, shelf, Options()), heard):
        await heard.until(lambda: {"one", "two", "three", "four"} <= set(texts(heard)[before:]), "all of it")
        server.ask(server.general, "five")
        await heard.until(lambda: "five" in texts(heard), "the present")
    again = texts(heard)[before:]
    assert again.index("one") < again.index("two")
    assert [event.is_direct for event in heard.messages if event.text == "four"] == [True]


class Admissions(Watched):
    """The real intake over a real store; `told` is what became of each message, by its text."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._intake = EventIntake(inbox=Inbox(store, Settings()), channels=Channels(store, Settings()))
        self.told: list[tuple[str, Admission]] = []

    async def __call__(self, event: Event) -> Admission:
        admission = await self._intake(event)
        if isinstance(event, MessageReceived):
            self.told.append((event.text, admission))
            self.note()
        return admission

    def knows(self, texts: set[str]) -> bool:
        return texts <= dict(self.told).keys()


async def test_what_is_read_back_is_admitted_once(
    store: Store, server: DiscordServer, shelf: FakeShelf, clock: Clock
) -> None:
    """After 30 s without a connection each question is in its lane once, however often it was read."""
    admissions = Admissions(store)
    for text, missed in (("before", ""), ("meanwhile", "missed"), ("later", "missed again")):
        if missed:
            server.ask(server.general, missed)
        wanted = {text, missed} - {""}
        async with running(adapter_with(server, shelf, Options()), admissions):
            server.ask(server.general, text)
            await admissions.until(partial(admissions.knows, wanted), "all of it")
        clock.advance(30)
    admitted = [text for text, admission in admissions.told if admission is Admission.ADMITTED]
    assert sorted(admitted) == ["before", "later", "meanwhile", "missed", "missed again"]
    assert ("before", Admission.DUPLICATE) in admissions.told


async def test_a_new_session_in_mid_run_catches_up(
    server: DiscordServer, adapter: DiscordAdapter, clock: Clock
) -> None:
    """A session that could not be resumed has lost what came between: it is read back."""
    heard = Heard()
    async with running(adapter, heard) as life:
        server.ask(server.general, "before")
        await heard.message()
        clock.advance(30)
        server.invalidate(is_resumable=False)
        server.world.add_message(server.general, server.alice, f"{server.bot.mention} between")
        await life.until(lambda: life.readies == 2, "ready a second time")
        await heard.until(lambda: "between" in texts(heard), "what came between")


async def test_a_fresh_install_reads_nothing_back(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """What was said before the bot was there is none of its business."""
    server.ask(server.general, "long ago")
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "now")
        await heard.message()
    assert texts(heard) == ["now"]
    assert server.named(HISTORY) == []


@pytest.mark.parametrize(("catch_up_s", "wanted"), [(900.0, ["recent"]), (0.0, []), (7200.0, ["old", "recent"])])
async def test_the_look_back_is_bounded(
    server: DiscordServer, shelf: FakeShelf, clock: Clock, catch_up_s: float, wanted: list[str]
) -> None:
    """What is older than the setting says stays unanswered; 0 reads nothing back."""
    await away(server, adapter_with(server, shelf, Options()), Heard())
    clock.advance(120)
    server.ask(server.general, "old")
    clock.advance(3600)
    server.ask(server.general, "recent")
    heard = Heard()
    async with running(adapter_with(server, shelf, Options(catch_up_s=catch_up_s)), heard):
        server.ask(server.world.add_channel("new"), "now")
        await heard.until(lambda: {*wanted, "now"} <= set(texts(heard)), "all that is wanted")
    assert [text for text in texts(heard) if text not in ("now", "before")] == wanted


async def test_a_quiet_channel_costs_no_request(server: DiscordServer, shelf: FakeShelf, clock: Clock) -> None:
    """Discord tells each channel's last message: only where there is a newer one is anything read."""
    quiet = server.world.add_channel("quiet")
    server.say(quiet, "long ago")
    clock.advance(600)
    await away(server, adapter_with(server, shelf, Options()), Heard())
    clock.advance(30)
    server.ask(server.general, "one")
    heard = Heard()
    async with running(adapter_with(server, shelf, Options()), heard):
        await heard.until(lambda: "one" in texts(heard), "what was missed")
    assert {call.name for call in server.named(HISTORY)} == {f"GET /channels/{server.general.id}/messages"}


async def test_a_channel_that_refuses_costs_only_itself(server: DiscordServer, shelf: FakeShelf, clock: Clock) -> None:
    """A history that is closed to us, or fails, does not keep the others from being read."""
    await away(server, adapter_with(server, shelf, Options()), Heard())
    clock.advance(30)
    other, heard = server.world.add_channel("other"), Heard()
    server.ask(server.general, "one")
    server.ask(other, "two")
    server.faults.append(Fault(match=HISTORY, status=403, body={"code": 50001, "message": "Missing Access"}))
    async with running(adapter_with(server, shelf, Options()), heard):
        await heard.until(lambda: "two" in texts(heard), "the other channel")
    assert "one" not in texts(heard)


async def test_a_look_back_that_fails_is_made_again(
    server: DiscordServer, shelf: FakeShelf, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble of Discord's is none of the channel's: the watermark stays until all was read."""
    monkeypatch.setattr("adapters.discord.gateway._AGAIN_S", 0.01)
    await away(server, adapter_with(server, shelf, Options()), Heard())
    mark, heard = shelf.kept["watermark:0"], Heard()
    clock.advance(30)
    server.ask(server.general, "one")
    server.faults.append(Fault(match=HISTORY, status=503))
    async with running(adapter_with(server, shelf, Options()), heard):
        await server.until(lambda: not server.faults[0].times, "a failure")
        assert shelf.kept["watermark:0"] == mark
        await heard.until(lambda: "one" in texts(heard), "what was missed")
        await shelf.until(lambda: shelf.kept["watermark:0"] > mark, "a new watermark")


async def test_when_the_store_comes_back_it_looks_back(
    server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf, clock: Clock
) -> None:
    """The watermark stands still while the store is away, and what came meanwhile is read once more."""
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "before")
        await heard.message()
        mark = shelf.kept["watermark:0"]
        clock.advance(300)
        heard._errors.append(StoreUnavailable(retry_in_s=0.01))
        server.world.add_message(server.general, server.alice, f"{server.bot.mention} unheard")
        server.ask(server.general, "after")
        await heard.until(lambda: "unheard" in texts(heard), "what was missed")
        await shelf.until(lambda: shelf.kept["watermark:0"] > mark, "a new watermark")


async def test_the_watermark_never_passes_what_waits(
    server: DiscordServer, adapter: DiscordAdapter, shelf: FakeShelf, clock: Clock
) -> None:
    """While a message waits for the store, what other channels bring does not move the watermark."""
    other = server.world.add_channel("other")
    heard = Heard()
    async with running(adapter, heard):
        server.ask(server.general, "before")
        await heard.message()
        mark = float(shelf.kept["watermark:0"])
        heard._errors.append(StoreUnavailable(retry_in_s=60.0))
        server.ask(server.general, "stuck")
        await heard.until(lambda: heard.refused, "a refusal")
        clock.advance(600)
        server.ask(other, "elsewhere")
        await heard.message(2)
        assert float(shelf.kept["watermark:0"]) == mark
    assert all(isinstance(event, MessageReceived) for event in heard.events)
