"""What people do with an answer, and when what they say is a question: through the whole pipeline."""

import asyncio
from dataclasses import replace

import pytest

from bot.channels import Channels, ChannelSettings, WrongValue
from bot.errors import ModelRefused, NotAllowed
from bot.events import Action, ActionTaken, Conversation, MessageEdited, MessageReceived, Person
from bot.inbox import Talk
from bot.ports import Admission
from bot.store import Store
from handlers.intake import addressed
from tests.fakes import FakeModel
from tests.pipeline.make import question, settings
from tests.pipeline.stage import Stage, stage, until

NOW = 1_800_000_000.0


def act(action: Action, event: MessageReceived, turn: str, *, who: Person | None = None, text: str = "") -> ActionTaken:
    """Somebody (the asker, unless told otherwise) uses a control of the answer to this question."""
    author = who or event.author
    return ActionTaken(
        id=f"{action}-{author.id}-{event.id}",
        conversation=event.conversation,
        author=author,
        action=action,
        turn=turn,
        text=text,
        at=event.at,
        address=event.address,
    )


async def idle(it: Stage) -> None:
    """Every turn has ended."""
    await until(lambda: not it.worker.leases, "no turn runs")


# ---- the buttons of an answer


async def test_regenerate_writes_over_the_answer_it_replaces(store_url: str) -> None:
    """Another version stands in the same message, and its buttons are those of the new turn."""
    model = FakeModel("first", then=(FakeModel("second"), FakeModel("third")))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        await it.platform.tell(act("retry", event, (await it.transcript())[-1].turn))
        await until(lambda: it.texts() == ("second",), "the second version stands in place of the first")
        await idle(it)
        [shown] = it.platform.walls["c1"].messages.values()
        entry = (await it.transcript())[-1]
        assert (entry.text, entry.versions, entry.id) == ("second", ("first",), shown.id)
        assert {button.turn for button in shown.buttons} == {entry.turn}
        await it.platform.tell(replace(act("retry", event, entry.turn), id="again"))
        await until(lambda: it.texts() == ("third",), "and once more")


async def test_a_regeneration_that_fails_leaves_the_answer_standing(store_url: str) -> None:
    """A notice stands below the answer that was there; the transcript keeps the answer."""
    model = FakeModel("first", then=(FakeModel(ModelRefused("no")),))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        await it.platform.tell(act("retry", event, (await it.transcript())[-1].turn))
        await until(lambda: len(it.texts()[0]) > 10, "the notice is shown")
        assert it.texts() == (f"first\n\n{ModelRefused().notice}",)
        assert (await it.transcript())[-1].text == "first"


async def test_continue_goes_on_with_the_text_that_is_there(store_url: str) -> None:
    """The same message grows on; the model saw what it had said, and the transcript has it as one answer."""
    model = FakeModel("One, two,", then=(FakeModel(" three."),))
    async with stage(store_url, model) as it:
        event = await it.platform.say("count")
        await it.answered(1)
        await it.platform.tell(act("continue", event, (await it.transcript())[-1].turn))
        await until(lambda: it.texts() == ("One, two, three.",), "it went on")
        await idle(it)
        asked, entry = await it.transcript()
        assert (entry.text, entry.questions) == ("One, two, three.", (asked.id,))
        assert [message.content for message in model.requests[1].messages][-2] == "One, two,"


async def test_delete_takes_the_answer_away_and_leaves_the_question(store_url: str) -> None:
    """The messages are gone, and the transcript has no answer any more."""
    async with stage(store_url, FakeModel("nonsense")) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        await it.platform.tell(act("delete", event, (await it.transcript())[-1].turn))
        await until(lambda: it.texts() == (), "the answer is gone")
        await idle(it)
        assert [entry.kind for entry in await it.transcript()] == ["asked"]


async def test_a_question_that_was_given_up_can_be_asked_again_by_its_button(store_url: str) -> None:
    """Regenerate works below a failure, too: the turn's record knows which question it was."""
    model = FakeModel(ModelRefused("no"), then=(FakeModel("now"),))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await until(lambda: len(it.texts()) == 1 and not it.worker.leases, "the notice is shown")
        [shown] = it.platform.walls["c1"].messages.values()
        await it.platform.tell(act("retry", event, shown.turn))
        await until(lambda: it.texts()[-1:] == ("now",), "it was answered")


