"""The inbox over a real server: nothing is lost, nothing is answered twice, lanes keep their order."""

from dataclasses import replace

import pytest

from bot.errors import LeaseLost, TurnChanged
from bot.events import MessageRef
from bot.inbox import Inbox, OpenTurn, Talk
from bot.ports import Admission
from bot.store import Store
from bot.stored import load_entries
from tests.pipeline.make import answer, entry, place, question, settings


@pytest.fixture
def inbox(store: Store) -> Inbox:
    """An inbox with the default policy."""
    return Inbox(store, settings())


async def ask(
    inbox: Inbox, id: str, text: str = "?", *, who: str = "ana", channel: str = "C1", thread: str = ""
) -> Admission:
    """Admit a question."""
    event = question(id, text, who=who, channel=channel, thread=thread)
    return await inbox.admit(event, entry(event))


async def claim(inbox: Inbox, channel: str = "C1", turns: int = 10) -> list[OpenTurn]:
    """Claim turns of a channel's shard."""
    return await inbox.claim(inbox.store.shard(place(channel).channel_key), turns)


def ids(turn: OpenTurn) -> list[str]:
    """The ids of a turn's questions."""
    return [one.id for one in turn.questions]


async def test_a_question_is_claimed_once_and_committed_once(inbox: Inbox) -> None:
    """A question that was admitted is claimed by one worker, and its answer stands in the transcript once."""
    assert await ask(inbox, "1", "how?") is Admission.ADMITTED
    [turn] = await claim(inbox)
    assert await claim(inbox) == []
    assert (ids(turn), turn.fence, turn.deaths, turn.failures, turn.is_expired) == (["1"], 1, 0, 0, False)
    await inbox.commit(turn, answer("a1", "so", "1"), {"model": "m"})
    await inbox.commit(turn, answer("a1", "so", "1"), {"model": "m"})
    await ask(inbox, "2")
    [after] = await claim(inbox)
    assert [one.id for one in load_entries(after.transcript)] == ["1", "a1", "2"]
    assert [one.n for one in load_entries(after.transcript)] == [1, 2, 3]
    assert (await inbox.closed(turn.conversation, turn.id))["model"] == "m"


async def test_the_same_message_is_admitted_once(inbox: Inbox) -> None:
    """A platform that delivers twice (a retry, a second socket) is told "duplicate", and one turn comes of it."""
    assert [await ask(inbox, "1") for _ in range(3)] == ["admitted", "duplicate", "duplicate"]
    [turn] = await claim(inbox)
    assert len(turn.transcript) == 1


async def test_what_was_heard_may_be_raised_to_asked_once(inbox: Inbox) -> None:
    """A mention added by an edit makes a question of a message that was only heard, in its old place."""
    heard = question("1", "hello")
    await inbox.admit(heard, entry(heard, "heard"), Talk("all"))
    assert await claim(inbox) == []
    await inbox.admit(question("2", "other"), entry(question("2", "other"), "heard"), Talk("all"))
    raised = replace(heard, text="hello @bot")
    assert [await inbox.admit(raised, entry(raised)) for _ in range(2)] == ["admitted", "duplicate"]
    [turn] = await claim(inbox)
    assert [(one.id, one.kind, one.text) for one in load_entries(turn.transcript)] == [
        ("1", "asked", "hello @bot"),
        ("2", "heard", "other"),
    ]


async def test_waiting_questions_of_one_author_are_collected_in_order(inbox: Inbox) -> None:
    """What one person wrote while a turn ran becomes one next turn; what comes later waits behind it."""
    await ask(inbox, "1")
    [first] = await claim(inbox)
    for id in "234":
        await ask(inbox, id)
    assert await claim(inbox) == []
    await inbox.commit(first, answer("a1", "x", "1"), {})
    [second] = await claim(inbox)
    await ask(inbox, "5")
    assert ids(second) == ["2", "3", "4"]
    await inbox.commit(second, answer("a2", "x", "2", "3", "4"), {})
    [third] = await claim(inbox)
    assert ids(third) == ["5"]


async def test_collecting_can_be_turned_off_and_is_bounded(store: Store) -> None:
    """With collecting off each question has its own turn; on, a batch ends at 20 questions or the budget's bytes."""
    single = Inbox(store, settings(collect=False))
    for number in range(30):
        await ask(single, str(number))
    [turn] = await claim(single)
    assert ids(turn) == ["0"]
    await single.commit(turn, None, {})
    [turn] = await claim(Inbox(store, settings()))
    assert len(turn.questions) == 20
    await single.commit(turn, None, {})
    [turn] = await claim(Inbox(store, settings(prompt_tokens=500)))
    assert 1 <= len(turn.questions) < 5


