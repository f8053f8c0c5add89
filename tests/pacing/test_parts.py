"""How one reply is written over several messages: `adapters.parts.PartsReply`."""

import asyncio

import pytest

from adapters.parts import PartsReply
from bot.errors import LeaseLost, MessageGone, PlatformUnavailable, ReplyUndeliverable
from bot.events import MessageRef
from bot.pacing import Limits
from bot.ports import Button
from tests.fakes import FakeDraft, FakeSurface
from tests.fakes.surface import LIMITS, FilingSurface, Shown, Wall

RETRY = (Button(action="retry", label="Retry", turn="t1"),)
LONG = "\n\n".join(f"Paragraph {number} " + "word " * 25 for number in range(5))


def ref(number: int) -> MessageRef:
    return MessageRef(channel="c1", id=f"m{number}")


def surface_and_draft(*, lost_at: str = "", limits: Limits = LIMITS) -> tuple[FakeSurface, FakeDraft]:
    """Both write into one log."""
    log: list[str] = []
    return FakeSurface(log=log, limits=limits), FakeDraft(log=log, lost_at=lost_at)


async def lose(draft: FakeDraft, surface: FakeSurface, text: str = LONG) -> FakeDraft:
    """A worker dies where the draft says; returns what the next one gets."""
    with pytest.raises(LeaseLost):
        async with PartsReply(surface, draft) as reply:
            await reply.finish(text)
    return draft.takeover()


# ---- pacing


async def test_first_post_comes_at_a_sentence_end() -> None:
    """The first post is made as soon as a sentence has ended."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        for end in range(1, 9):
            reply.show("Hello. I"[:end])
            await asyncio.sleep(0.05)
        assert surface.wall.writes == ["Hello. "[:6]]


async def test_first_post_comes_at_eighty_characters() -> None:
    """Without a sentence end the first post is made at 80 characters."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        for end in range(1, 100):
            reply.show("x" * end)
            await asyncio.sleep(0.005)
        assert surface.wall.writes == ["x" * 80]


async def test_first_post_comes_after_700_ms() -> None:
    """A slow model's first words are shown 0.7 s after its first token."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        await asyncio.sleep(3)
        reply.show("  \n")
        await asyncio.sleep(3)
        reply.show("Well")
        await asyncio.sleep(0.69)
        assert surface.wall.writes == []
        await asyncio.sleep(0.02)
        assert surface.wall.writes == ["Well"]


async def test_later_writes_keep_the_cadence_and_the_latest_text_wins() -> None:
    """After the first post there is one write in each cadence, always of the newest text, and none without news."""
    surface, draft = surface_and_draft()
    started_at = asyncio.get_running_loop().time()
    written_at: list[float] = []
    async with PartsReply(surface, draft) as reply:
        for count in range(1, 31):
            reply.show("One. " + "two " * count)
            await asyncio.sleep(0.1)
            written_at += [asyncio.get_running_loop().time() - started_at] * (
                len(surface.wall.writes) - len(written_at)
            )
        await asyncio.sleep(60)
    assert [round(at, 1) for at in written_at] == [0.1, 1.1, 2.1]
    assert len(surface.wall.writes) == 4
    assert surface.wall.writes[-1] == ("One. " + "two " * 30).strip()
    assert [text.count("two") for text in surface.wall.writes[:3]] == [1, 10, 20]


async def test_identical_text_is_not_sent_again() -> None:
    """Text that is shown already is not sent again, neither later nor at the end."""
    surface, draft = surface_and_draft()
    looked_at: list[str] = []

    def markup(text: str) -> str:
        looked_at.append(text)
        return text

    async with PartsReply(surface, draft, markup=markup) as reply:
        for _ in range(20):
            reply.show("Done. So it is.")
            await asyncio.sleep(0.5)
        await asyncio.sleep(60)
        assert looked_at == ["Done. So it is."]
        await reply.finish("Done. So it is.\n")
    assert surface.wall.writes == ["Done. So it is."]


async def test_parts_that_show_nothing_are_no_messages() -> None:
    """White space longer than a message makes no message that the platform would refuse."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        await reply.finish("First." + " " * 700 + "Last.")
    assert surface.wall.texts[0] == "First."
    assert surface.wall.texts[-1].strip() == "Last."
    assert all(text.strip() for text in surface.wall.texts)


