"""Transcripts: bounded, exported and erased completely, readable past a corrupt entry."""

import json
from dataclasses import replace

import pytest

from bot.history import History
from bot.inbox import Inbox
from bot.store import Store
from bot.stored import Entry, dump_entry, load_entries
from tests.pipeline.make import AT, answer, entry, place, question, settings


@pytest.fixture
def history(store: Store) -> History:
    """Transcripts of at most 100 entries."""
    return History(store, keep_entries=100)


async def test_append_gives_the_newest_entries_with_positions(history: History) -> None:
    """One round trip appends and loads; positions count on while old entries are trimmed."""
    newest: list[Entry] = []
    for number in range(150):
        newest = await history.append(place(), entry(question(str(number))), load=50)
    assert [one.n for one in newest] == list(range(101, 151))
    assert len(await history.load(place())) == 100
    trips = history.store.trips
    await history.append(place(), entry(question("x")))
    assert history.store.trips == trips + 1


async def test_an_entry_survives_its_trip(history: History) -> None:
    """All fields come back as they were."""
    full = Entry(
        id="1",
        kind="answer",
        text='"quotes" and \u2028 and 🙂',
        at=AT,
        author="ana",
        name="Ana",
        stamp="Tue",
        questions=("a", "b"),
        turn="t",
        parts=("1", "2"),
        askers=("ana",),
        versions=("old",),
        replaces="0",
        is_cut=True,
    )
    [back] = await history.append(place(), full)
    assert back == Entry(**{**{name: getattr(full, name) for name in Entry.__slots__}, "n": 1})


async def test_a_corrupt_entry_is_skipped_counted_and_logged(
    history: History, caplog: pytest.LogCaptureFixture
) -> None:
    """One unreadable entry costs itself, not the conversation."""
    key = f"{history.store.shard(place().channel_key)}t:{place().key}"
    await history.append(place(), entry(question("1")))
    for bad in ("{]", '{"id":5}', '"text"', '{"id":"9","kind":"sung","text":"","at":0}'):
        await history.store.command("RPUSH", key, bad)
    assert [one.id for one in await history.append(place(), entry(question("2")))] == ["1", "2"]
    assert "skipped 4 corrupt transcript entries" in caplog.text


async def test_unknown_fields_of_a_newer_version_are_no_corruption() -> None:
    """A newer Parley may add fields; an older one reads past them."""
    [one] = load_entries([json.dumps({"hologram": 1, **json.loads(dump_entry(entry(question("1"))))})])
    assert one.id == "1"


async def test_a_person_is_erased_everywhere(store: Store, history: History) -> None:
    """What a person said is gone from transcript, lane, dead letters and turn records, with answers to them alone."""
    inbox = Inbox(store, settings())
    for id, who in (("1", "ana"), ("2", "ben"), ("3", "ana")):
        await inbox.admit(question(id, f"words of {who}", who=who), entry(question(id, f"words of {who}", who=who)))
        [turn] = await inbox.claim(store.shard(place().channel_key), 1)
        if id == "3":
            await inbox.commit(turn, None, {}, given_up="broken")
        else:
            await inbox.commit(
                turn, replace(answer(f"a{id}", f"to {who}", id), askers=(who,)), {"authors": who, "final": f"to {who}"}
            )
    await inbox.admit(question("4", "words of ana"), entry(question("4", "words of ana")))
    exported = json.dumps(await history.export([place()], "ana"))
    assert exported.count("words of ana") == 5
    assert "words of ben" not in exported
    assert await history.erase([place()], "ana") > 0
    assert [one.text for one in await history.load(place())] == ["words of ben", "to ben"]
    assert await inbox.claim(store.shard(place().channel_key), 5) == []
    assert await inbox.dead() == []
    left = [await store.command("DUMP", key) async for key in store.scan("*ana*")]
    assert "words of ana" not in str(left)
    assert json.dumps(await history.export([place()], "ana")).count("ana") == 0


async def test_a_conversation_is_erased_whole_and_its_running_turn_ends_empty(store: Store, history: History) -> None:
    """Erasing while a turn runs: the turn is told, and what it would have answered is never kept."""
    inbox = Inbox(store, settings())
    await inbox.admit(question("1"), entry(question("1")))
    [turn] = await inbox.claim(store.shard(place().channel_key), 1)
    assert [one.key async for one in history.conversations("test")] == [place().key]
    await history.erase([place()])
    assert (await inbox.record(turn)).is_changed
    turn = await inbox.reload(turn)
    assert turn.questions == ()
    await inbox.commit(turn, None, {})
    assert await history.load(place()) == []
    other = place(channel="C2")
    await inbox.admit(question("1", channel="C2"), entry(question("1", channel="C2")))
    await history.erase([place()])
    assert len(await history.load(other)) == 1
    [turn] = await inbox.claim(store.shard(other.channel_key), 1)
    await inbox.commit(turn, None, {})


async def test_records_of_turns_are_read_once_for_all_conversations(store: Store, history: History) -> None:
    """To forget and to export everywhere reads each record of a shard once, however many conversations lie there."""
    places = [place(channel=f"K{number}") for number in range(12)]
    for one in places:
        key = f"{store.shard(one.channel_key)}turn:{one.channel}"
        await store.command("HSET", key, "lane", f"{one.key}|ana", "authors", "ana")
        await store.command("EXPIRE", key, 60)
    await store.command("CONFIG", "RESETSTAT")
    exported = await history.export(places, "ana")
    assert [one["conversation"] for one in exported] == [one.key for one in places]
    assert await history.erase(places, "ana") == 12
    told = await store.command("INFO", "commandstats")
    assert told["cmdstat_hgetall"]["calls"] <= 3 * 12 + 12
    assert await history.export(places, "ana") == []
