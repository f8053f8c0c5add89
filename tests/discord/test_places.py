"""Where an answer goes: a thread for it, a channel that we may not write in, and a budget that all share."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import discord
import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.desk import BUCKETS, Desk
from adapters.discord.errors import MissingAccess, ThreadArchived
from adapters.discord.reply import DiscordSurface, thread_name
from bot.errors import PlatformUnavailable, StoreUnavailable
from bot.events import Address
from bot.shelf import RedisShelf
from bot.store import Store
from tests.discord.conftest import LIMITS
from tests.fakes.reply import FakeDraft
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Clock, Fault
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import ATTACH, HISTORY, SEND, SEND_IN_THREADS, VIEW, Channel, Message
from tests.servers.discord_world import THREAD as THREAD_TYPE
from tests.servers.harness import Heard, running

POST, THREAD = "POST /channels/*/messages", "POST /channels/*/messages/*/threads"


@pytest.fixture
async def life(server: DiscordServer, adapter: DiscordAdapter) -> AsyncIterator[DiscordAdapter]:
    """The adapter, connected, with the server's time."""
    adapter._desk = replace(adapter._desk, clock=server.clock)
    async with running(adapter, Heard()):
        yield adapter


def address_of(asked: Message, *, thread: bool = False) -> Address:
    """The address of a question; `thread`: it is to have a thread of its own."""
    to = Address(channel=asked.channel, reply_to=asked.id, recipient=asked.author.id, quote=asked.content)
    return replace(to, thread=asked.id) if thread else to


def surface_of(adapter: DiscordAdapter, asked: Message, *, thread: bool = False, turn: str = "f00d") -> DiscordSurface:
    return DiscordSurface(adapter._desk, address_of(asked, thread=thread), turn)


def shown(server: DiscordServer, channel: Channel) -> list[str]:
    return [message.content for message in channel.by(server.bot)]


# ---- a thread for each question


async def test_a_question_gets_its_thread(server: DiscordServer, life: DiscordAdapter) -> None:
    """The answer opens a thread on the question, named after it, and stands there with all its parts."""
    asked = server.ask(server.general, "how do **whales** sleep?")
    draft = FakeDraft()
    async with life.reply(address_of(asked, thread=True), draft) as reply:
        reply.show("Well. ")
        await server.until(lambda: asked.id in server.world.channels, "the thread")
        refs = await reply.finish("Well. " + "word " * 500)
    thread = server.channel(asked.id)
    assert (thread.name, shown(server, server.general)) == (f"{server.bot.mention} how do whales sleep?", [])
    assert [ref.channel for ref in refs] == [thread.id] * 2
    assert [message.reply_to for message in thread.by(server.bot)] == ["", ""]


@pytest.mark.parametrize(
    ("quote", "name"),
    [
        ("Hello\n  world", "Hello world"),
        ("", "Question"),
        (" \n", "Question"),
        ("a" * 80, "a" * 80),
        ("word " * 30, "word " * 15 + "word \u2026"),
        ("x" * 300, "x" * 80 + " \u2026"),
    ],
)
def test_a_threads_name(quote: str, name: str) -> None:
    """One line of at most 100 characters, cut at a word."""
    assert thread_name(quote) == name
    assert 0 < len(name) <= 100


async def test_a_thread_that_is_there_is_used(server: DiscordServer, life: DiscordAdapter) -> None:
    """Another worker, or a person, was faster: 160004 is no failure, and there is no second thread."""
    asked = server.ask(server.general, "well?")
    thread = server.add_thread(server.general, asked)
    await surface_of(life, asked, thread=True).create(0, "here", ())
    assert shown(server, thread) == ["here"]
    assert [channel for channel in server.world.channels.values() if channel.parent] == [thread]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(match=THREAD, status=403, body={"code": 50013, "message": "Missing Permissions"}, times=9),
        Fault(match=THREAD, status=400, body={"code": 50024, "message": "Cannot execute here"}, times=9),
        Fault(match=THREAD, status=429, headers={"Via": "", "Retry-After": "300"}, body={"message": "x"}, times=9),
    ],
)
async def test_where_no_thread_can_be_opened_the_channel_is_told(
    server: DiscordServer, life: DiscordAdapter, fault: Fault
) -> None:
    """The answer comes in the channel all the same; why is said there once, not with each answer."""
    server.faults.append(replace(fault))
    for number in range(2):
        asked = server.ask(server.general, "well?")
        async with life.reply(address_of(asked, thread=True), FakeDraft(f"turn-{number}")) as reply:
            await reply.finish("Here.")
    notice, *answers = server.general.by(server.bot)
    assert notice.reply_to == ""
    assert notice.content == "-# I could not open a thread for this, so I answer here."
    assert [message.content for message in answers] == ["Here.", "Here."]
    assert all(message.reply_to for message in answers)