async def test_the_end_does_not_wait_for_the_stream() -> None:
    """When the final text comes, what was being streamed is given up after the call that is under way."""
    surface, draft = surface_and_draft()
    created = asyncio.Event()
    surface.after["create"] = [created]
    async with PartsReply(surface, draft) as reply:
        reply.show(LONG)
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_later(1, created.set)
        await reply.finish("Short.")
    assert (surface.wall.texts, surface.wall.count) == (("Short.",), 1)


async def test_complete_parts_are_frozen() -> None:
    """A part that has become complete gets one last edit, and the rest of the answer leaves it alone."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        for end in range(0, len(LONG), 7):
            reply.show(LONG[:end])
            await asyncio.sleep(0.2)
        await reply.finish(LONG)
    edits = [entry for entry in surface.log if entry.startswith(("create", "edit"))]
    firsts = {name: edits.index(name) for name in ("create 1", "create 2", "create 3")}
    assert edits[firsts["create 1"] + 1 :].count("edit m1") == 0
    assert edits[firsts["create 2"] + 1 :].count("edit m2") == 0
    assert "".join("".join(surface.wall.texts).split()) == "".join(LONG.split())


async def test_only_one_write_runs_at_a_time() -> None:
    """A write that was planned for later does not start beside one that came due earlier and takes long."""
    surface, draft = surface_and_draft()
    created = asyncio.Event()
    surface.after["create"] = [created]
    async with PartsReply(surface, draft) as reply:
        reply.show("Hel")
        reply.show("Hello. You")
        await asyncio.sleep(3)
        created.set()
        await asyncio.sleep(3)
        assert [entry for entry in surface.log if entry != "sign"] == ["writing", "create 0", "ref 0"]


async def test_sign_is_shown_until_the_first_text() -> None:
    """The sign of life comes at once, is renewed, and ends with the first text."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        await asyncio.sleep(0.01)
        assert surface.log == ["sign"]
        await asyncio.sleep(16.1)
        assert surface.log == ["sign"] * 3
        reply.show("There. ")
        await asyncio.sleep(60)
    assert surface.log.count("sign") == 3


async def test_sign_that_hangs_or_fails_harms_nothing() -> None:
    """A sign that the platform refuses, or never answers, does not break the answer, and is tried again."""
    surface, draft = surface_and_draft()
    surface.before["sign"] = [PlatformUnavailable(), asyncio.Event()]
    async with PartsReply(surface, draft) as reply:
        await asyncio.sleep(20)
        assert surface.log == []
        await asyncio.sleep(2)
        assert surface.log == ["sign"]
        surface.before["sign"] = [asyncio.Event()]
        await asyncio.sleep(9)
        assert await reply.finish("Hello.") == (ref(1),)
    assert surface.wall.texts == ("Hello.",)


# ---- what all replies of a place share


async def test_a_growing_text_waits_for_its_turn() -> None:
    """Where the place has no room the text waits, and the newest is written when its turn has come."""
    surface, draft = surface_and_draft()
    surface.waits[False] = [3.0, 2.0]
    async with PartsReply(surface, draft) as reply:
        for count in range(60):
            reply.show("One. " + "two " * count)
            await asyncio.sleep(0.1)
            if count < 49:
                assert surface.wall.writes == []
    assert surface.wall.writes[0].count("two") >= 49


async def test_a_turn_is_good_for_all_that_changed() -> None:
    """What ends one message and begins the next is one turn: a reader does not wait twice for the new words."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        reply.show(LONG[:100])
        await asyncio.sleep(1)
        surface.waits[False] = [0.0, 1000.0]
        reply.show(LONG[:300])
        await asyncio.sleep(5)
        assert len(surface.wall.messages) == 2
        assert surface.waits[False] == [1000.0]


async def test_a_final_text_asks_for_each_write() -> None:
    """It waits as long as it is told, writes the rest then, and is told nothing for what stands there already."""
    surface, draft = surface_and_draft()
    started_at = asyncio.get_running_loop().time()
    async with PartsReply(surface, draft) as reply:
        surface.waits[True] = [2.0, 0.0, 3.0, 0.0]
        await reply.finish(LONG[:300])
        assert asyncio.get_running_loop().time() - started_at == pytest.approx(5.0)
        assert surface.waits[True] == []
    assert len(surface.wall.messages) == 2


# ---- what is recorded


async def test_intent_is_kept_before_and_ref_after_each_message() -> None:
    """The claim's own intent is enough for the first message; each further one is announced before and named after."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        refs = await reply.finish(LONG, RETRY)
    assert [entry for entry in draft.log if entry != "sign"][:9] == (
        ["writing", "create 0", "ref 0", "intent 1", "writing", "create 1", "ref 1", "intent 2", "writing"]
    )
    assert draft.refs == dict(enumerate(refs))
    assert [message.buttons for message in surface.wall.messages.values()] == [(), (), (), (), RETRY][-len(refs) :]