@pytest.mark.parametrize("action", ["retry", "continue", "delete", "why", "stop"])
async def test_others_may_not_use_the_controls_of_an_answer_but_admins_may(store_url: str, action: Action) -> None:
    """Only who asked, and who manages the place, may change an answer; the refusal says so."""
    async with stage(store_url, FakeModel("first")) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        turn = (await it.transcript())[-1].turn
        with pytest.raises(NotAllowed) as refused:
            await it.intake(act(action, event, turn, who=Person(id="bob", name="Bob")))
        assert refused.value.notice == "Only the person who asked, or an admin, can do that."
        boss = Person(id="eve", name="Eve", is_admin=True)
        assert await it.intake(act(action, event, turn, who=boss)) is Admission.ADMITTED
        with pytest.raises(NotAllowed) as refused:
            await it.intake(act(action, event, "0000unknown"))
        assert refused.value.notice == "I don't remember that answer any more. Please ask again."
        await idle(it)


async def test_everybody_may_rate_and_the_last_word_counts(store_url: str) -> None:
    """Ratings are kept by answer and person, with the better answer that somebody wrote, and they expire."""
    async with stage(store_url, FakeModel("first")) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        turn, bob = (await it.transcript())[-1].turn, Person(id="bob", name="Bob")
        await it.intake(act("up", event, turn))
        await it.intake(act("up", event, turn, who=bob))
        await it.intake(act("down", event, turn, who=bob, text="La la"))
        key = f"{it.store.shard('memory:w1:c1')}fb:memory:w1:c1:"
        kept = await it.store.command("HGETALL", key)
        pairs = dict(zip(kept[::2], kept[1::2], strict=True)) if isinstance(kept, list) else kept
        assert set(pairs) == {f"{turn} ada", f"{turn} bob"}
        assert '"is_good":false,"text":"La la"' in pairs[f"{turn} bob"]


# ---- edits


async def test_an_edit_of_the_newest_question_is_answered_again_in_place(store_url: str) -> None:
    """Within two minutes, while nobody spoke after it, and once however often the platform tells it."""
    model = FakeModel("first", then=(FakeModel("second"), FakeModel("third")))
    async with stage(store_url, model) as it:
        event = replace(await it.platform.say("sing"), at=NOW - 60)
        await it.answered(1)
        edited = MessageEdited(message=replace(event, text="sing louder"))
        await it.platform.tell(edited)
        await until(lambda: it.texts() == ("second",), "the edit was answered in place")
        await idle(it)
        await it.platform.tell(edited)
        await it.platform.say("and then?")
        await it.answered(2)
        assert len(model.requests) == 3
        assert model.requests[1].messages[-1].content.endswith("sing louder")


@pytest.mark.parametrize("why", ["late", "others spoke", "same text"])
async def test_an_edit_is_not_answered_again(store_url: str, why: str) -> None:
    """Not after two minutes, nor once somebody else has spoken, nor where the text is the same (a link's preview)."""
    model = FakeModel("first", then=(FakeModel("second"), FakeModel("third")))
    async with stage(store_url, model) as it:
        event = replace(await it.platform.say("sing"), at=NOW - (121 if why == "late" else 60))
        await it.answered(1)
        if why == "others spoke":
            await it.platform.say("and me?", author="bob")
            await it.answered(2)
        before = len(model.requests)
        text = event.text if why == "same text" else "sing louder"
        await it.platform.tell(MessageEdited(message=replace(event, text=text)))
        await it.platform.say("and then?")
        await it.answered(before + 1)
        assert len(model.requests) == before + 1
        assert it.texts()[0] == "first"