async def test_a_thread_is_tried_again_where_that_may_help(server: DiscordServer, life: DiscordAdapter) -> None:
    """A server that is away for a moment is no reason to answer elsewhere."""
    asked = server.ask(server.general, "well?")
    server.faults.append(Fault(match=THREAD, status=503))
    with pytest.raises(PlatformUnavailable):
        await surface_of(life, asked, thread=True).create(0, "here", ())
    await surface_of(life, asked, thread=True).create(0, "here", ())
    assert shown(server, server.channel(asked.id)) == ["here"]


async def test_a_takeover_finds_the_answer_in_its_thread(
    server: DiscordServer, life: DiscordAdapter, clock: Clock
) -> None:
    """Among what people and later answers say there, and in the channel where no thread could be opened."""
    asked = server.ask(server.general, "well?")
    refs = [await surface_of(life, asked, thread=True).create(part, f"part {part}", ()) for part in (0, 1)]
    thread = server.channel(asked.id)
    more = server.ask(thread, "and more?")
    await surface_of(life, more, turn="beef").create(0, "more", ())
    clock.advance(3000.0)
    assert await surface_of(life, asked, thread=True).find() == list(enumerate(refs))
    other = server.ask(server.general, "and me?")
    ref = await surface_of(life, other).create(0, "in the channel", ())
    taken = surface_of(life, other, thread=True)
    assert await taken.find() == [(0, ref)]
    await taken.edit(ref, "still here", ())
    assert shown(server, server.general) == ["still here"]


async def test_an_archived_thread_is_opened_again(server: DiscordServer, life: DiscordAdapter) -> None:
    """Posts and edits wake it; where we may not do that, it is a clear error, and who asked is told directly."""
    thread = server.add_thread(server.general, server.say(server.general, "a talk"))
    asked = server.ask(thread, "well?")
    surface = surface_of(life, asked)
    thread.is_archived = True
    ref = await surface.create(0, "one", ())
    thread.is_archived = True
    await surface.edit(ref, "two", ())
    assert (shown(server, thread), thread.is_archived) == (["two"], False)
    thread.is_archived = True
    await surface.attach(ref, "two", (), "the whole")
    assert thread.by(server.bot)[0].files == ["the whole"]
    thread.is_archived = True
    refusal = {"code": 50013, "message": "Missing Permissions"}
    server.faults.append(Fault(match=f"PATCH /channels/{thread.id}", status=403, body=refusal, times=9))
    with pytest.raises(ThreadArchived):
        await surface.edit(ref, "three", ())
    with pytest.raises(MissingAccess):
        await surface.create(1, "four", ())
    assert len(directly(server)) == 1


# ---- where we may not write


def directly(server: DiscordServer) -> list[str]:
    """What Alice was told directly."""
    return shown(server, server.world.add_direct(server.alice))


@pytest.mark.parametrize("denied", [SEND, VIEW])
async def test_a_channel_that_is_known_to_be_closed_is_not_asked(
    server: DiscordServer, adapter: DiscordAdapter, denied: int
) -> None:
    """What discord.py knows of our permissions is looked at first; who asked is told directly, once in an hour."""
    server.general.denied = denied
    async with running(adapter, Heard()):
        asked = server.ask(server.general, "well?")
        for turn in ("t1", "t2"):
            with pytest.raises(MissingAccess):
                await surface_of(adapter, asked, turn=turn).create(0, "here", ())
            await surface_of(adapter, asked, turn=turn).sign()
    assert server.named(f"POST /channels/{server.general.id}/*") == []
    [told] = directly(server)
    assert f"<#{server.general.id}>" in told