# ---- the end


async def test_fail_keeps_the_text_above_the_notice() -> None:
    """A notice goes below what was said, outside of a code block that was open."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        reply.show("Look. Here:\n```python\nx = 1")
        await asyncio.sleep(5)
        await reply.fail("The model broke off.", RETRY)
    assert surface.wall.texts == ("Look. Here:\n```python\nx = 1\n```\n\nThe model broke off.",)
    assert [message.buttons for message in surface.wall.messages.values()] == [RETRY]


async def test_fail_without_text_is_the_notice() -> None:
    """A notice stands alone where nothing was said."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        await reply.fail("The model isn't answering.")
    assert surface.wall.texts == ("The model isn't answering.",)


async def test_discard_deletes_all() -> None:
    """A discarded reply leaves nothing, neither on the platform nor in the record."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        reply.show(LONG)
        await asyncio.sleep(5)
        assert len(surface.wall.messages) > 3
        await reply.discard()
    assert surface.wall.messages == {}
    assert draft.refs == {}


async def test_text_that_starts_anew_replaces_what_was_shown() -> None:
    """A turn that begins again in the same reply overwrites its messages and deletes the surplus ones."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        reply.show(LONG)
        await asyncio.sleep(5)
        reply.show("No. ")
        await asyncio.sleep(5)
        assert surface.wall.texts[0] == "No."
        assert await reply.finish("No. Short.") == (ref(1),)
    assert surface.wall.texts == ("No. Short.",)