async def test_other_people_are_answered_at_once_up_to_the_limit_of_a_conversation(inbox: Inbox) -> None:
    """Each author has a lane; three turns run at once in a conversation, the fourth starts when one ends."""
    for who in ("ana", "ben", "cem", "dia"):
        await ask(inbox, f"q-{who}", who=who)
    turns = await claim(inbox)
    assert [ids(turn)[0] for turn in turns] == ["q-ana", "q-ben", "q-cem"]
    await inbox.commit(turns[1], answer("a", "x", "q-ben"), {})
    assert [ids(turn) for turn in await claim(inbox)] == [["q-dia"]]


async def test_a_noisy_channel_never_starves_another(store: Store) -> None:
    """Claims go round over channels, however many lanes wait in one of them."""
    inbox = Inbox(store, settings(channel_turns=1000))
    shard = store.shard(place("C1").channel_key)
    noisy, calm = "C1", next(c for c in map(str, range(99)) if store.shard(place(c).channel_key) == shard)
    for number in range(50):
        await ask(inbox, f"n{number}", who=f"p{number}", channel=noisy)
    await ask(inbox, "calm", channel=calm)
    assert ["calm"] in [ids(turn) for turn in await claim(inbox, turns=2)]


async def test_an_ended_lease_is_taken_over_and_fences_the_first_worker(store: Store) -> None:
    """A worker that died is followed by another; should it only have slept, nothing that it writes has an effect."""
    inbox = Inbox(store, settings(lease_s=0.0))
    await ask(inbox, "1")
    [first] = await claim(inbox)
    [second] = await claim(inbox)
    assert (second.id, second.fence, second.deaths, second.is_expired) == (first.id, 2, 1, True)
    with pytest.raises(LeaseLost):
        await inbox.record(first, {"final": "x"})
    with pytest.raises(LeaseLost):
        await inbox.commit(first, answer("a", "x", "1"), {})
    with pytest.raises(LeaseLost):
        await inbox.release(first, is_failure=True, delay_s=0)
    await inbox.record(second, {"final": "y"})
    [third] = await claim(inbox)
    assert third.record["final"] == "y"
    await inbox.commit(third, answer("a", "y", "1"), {})


async def test_failures_and_hand_backs_are_counted_apart(inbox: Inbox) -> None:
    """A failed turn counts and waits for its time; one handed back at shutdown does neither."""
    await ask(inbox, "1")
    [turn] = await claim(inbox)
    assert await inbox.release(turn, is_failure=False, delay_s=0) == 0
    [turn] = await claim(inbox)
    assert await inbox.release(turn, is_failure=True, delay_s=60) == 1
    assert await claim(inbox) == []
    [turn] = [one for one in await _when_due(inbox) if one.id == turn.id]
    assert (turn.failures, turn.deaths, turn.is_expired) == (1, 0, False)
    assert turn.fence > 2


async def _when_due(inbox: Inbox) -> list[OpenTurn]:
    prefix = inbox.store.shard(place().channel_key)
    await inbox.store.command("ZADD", prefix + "later", 0, "test:W1:C1:|ana")
    await inbox.sweep(prefix)
    return await claim(inbox)


async def test_an_edit_reaches_a_waiting_question_and_restarts_a_running_turn(inbox: Inbox) -> None:
    """An edited question is answered as it now stands: in lane, transcript, and a turn that runs already."""
    await ask(inbox, "1", "old")
    assert await _edit(inbox, "1", "new") == "asked"
    [turn] = await claim(inbox)
    assert turn.questions[0].text == "new"  # type: ignore[union-attr]
    await _edit(inbox, "1", "newest")
    assert (await inbox.record(turn)).is_changed
    with pytest.raises(TurnChanged):
        await inbox.commit(turn, answer("a", "x", "1"), {})
    again = await inbox.reload(turn)
    assert again.questions[0].text == "newest"  # type: ignore[union-attr]
    assert [one.text for one in load_entries(again.transcript)] == ["newest"]
    await inbox.commit(again, answer("a", "x", "1"), {})
    assert await _edit(inbox, "9", "never seen") == "unknown"


async def _edit(inbox: Inbox, id: str, text: str) -> str:
    event = question(id, text)
    return await inbox.edit(event, entry(event))


async def test_a_deleted_question_leaves_its_lane_its_transcript_and_its_turn(inbox: Inbox) -> None:
    """Deleting works before a message comes, while it waits, and while its turn runs; a batch may end up empty."""
    assert not await inbox.delete(place(), "0")
    assert await ask(inbox, "0") is Admission.IGNORED
    await ask(inbox, "1")
    await ask(inbox, "2")
    assert await inbox.delete(place(), "1")
    [turn] = await claim(inbox)
    assert ids(turn) == ["2"]
    assert await inbox.delete(place(), "2")
    with pytest.raises(TurnChanged):
        await inbox.commit(turn, answer("a", "x", "2"), {})
    turn = await inbox.reload(turn)
    assert (ids(turn), list(turn.transcript)) == ([], [])
    await ask(inbox, "3")
    await inbox.commit(turn, None, {})
    [turn] = await claim(inbox)
    assert ids(turn) == ["3"]