async def test_an_edit_that_changes_nothing_does_not_restart_the_running_answer(store_url: str) -> None:
    """A link's preview comes as an edit with the same text: the answer under way goes on."""
    seen = asyncio.Event()
    model = FakeModel("The ", seen, "whole answer.")
    async with stage(store_url, model) as it:
        event = await it.platform.say("look at https://example.org")
        await until(lambda: bool(model.requests), "the model is asked")
        await it.platform.tell(MessageEdited(message=event))
        seen.set()
        await it.answered(1)
        assert it.texts() == ("The whole answer.",)
        assert len(model.requests) == 1


# ---- who is addressed


MESSAGE = replace(question("1"), mentions_bot=False)
IN_THREAD = replace(MESSAGE, conversation=replace(MESSAGE.conversation, thread="t"))


@pytest.mark.parametrize(
    ("event", "here", "what"),
    [
        (question("1"), ChannelSettings(), "ask"),
        (question("1"), ChannelSettings(answer="never"), "ignore"),
        (replace(question("1"), author=Person(id="b", name="B", is_bot=True)), ChannelSettings(), "ignore"),
        (replace(MESSAGE, is_direct=True), ChannelSettings(), "ask"),
        (replace(MESSAGE, replies_to_bot=True), ChannelSettings(answer="mention"), "ask"),
        (MESSAGE, ChannelSettings(), "ignore"),
        (MESSAGE, ChannelSettings(answer="always"), "ask"),
        (replace(MESSAGE, to_others=True), ChannelSettings(answer="always"), "ignore"),
        (MESSAGE, ChannelSettings(hear="all"), Talk("all")),
        (MESSAGE, ChannelSettings(follow_up_s=60), Talk("off", asks_in_window=True)),
        (IN_THREAD, ChannelSettings(), Talk("threads", asks_in_thread=True)),
        (IN_THREAD, ChannelSettings(answer="mention"), Talk("threads")),
        (IN_THREAD, ChannelSettings(hear="off"), Talk("off", asks_in_thread=True)),
        (replace(IN_THREAD, to_others=True), ChannelSettings(), Talk("threads")),
    ],
)
def test_who_is_addressed(event: MessageReceived, here: ChannelSettings, what: object) -> None:
    """Mentions, replies and direct messages always ask; the rest is as the channel wants it."""
    assert addressed(event, here) == what


def in_thread(event: MessageReceived, id: str, **changes: object) -> MessageReceived:
    """The same person says something more, in a thread of that channel."""
    there = Conversation(platform="memory", workspace="w1", channel="c1", thread="t1")
    return replace(event, id=id, conversation=there, mentions_bot=False, **changes)  # type: ignore[arg-type]


async def test_a_thread_that_we_take_part_in_goes_on_without_a_mention(store_url: str) -> None:
    """Until somebody asks in a thread its talk is not even kept; then all of it asks but what is said to others."""
    model = FakeModel("yes")
    async with stage(store_url, model) as it:
        first = await it.platform.say("hi")
        await it.answered(1)
        assert await it.intake(in_thread(first, "a", text="not for you")) is Admission.IGNORED
        await it.intake(replace(in_thread(first, "b", text="for you"), mentions_bot=True))
        await until(lambda: len(model.requests) == 2, "the mention is answered")
        await it.intake(in_thread(first, "c", text="for bob", to_others=True))
        await it.intake(in_thread(first, "d", text="and now?"))
        await until(lambda: len(model.requests) == 3, "it goes on without a mention")
        await idle(it)
        prompt = [message.content for message in model.requests[2].messages]
        assert "not for you" not in str(prompt)
        assert prompt[-1].endswith("and now?")
        assert "for bob" in prompt[-1] + prompt[-2]
        kinds = [(entry.id, entry.kind) for entry in await it.transcript("memory:w1:c1:t1") if entry.kind != "answer"]
        assert kinds == [("b", "asked"), ("c", "heard"), ("d", "asked")]


async def test_soon_after_an_answer_its_asker_needs_no_mention(store_url: str) -> None:
    """With a follow-up window what the asker says next is a question; what others say is not."""
    model = FakeModel("yes")
    async with stage(store_url, model, follow_up_s=60) as it:
        first = await it.platform.say("hi")
        await it.answered(1)
        await idle(it)
        other = Person(id="bob", name="Bob")
        assert await it.intake(replace(first, id="a", mentions_bot=False, author=other)) is Admission.IGNORED
        assert await it.intake(replace(first, id="b", mentions_bot=False)) is Admission.ADMITTED
        await it.answered(2)