async def test_leaving_without_an_end_keeps_what_is_shown() -> None:
    """Leaving stops the writing and deletes nothing: another attempt follows."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        reply.show("Hello. ")
        await asyncio.sleep(5)
        reply.show("Hello. And more.")
    await asyncio.sleep(60)
    assert surface.wall.texts == ("Hello.",)


# ---- what is longer than the messages that a surface shows


def files(surface: FakeSurface) -> list[str]:
    return [message.file for message in surface.wall.messages.values()]


async def test_a_very_long_answer_is_a_beginning_and_a_file() -> None:
    """Beyond the messages that a surface shows, the last one says that it goes on, and the whole text is its file."""
    surface, draft = FilingSurface(), FakeDraft()
    async with PartsReply(surface, draft, markup=str.upper) as reply:
        for end in range(0, len(LONG), 40):
            reply.show(LONG[:end])
            await asyncio.sleep(0.5)
            assert len(surface.wall.messages) <= 2
        await reply.finish(LONG, RETRY)
    first, last = surface.wall.messages.values()
    assert (first.file, first.buttons, last.file, last.buttons) == ("", (), LONG, RETRY)
    beginning, _, note = last.text.rpartition("\n\n")
    assert note == "*(This is its beginning; the whole answer is in the file.)*"
    assert "".join(LONG.upper().split()).startswith("".join((first.text + beginning).split()))
    assert len(last.text) <= LIMITS.characters


async def test_code_that_is_cut_before_a_file_is_closed() -> None:
    """A code block does not swallow the line about the file."""
    surface = FilingSurface()
    async with PartsReply(surface, FakeDraft()) as reply:
        await reply.finish("```python\n" + "x = 1\n" * 200 + "```")
    assert surface.wall.texts[1].endswith("x = 1\n```\n\n*(This is its beginning; the whole answer is in the file.)*")


async def test_a_takeover_attaches_again_and_a_shorter_answer_takes_the_file_away() -> None:
    """What a message shows beside its text is unknown to the next worker, so it is written whole."""
    surface, draft = FilingSurface(), FakeDraft()
    async with PartsReply(surface, draft) as reply:
        await reply.finish(LONG)
    surface.log.clear()
    async with PartsReply(surface, draft.takeover()) as reply:
        await reply.finish(LONG)
    assert [entry for entry in surface.log if entry != "sign"] == ["edit m1", "attach m2"]
    assert files(surface) == ["", LONG]
    async with PartsReply(surface, draft.takeover()) as reply:
        await reply.finish("Short. " * 30)
    assert files(surface) == ["", ""]


async def test_a_file_that_was_not_taken_is_attached_again() -> None:
    """A lost answer to an attachment is no reason to trust it, and a message that vanished under it is made anew."""
    for trouble in (PlatformUnavailable(), MessageGone()):
        surface, draft = FilingSurface(), FakeDraft()
        surface.after["attach"] = [trouble]
        async with PartsReply(surface, draft) as reply:
            await reply.finish(LONG)
        assert files(surface)[-1] == LONG
        assert draft.refs[1] == MessageRef(channel="c1", id=list(surface.wall.messages)[-1])


async def test_running_buttons_stand_under_the_last_message_only() -> None:
    """While the text grows its buttons move to the newest message, and the end puts its own there."""
    surface, draft = surface_and_draft()
    stop = (Button(action="stop", label="Stop", turn="t1"),)
    async with PartsReply(surface, draft, running=stop) as reply:
        for end in range(0, len(LONG), 40):
            reply.show(LONG[:end])
            await asyncio.sleep(2)
            shown = [message.buttons for message in surface.wall.messages.values()]
            assert shown == [()] * (len(shown) - 1) + [stop] * bool(shown)
        await reply.finish(LONG, RETRY)
    assert [message.buttons for message in surface.wall.messages.values()] == [(), (), (), (), RETRY]


# ---- takeover


async def test_takeover_finds_the_message_whose_ref_was_lost() -> None:
    """A message that was created but not recorded is found, recorded and overwritten; no second one appears."""
    surface, draft = surface_and_draft(lost_at="ref 0")
    later = await lose(draft, surface, "The first try.")
    surface.log.clear()
    async with PartsReply(surface, later) as reply:
        assert await reply.finish("The second try.") == (ref(1),)
    assert surface.wall.texts == ("The second try.",)
    assert [entry for entry in surface.log if entry != "sign"] == ["writing", "find", "ref 0", "writing", "edit m1"]


async def test_takeover_creates_what_was_only_intended() -> None:
    """Where the earlier worker died before it created its message, the next one looks, and creates it once."""
    surface, draft = surface_and_draft(lost_at="writing")
    later = await lose(draft, surface)
    async with PartsReply(surface, later) as reply:
        await reply.finish("Here.")
    assert surface.wall.texts == ("Here.",)


async def test_takeover_overwrites_and_deletes_surplus() -> None:
    """A shorter second answer overwrites the first messages and deletes the others, found ones too."""
    surface, draft = surface_and_draft(lost_at="ref 2")
    later = await lose(draft, surface)
    assert len(surface.wall.messages) == 3
    async with PartsReply(surface, later) as reply:
        await reply.finish("Short.")
    assert surface.wall.texts == ("Short.",)
    assert later.refs == {0: ref(1)}
    assert [entry for entry in surface.log if entry.startswith("delete")] == ["delete m3", "delete m2"]


async def test_takeover_whose_messages_are_known_does_not_look() -> None:
    """With all refs on record nothing is looked for, and even equal text is written, as nobody knows what is shown."""
    surface, draft = surface_and_draft(lost_at="intent 1")
    later = await lose(draft, surface)
    surface.log.clear()
    async with PartsReply(surface, later) as reply:
        await reply.finish(surface.wall.texts[0])
    assert [entry for entry in surface.log if entry != "sign"] == ["writing", "edit m1"]


async def test_further_intents_are_looked_for_without_a_takeover() -> None:
    """A turn that starts again in a new reply looks for the message whose creation nobody saw end."""
    wall = Wall({"m1": Shown(id="m1", turn="t1", part=1, text="old")}, count=1)
    draft = FakeDraft(refs={0: None, 1: None})
    async with PartsReply(FakeSurface(wall), draft) as reply:
        await reply.finish("Here.")
    assert wall.texts == ("Here.",)


async def test_takeover_that_fails_overwrites_too() -> None:
    """A notice is never put below text of which nobody knows how much is shown."""
    surface, draft = surface_and_draft(lost_at="intent 1")
    later = await lose(draft, surface)
    async with PartsReply(surface, later) as reply:
        await reply.fail("Sorry.")
    assert surface.wall.texts == ("Sorry.",)


async def test_takeover_discards_found_messages() -> None:
    """What an earlier attempt has created without a record is deleted as well."""
    surface, draft = surface_and_draft(lost_at="ref 0")
    later = await lose(draft, surface)
    async with PartsReply(surface, later) as reply:
        await reply.discard()
    assert surface.wall.messages == {}


# ---- trouble


async def test_trouble_while_streaming_loses_nothing() -> None:
    """While the platform takes nothing the text is kept, tried again, and written whole at the end."""
    surface, draft = surface_and_draft()
    surface.before["create"] = [PlatformUnavailable(retry_in_s=3.0), PlatformUnavailable(retry_in_s=3.0)]
    async with PartsReply(surface, draft) as reply:
        reply.show("One. Two")
        await asyncio.sleep(2.9)
        assert surface.wall.writes == []
        await asyncio.sleep(0.2)
        reply.show("One. Two. Three")
        await asyncio.sleep(3)
        assert surface.wall.writes == ["One. Two. Three"]
        await reply.finish("One. Two. Three.")
    assert surface.wall.texts == ("One. Two. Three.",)


async def test_final_text_is_tried_again() -> None:
    """The final text is tried again after the time that the platform asks for."""
    surface, draft = surface_and_draft()
    surface.before["create"] = [PlatformUnavailable(retry_in_s=30.0)]
    started_at = asyncio.get_running_loop().time()
    async with PartsReply(surface, draft) as reply:
        await reply.finish("Here.")
    assert asyncio.get_running_loop().time() - started_at == pytest.approx(30)
    assert surface.wall.texts == ("Here.",)


async def test_final_text_is_given_back_to_the_queue_in_the_end() -> None:
    """After a few tries the failure is raised, for the queue to try later; ending it another way still works."""
    surface, draft = surface_and_draft()
    surface.before["create"] = [PlatformUnavailable() for _ in range(4)]
    async with PartsReply(surface, draft) as reply:
        with pytest.raises(PlatformUnavailable):
            await reply.finish("Here.")
        await reply.fail("Sorry.")
    assert surface.wall.texts == ("Here.\n\nSorry.",)


async def test_create_that_may_have_happened_is_looked_for() -> None:
    """A create whose answer was lost or came too late is looked for before another is made."""
    for trouble in (PlatformUnavailable(), asyncio.Event()):
        surface, draft = surface_and_draft()
        surface.after["create"] = [trouble]
        async with PartsReply(surface, draft) as reply:
            assert await reply.finish("Here.") == (ref(1),)
        assert surface.wall.texts == ("Here.",)
        assert draft.refs == {0: ref(1)}


async def test_refusal_while_streaming_surfaces_at_the_end() -> None:
    """A platform that will never take the reply is asked once while streaming, and the end says so."""
    surface, draft = surface_and_draft()
    surface.before["create"] = [ReplyUndeliverable(), ReplyUndeliverable()]
    async with PartsReply(surface, draft) as reply:
        for count in range(10):
            reply.show("One. " + "two " * count)
            await asyncio.sleep(5)
        assert len(surface.before["create"]) == 1
        with pytest.raises(ReplyUndeliverable):
            await reply.finish("One. Two.")


async def test_message_that_is_gone_is_created_anew() -> None:
    """Where somebody deleted a message of a running answer, its part is announced and created again."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        reply.show("One. ")
        await asyncio.sleep(5)
        surface.wall.messages.clear()
        assert await reply.finish("One. Two.") == (ref(2),)
    assert draft.log[-5:] == ["drop 0", "intent 0", "writing", "create 0", "ref 0"]