async def test_threads_have_a_permission_of_their_own(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Who may not write in the channel may still write in its threads, and the other way round."""
    thread = server.add_thread(server.general, server.say(server.general, "a talk"))
    server.general.denied = SEND
    async with running(adapter, Heard()):
        await surface_of(adapter, server.ask(thread, "well?")).create(0, "here", ())
    server.general.denied = SEND_IN_THREADS
    async with running(adapter, Heard()):
        with pytest.raises(MissingAccess):
            await surface_of(adapter, server.ask(thread, "well?"), turn="beef").create(0, "there", ())
    assert shown(server, thread) == ["here"]


async def test_a_thread_whose_channel_is_hidden_is_tried(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """discord.py cannot tell our rights in a thread without knowing its channel: so Discord is asked."""
    thread, heard = server.world.add_channel("hidden", type=THREAD_TYPE, parent=server.world.snowflake()), Heard()
    async with running(adapter, heard):
        server.dispatch("THREAD_CREATE", thread.json() | {"newly_created": True}, thread.guild)
        asked = server.ask(thread, "well?")
        await heard.message()
        assert isinstance(adapter._rest().get_channel(int(thread.id)), discord.Thread)
        await surface_of(adapter, asked).create(0, "here", ())
    assert shown(server, thread) == ["here"]


async def test_without_the_right_to_read_an_answer_is_no_reply(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A reply needs the right to read the history (160002), so where that is known to be missing it is not tried."""
    server.general.denied = HISTORY
    async with running(adapter, Heard()):
        await surface_of(adapter, server.ask(server.general, "well?")).create(0, "here", ())
    assert [message.reply_to for message in server.general.by(server.bot)] == [""]


async def test_without_the_right_to_attach_there_are_more_messages(
    server: DiscordServer, adapter: DiscordAdapter
) -> None:
    """An answer is whole also where no file may hang at it."""
    server.general.denied = ATTACH
    text = "\n\n".join(f"{number}. " + "word " * 100 for number in range(25))
    async with running(adapter, Heard()):
        asked = server.ask(server.general, "well?")
        async with adapter.reply(address_of(asked), FakeDraft()) as reply:
            await reply.finish(text)
    assert "".join("".join(shown(server, server.general)).split()) == "".join(text.split())
    assert len(server.general.by(server.bot)) > 5


async def test_an_answer_without_a_word_is_no_message(server: DiscordServer, life: DiscordAdapter) -> None:
    """Discord refuses empty messages (50006), and a made-up text would be no answer: nothing is posted."""
    asked = server.ask(server.general, "well?")
    async with life.reply(address_of(asked), FakeDraft()) as reply:
        reply.show(" \n")
        await reply.finish(" \n")
    assert server.named(POST) == []


async def test_a_refusal_is_remembered_for_a_minute(server: DiscordServer, life: DiscordAdapter, clock: Clock) -> None:
    """What Discord refuses counts towards a ban of the address, so it is not asked again at once."""
    server.faults.append(Fault(match=POST, status=403, body={"code": 50001, "message": "Missing Access"}))
    asked = server.ask(server.general, "well?")
    for _ in range(3):
        with pytest.raises(MissingAccess):
            await surface_of(life, asked).create(0, "here", ())
    assert len(server.named(f"POST /channels/{server.general.id}/messages")) == 1
    clock.advance(61.0)
    await surface_of(life, asked).create(0, "here", ())
    assert shown(server, server.general) == ["here"]
    assert len(directly(server)) == 1


async def test_who_takes_no_direct_messages_is_not_told(server: DiscordServer, life: DiscordAdapter) -> None:
    """50007 on the hint changes nothing of the error."""
    direct = server.world.add_direct(server.alice)
    server.faults += [
        Fault(match=f"POST /channels/{server.general.id}/messages", status=403, body={"code": 50013, "message": "x"}),
        Fault(match=f"POST /channels/{direct.id}/messages", status=403, body={"code": 50007, "message": "x"}),
    ]
    with pytest.raises(MissingAccess):
        await surface_of(life, server.ask(server.general, "well?")).create(0, "here", ())
    assert directly(server) == []


# ---- the budget


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that refills so slowly that no machine can be late."""
    monkeypatch.setitem(BUCKETS, "edit", replace(BUCKETS["edit"], per_s=0.001))


@pytest.mark.usefixtures("slow")
async def test_all_processes_share_a_channels_budget(store: Store, server: DiscordServer, life: DiscordAdapter) -> None:
    """Growing texts of two processes: one edit at once, the next when its time has come; another channel is free."""
    desks = [Desk(client=life._rest, shelf=RedisShelf(store, "discord"), limits=LIMITS) for _ in range(2)]
    assert await desks[0].budget("edit", 1, is_urgent=False) == 0.0
    waits = [await desk.budget("edit", 1, is_urgent=False) for desk in desks]
    assert all(500.0 < wait <= 1000.0 for wait in waits)
    assert await desks[1].budget("edit", 2, is_urgent=False) == 0.0
    assert await desks[1].budget("post", 1, is_urgent=False) == 0.0


async def test_growing_texts_take_turns(life: DiscordAdapter, clock: Clock) -> None:
    """Each may grow as often as the channel's edits allow for so many of them; who ends makes room for the others."""
    desk, gap_s = Desk(client=life._rest, shelf=FakeShelf(), limits=LIMITS, clock=clock), 1 / BUCKETS["edit"].per_s
    assert [await desk.growth(1, turn) for turn in ("a", "b")] == [0.0, 0.0]
    clock.advance(gap_s)
    assert await desk.growth(1, "a") == pytest.approx(gap_s)
    assert await desk.growth(2, "c") == 0.0
    desk.grown(1, "b")
    assert await desk.growth(1, "a") == 0.0
    await desk.growth(1, "d")
    clock.advance(31.0)
    await desk.growth(1, "a")
    clock.advance(gap_s)
    assert await desk.growth(1, "a") == pytest.approx(0.0)
    desk.grown(1, "a")
    desk.grown(2, "c")
    assert desk._growing == {}


@pytest.mark.usefixtures("slow")
async def test_finals_come_first(store: Store, life: DiscordAdapter) -> None:
    """Where a growing text has to wait, a final one does not, and the growing ones then wait for it as well."""
    desk = Desk(client=life._rest, shelf=RedisShelf(store, "discord"), limits=LIMITS)
    assert await desk.budget("edit", 1, is_urgent=False) == 0.0
    before = await desk.budget("edit", 1, is_urgent=False)
    assert await desk.budget("edit", 1, is_urgent=True) == 0.0
    assert await desk.budget("edit", 1, is_urgent=False) > before + 500.0


def most_in(window_s: float, write: str) -> int:
    """How many writes a bucket can let through within so many seconds, debts included."""
    bucket = BUCKETS["post" if write == "post" else "edit"]
    return int(bucket.burst + bucket.debt + bucket.per_s * window_s)


def test_growing_texts_never_empty_discords_bucket() -> None:
    """Of five edits in five seconds they take four at most, so discord.py has no reason to sleep behind one."""
    bucket = BUCKETS["edit"]
    assert int(bucket.burst + bucket.per_s * 5.0) == 4
    assert most_in(2.6, "edit") == 4  # a fifth is a final; discord.py then sleeps for less than a call may take
    assert most_in(1.9, "post") == 4


@pytest.mark.parametrize("how", ["away", "silent"])
async def test_a_store_that_is_away_holds_nothing_up(life: DiscordAdapter, how: str) -> None:
    """Then the cadence alone holds: neither growing nor final texts wait for a store, and nobody is told twice."""

    class Silent(FakeShelf):
        async def take_token(self, key: str, *, per_s: float, burst: int, debt: int = 0) -> float:
            await asyncio.Event().wait()
            raise StoreUnavailable

        async def take_once(self, key: str, *, expires_s: float) -> bool:
            await asyncio.Event().wait()
            raise StoreUnavailable

    shelf = FakeShelf() if how == "away" else Silent()
    shelf.is_away = True
    desk = Desk(client=life._rest, shelf=shelf, limits=LIMITS)
    assert [await desk.budget("edit", 1, is_urgent=urgent) for urgent in (False, True)] == [0.0, 0.0]
    assert not await desk.first("x")


async def test_the_first_post_is_as_urgent_as_a_final(
    server: DiscordServer, life: DiscordAdapter, shelf: FakeShelf
) -> None:
    """It is the sign that somebody answers; what follows takes its turn among the edits of the channel."""
    asked = server.ask(server.general, "well?")
    surface = surface_of(life, asked)
    shelf.tokens.clear()
    await surface.budget(is_final=False)
    await surface.create(0, "here", ())
    await surface.budget(is_final=True)
    assert shelf.tokens == {f"post:{server.general.id}": 1, f"edit:{server.general.id}": 1}


async def test_four_answers_stream_in_a_channel_without_a_429(store: Store, server: DiscordServer) -> None:
    """Under Discord's limits, with its headers: nothing is refused, and no bucket is emptied while the texts grow.

    discord.py sleeps behind the call that empties a bucket.
    """
    server.limit, server.is_limit_real, server.clock = (5, 5.0), True, time.time
    limits = replace(LIMITS, cadence_s=0.3)
    adapter = DiscordAdapter(server.token, RedisShelf(store, "discord"), server.api_base, limits=limits)
    grown = asyncio.Barrier(5)

    async def answer(number: int) -> None:
        asked = server.ask(server.general, f"{number}?")
        async with adapter.reply(address_of(asked), FakeDraft(f"t{number}")) as reply:
            for count in range(1, 56):
                reply.show("Word. " * count)
                await asyncio.sleep(0.1)
            await grown.wait()
            await reply.finish("Word. " * 56)

    async with running(adapter, Heard()):
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(answer(number))
            await grown.wait()
            assert 0 < server.fullest["PATCH channels messages"] <= 4
            assert 0 < server.fullest["POST channels messages"] <= 4
    assert shown(server, server.general) == [("Word. " * 56).strip()] * 4
    assert server.limited == 0