# ---- channel settings

PLACE = Conversation(platform="memory", workspace="w1", channel="c1", thread="t1")


async def test_the_narrowest_scope_counts_and_can_be_taken_back(store: Store) -> None:
    """Thread before channel before workspace before the default; each change has an entry in the audit list."""
    channels = Channels(store, settings(answer="mention"))
    assert (await channels.of(PLACE)).answer == "mention"
    for scope, value in (("", "always"), ("c1", "never"), ("c1/t1", "threads")):
        await channels.change(PLACE, scope, "answer", value, who="ada", at=NOW)
        assert (await channels.of(PLACE)).answer == value
    assert (await channels.of(replace(PLACE, thread=""))).answer == "never"
    assert (await channels.of(replace(PLACE, channel="c2", thread="t1"))).answer == "always"
    assert (await channels.of(replace(PLACE, workspace="w2"))).answer == "mention"
    assert await channels.change(PLACE, "c1/t1", "answer", "", who="eve", at=NOW + 1) == '"threads"'
    assert (await channels.of(PLACE)).answer == "never"
    newest, *_, oldest = await channels.audit(PLACE)
    assert (newest.who, newest.scope, newest.before, newest.after) == ("eve", "c1/t1", '"threads"', "")
    assert (oldest.who, oldest.scope, oldest.before, oldest.after) == ("ada", "", "", '"always"')


async def test_other_processes_honour_a_change_within_a_second(store: Store) -> None:
    """Who has cached the settings drops them once anybody has changed any."""
    here, there = Channels(store, settings()), Channels(store, settings())
    watching = asyncio.create_task(there.watch())
    assert not (await there.of(PLACE)).footer
    trips = store.trips
    assert not (await there.of(PLACE)).footer
    assert store.trips == trips
    await here.change(PLACE, "", "footer", "on", who="ada", at=NOW)
    async with asyncio.timeout(20):
        while not (await there.of(PLACE)).footer:
            await asyncio.sleep(0.01)
    watching.cancel()


@pytest.mark.parametrize(
    ("name", "value", "notice"),
    [
        ("colour", "red", "there is no such setting"),
        ("answer", "sometimes", "input should be 'mention', 'threads', 'always' or 'never'"),
        ("follow_up_s", "99999", "out of range"),
        ("temperature", "hot", "valid number"),
        ("temperature", "3", "out of range"),
        ("time_zone", "Mars/Olympus", "no time zone"),
        ("footer", "perhaps", "valid boolean"),
    ],
)
async def test_a_wrong_value_is_refused_with_what_is_possible(store: Store, name: str, value: str, notice: str) -> None:
    """The setting stays as it is, and the person reads which values there are."""
    channels = Channels(store, settings())
    with pytest.raises(WrongValue) as refused:
        await channels.change(PLACE, "", name, value, who="ada", at=NOW)
    assert notice in refused.value.notice
    assert await channels.audit(PLACE) == []


async def test_a_channel_may_want_a_footer_and_its_own_time(store_url: str) -> None:
    """The footer stands under the answer and not in the transcript; questions are dated in the channel's time zone."""
    model = FakeModel("yes")
    async with stage(store_url, model) as it:
        channels, place = it.worker.kit.channels, Conversation(platform="memory", workspace="w1", channel="c1")
        await channels.change(place, "c1", "footer", "on", who="eve", at=NOW)
        await channels.change(place, "c1", "time_zone", "Asia/Tokyo", who="eve", at=NOW)
        await it.platform.say("hello")
        await it.answered(1)
        asked, said = await it.transcript()
        assert (asked.stamp, said.text) == ("Fri 2027-01-15 17:00", "yes")
        assert model.requests[0].messages[-1].content == "[Fri 2027-01-15 17:00 Ada] hello"
        [text] = it.texts()
        assert text.startswith("yes\n\n*(fake/model, ")