async def test_edit_that_may_have_happened_is_not_trusted() -> None:
    """After an edit whose answer was lost the text is written again, even one that was shown before it."""
    surface, draft = surface_and_draft()
    async with PartsReply(surface, draft) as reply:
        reply.show("One. ")
        await asyncio.sleep(5)
        surface.after["edit"] = [PlatformUnavailable()]
        reply.show("One. Two")
        await asyncio.sleep(0.5)
        await reply.finish("One.")
    assert surface.wall.texts == ("One.",)


async def test_surplus_that_is_gone_is_no_trouble() -> None:
    """A surplus message that somebody deleted already is dropped from the record."""
    surface, draft = surface_and_draft()
    surface.before["delete"] = [MessageGone()]
    async with PartsReply(surface, draft) as reply:
        reply.show(LONG)
        await asyncio.sleep(5)
        await reply.finish("Short.")
    assert draft.refs == {0: ref(1)}


# ---- the lease, and being cancelled


@pytest.mark.parametrize("instant", ["writing", "ref 0", "intent 1"])
async def test_lost_lease_stops_everything(instant: str) -> None:
    """Once the lease is lost nothing more is written, and both the next text and the end say so."""
    surface, draft = surface_and_draft(lost_at=instant)
    async with PartsReply(surface, draft) as reply:
        reply.show(LONG)
        await asyncio.sleep(5)
        log = [entry for entry in surface.log if entry != "sign"]
        with pytest.raises(LeaseLost):
            reply.show(LONG + "more")
        with pytest.raises(LeaseLost):
            await reply.finish(LONG)
    assert [entry for entry in surface.log if entry != "sign"] == log