async def test_a_turn_is_stopped_by_its_id_or_as_the_running_one(inbox: Inbox) -> None:
    """Stop reaches the open turn whichever process runs it, and says when there is none."""
    author = question("1").author
    assert not await inbox.stop(place(), author, "")
    await ask(inbox, "1")
    [turn] = await claim(inbox)
    assert not await inbox.stop(place(), author, "no-such-turn")
    assert await inbox.stop(place(), author, turn.id)
    assert (await inbox.record(turn)).is_stopped
    assert await inbox.stop(place(), author, "")


async def test_a_batch_that_is_given_up_becomes_a_dead_letter_and_can_be_put_back(inbox: Inbox) -> None:
    """`parley dead` lists what was given up, and re-queues it."""
    await ask(inbox, "1", "hard")
    [turn] = await claim(inbox)
    await inbox.commit(turn, None, {}, given_up="the model failed 5 times")
    [letter] = await inbox.dead()
    assert (letter.reason, len(letter.items), letter.lane) == ("the model failed 5 times", 1, "test:W1:C1:|ana")
    assert await claim(inbox) == []
    assert await inbox.requeue(letter) == 1
    assert await inbox.requeue(letter) == 0
    assert await inbox.dead() == []
    [again] = await claim(inbox)
    assert (ids(again), again.id != turn.id) == (["1"], True)


async def test_a_late_write_asks_for_a_repair_after_the_turn(store: Store) -> None:
    """A worker that wrote after its lease stores a repair: it waits for the running turn, or starts at once."""
    inbox = Inbox(store, settings(lease_s=0.0))
    await ask(inbox, "1")
    [first] = await claim(inbox)
    [second] = await claim(inbox)
    await inbox.lapsed(first, MessageRef(channel="C1", id="orphan"))
    await inbox.commit(second, answer("a", "x", "1"), {})
    [repair] = await claim(inbox)
    assert (repair.questions[0].type, repair.questions[0].id) == ("lapse", first.id)
    record = await inbox.closed(place(), first.id)
    assert [value for name, value in record.items() if name.startswith("orphan:")] == ['{"channel":"C1","id":"orphan"}']
    await inbox.commit(repair, None, {})
    await inbox.lapsed(first, None)
    [repair] = await claim(inbox)
    assert repair.questions[0].type == "lapse"


async def test_a_sweep_brings_back_what_an_index_lost(inbox: Inbox) -> None:
    """Lanes that stand in no index (a store that lost its last writes) are found again by the full sweep."""
    await ask(inbox, "1")
    await ask(inbox, "2", who="ben")
    await claim(inbox)
    prefix = inbox.store.shard(place().channel_key)
    await ask(inbox, "3", who="cem")
    for key in ("ring", "idx", "r:test:W1:C1", "lease", "wake"):
        await inbox.store.command("DEL", prefix + key)
    await inbox.sweep(prefix, is_full=True)
    assert await inbox.wait([prefix], 1.0) == prefix
    assert sorted(ids(turn)[0] for turn in await claim(Inbox(inbox.store, settings(channel_turns=9)))) == [
        "1",
        "2",
        "3",
    ]


async def test_an_event_of_a_newer_version_is_told_apart_from_a_corrupt_one(inbox: Inbox) -> None:
    """A worker leaves what a newer one stored, and gives up what nobody can read."""
    prefix = inbox.store.shard(place().channel_key)
    for text, expected in (('{"v":99,"type":"hologram"}', "newer"), ("{]", "corrupt")):
        await ask(inbox, expected)
        await inbox.store.command("LSET", f"{prefix}l:test:W1:C1:|ana", 0, "Q" + text)
        [turn] = await claim(inbox)
        assert turn.unreadable == expected
        await inbox.commit(turn, None, {}, given_up="unreadable")


async def test_ten_thousand_waiting_messages_are_all_answered_in_order(store: Store) -> None:
    """A flood in one lane is worked off in batches, none lost, none twice, in order."""
    inbox = Inbox(store, settings(prompt_tokens=10**6))
    import asyncio

    for start in range(0, 10_000, 500):
        await asyncio.gather(*(ask(inbox, str(number)) for number in range(start, start + 500)))
    seen: list[str] = []
    while turns := await claim(inbox):
        for turn in turns:
            seen += ids(turn)
            await inbox.commit(turn, None, {})
    assert seen == [str(number) for number in range(10_000)]