async def test_cancelled_create_still_keeps_its_ref() -> None:
    """Who is cancelled while a message is being created leaves only after the message is recorded."""
    for repeat in (1, 3):
        surface, draft = surface_and_draft()
        created = asyncio.Event()
        surface.after["create"] = [created]

        async def answer(surface: FakeSurface = surface, draft: FakeDraft = draft) -> None:
            async with PartsReply(surface, draft) as reply:
                await reply.finish(LONG)

        task = asyncio.create_task(answer())
        await asyncio.sleep(1)
        for _ in range(repeat):
            task.cancel()
            await asyncio.sleep(0.1)
        assert not task.done()
        created.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert draft.refs == {0: ref(1)}
        assert surface.wall.count == 1


async def test_leaving_while_a_message_is_streamed_keeps_its_ref() -> None:
    """Leaving without an end waits for the message that is being created, and for no more."""
    surface, draft = surface_and_draft()
    created = asyncio.Event()
    surface.after["create"] = [created]
    async with PartsReply(surface, draft) as reply:
        reply.show(LONG)
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_later(1, created.set)
    assert draft.refs == {0: ref(1)}
    assert surface.wall.count == 1


async def test_leaving_does_not_wait_for_a_lease() -> None:
    """A writer that waits to be allowed to write is let go at once."""
    surface, draft = surface_and_draft()
    draft.may_write = asyncio.Event()
    async with PartsReply(surface, draft) as reply:
        reply.show("Hello. ")
        await asyncio.sleep(1)
    assert surface.wall.count == 0


async def test_leaving_does_not_wait_for_another_try() -> None:
    """Who is cancelled while the final text waits to be tried again leaves at once."""
    surface, draft = surface_and_draft()
    surface.before["create"] = [PlatformUnavailable(retry_in_s=100.0)]

    async def answer() -> None:
        async with PartsReply(surface, draft) as reply:
            await reply.finish("Here.")

    task = asyncio.create_task(answer())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(0.1)
    assert task.cancelled()


async def test_nothing_runs_on_after_the_end() -> None:
    """After a reply is left none of its tasks is left, whichever way it ended."""
    for end in ("finish", "fail", "discard", "leave"):
        surface, draft = surface_and_draft()
        async with PartsReply(surface, draft) as reply:
            reply.show("Hello. ")
            await asyncio.sleep(0.1)
            reply.show("Hello. More")
            match end:
                case "finish":
                    await reply.finish("Hello. More.")
                case "fail":
                    await reply.fail("Sorry.")
                case "discard":
                    await reply.discard()
                case _:
                    pass
        assert asyncio.all_tasks() == {asyncio.current_task()}
