"""What people do with an answer, and when what they say is a question: through the whole pipeline."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from bot.channels import Channels, ChannelSettings, WrongValue
from bot.errors import ModelRefused, NotAllowed, StoreUnavailable
from bot.events import (
    Action,
    ActionTaken,
    Address,
    CommandInvoked,
    Conversation,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Person,
    ReplyLapsed,
)
from bot.inbox import Talk
from bot.ports import Admission, ModelRequest, StreamEvent, TextDelta
from bot.settings import Rate
from bot.store import Store
from bot.stored import Entry
from handlers.intake import addressed
from tests.fakes import FakeModel
from tests.fakes.surface import Shown
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


# ---- two actions on one answer, and what goes wrong in one

BOB, EVE = Person(id="bob", name="Bob"), Person(id="eve", name="Eve", is_admin=True)
HERE = Conversation(platform="memory", workspace="w1", channel="c1")


async def closed(it: Stage, count: int) -> None:
    """So many turns have ended in this channel's shard."""
    prefix = it.store.shard("memory:w1:c1")
    async with asyncio.timeout(20):
        while len([key async for key in it.store.scan(f"{prefix}turn:*")]) < count:
            await asyncio.sleep(0.005)
    await idle(it)


async def in_step(it: Stage) -> Entry:
    """The one message that is shown is the one answer of the transcript, and its buttons are that answer's."""
    await idle(it)
    [shown] = it.platform.walls["c1"].messages.values()
    [entry] = [entry for entry in await it.transcript() if entry.kind == "answer"]
    assert (shown.text, shown.id, {button.turn for button in shown.buttons}) == (entry.text, entry.id, {entry.turn})
    return entry


class Outage(Channels):
    """Channel settings that can be read once."""

    reads = 0

    async def of(self, conversation: Conversation) -> ChannelSettings:
        self.reads += 1
        if self.reads > 1:
            raise StoreUnavailable
        return await super().of(conversation)


async def test_an_outage_behind_the_models_words_costs_nothing(store_url: str) -> None:
    """A turn reads its channel's settings once, at its start: what the model has said is never thrown away."""
    model = FakeModel("The whole answer.", then=(FakeModel("Another one."),))
    async with stage(store_url, model) as it:
        it.worker.kit = replace(it.worker.kit, channels=Outage(it.store, it.inbox.settings))
        await it.platform.say("sing")
        await it.answered(1)
        await in_step(it)
        assert it.texts() == ("The whole answer.",)


async def test_a_second_press_finds_the_answer_of_the_first(store_url: str) -> None:
    """Whoever presses, one after the other: one message, one entry, however old the button's turn is."""
    gate = asyncio.Event()
    model = FakeModel("first", then=(FakeModel("sec", gate, "ond"), FakeModel("third"), FakeModel(", fourth")))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        turn = (await in_step(it)).turn
        await it.platform.tell(act("retry", event, turn))
        await it.platform.tell(act("retry", event, turn, who=EVE))
        await it.platform.tell(act("continue", event, turn))
        await until(lambda: len(model.requests) == 2, "the first press is answered")
        gate.set()
        await closed(it, 4)
        entry = await in_step(it)
        assert (entry.text, entry.versions) == ("third, fourth", ("first", "second"))


@pytest.mark.parametrize("who", [None, EVE])
async def test_delete_behind_regenerate_deletes(store_url: str, who: Person | None) -> None:
    """Nothing is left on the screen or in the transcript, and a second Delete says nothing."""
    gate = asyncio.Event()
    model = FakeModel("first", then=(FakeModel("sec", gate, "ond"),))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        turn = (await in_step(it)).turn
        await it.platform.tell(act("retry", event, turn))
        await until(lambda: len(model.requests) == 2, "it is asked again")
        await it.platform.tell(act("delete", event, turn, who=who))
        await it.platform.tell(replace(act("delete", event, turn), id="twice"))
        gate.set()
        await closed(it, 4)
        assert it.texts() == ()
        assert [entry.kind for entry in await it.transcript()] == ["asked"]


async def test_an_answer_that_is_deleted_while_it_is_regenerated_stays_deleted(store_url: str) -> None:
    """A moderator deletes its message, or somebody is forgotten: the new version goes, too."""
    gate = asyncio.Event()
    model = FakeModel("first", then=(FakeModel("sec", gate, "ond"),))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        entry = await in_step(it)
        await it.platform.tell(act("retry", event, entry.turn))
        await until(lambda: len(model.requests) == 2, "it is asked again")
        await it.intake(MessageDeleted(id=entry.id, conversation=event.conversation, at=NOW))
        gate.set()
        await closed(it, 2)
        assert it.texts() == ()
        assert [one.kind for one in await it.transcript()] == ["asked"]


async def test_parts_that_a_shorter_version_deletes_do_not_delete_it(store_url: str) -> None:
    """The platform tells us of our own deletions: they are not somebody's wish."""
    gate = asyncio.Event()
    model = FakeModel("word " * 120, then=(FakeModel("sh", gate, "ort"),))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        await idle(it)
        entry = (await it.transcript())[-1]
        await it.platform.tell(act("retry", event, entry.turn))
        await until(lambda: len(model.requests) == 2, "it is asked again")
        for part in entry.parts[1:]:
            await it.intake(MessageDeleted(id=part, conversation=event.conversation, at=NOW))
        gate.set()
        await closed(it, 2)
        assert len(entry.parts) > 1
        assert (await in_step(it)).text == "short"


class Bug(FakeModel):
    """A model that says its words once; then it has a bug, in mid-answer."""

    def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        return super().stream(request) if not self.requests else self._broken(request)

    async def _broken(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        self.requests.append(request)
        yield TextDelta("half ")
        raise RuntimeError("a bug")


@pytest.mark.parametrize("how", ["stopped", "refused", "bug"])
async def test_whatever_ends_a_regeneration_the_old_answer_keeps_its_buttons(store_url: str, how: str) -> None:
    """The text with its footer stands above the notice, and its buttons are still those of its turn."""
    gate = asyncio.Event()
    again = FakeModel("half ", gate, "way") if how == "stopped" else FakeModel(ModelRefused("no"))
    model = Bug("first") if how == "bug" else FakeModel("first", then=(again,))
    async with stage(store_url, model) as it:
        it.worker.failure_limit = 1
        await it.worker.kit.channels.change(HERE, "c1", "footer", "on", who="eve", at=NOW)
        event = await it.platform.say("sing")
        await it.answered(1)
        await idle(it)
        [old] = it.platform.walls["c1"].messages.values()
        await it.platform.tell(act("retry", event, (await it.transcript())[-1].turn))
        if how == "stopped":
            await until(lambda: it.texts()[0].startswith("half"), "it is being written over")
            await it.intake(act("stop", event, ""))
        await until(lambda: len(it.texts()[0]) > len(old.text), "the notice is shown")
        await idle(it)
        [shown] = it.platform.walls["c1"].messages.values()
        assert shown.text.startswith(f"{old.text}\n\n")
        assert (shown.id, shown.buttons) == (old.id, old.buttons)
        assert [one.text for one in await it.transcript()] == ["sing", "first"]


async def test_regenerate_of_a_deleted_question_leaves_its_answer_alone(store_url: str) -> None:
    """The notice is a message of its own."""
    async with stage(store_url, FakeModel("first")) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        await idle(it)
        [old] = it.platform.walls["c1"].messages.values()
        await it.intake(MessageDeleted(id=event.id, conversation=event.conversation, at=NOW))
        await it.platform.tell(act("retry", event, old.turn))
        await until(lambda: len(it.texts()) == 2, "the notice is shown")
        await idle(it)
        assert next(iter(it.platform.walls["c1"].messages.values())) == old
        assert it.texts()[1] == "I don't remember that answer any more. Please ask again."


async def test_continue_of_an_older_answer_knows_nothing_of_what_came_after_it(store_url: str) -> None:
    """The text that goes on is the last that the model has said; a continued text is no version of its own."""
    model = FakeModel("One, two,", then=(FakeModel("Paris"), FakeModel(" three.")))
    async with stage(store_url, model) as it:
        event = await it.platform.say("count")
        await it.answered(1)
        await it.platform.say("capital of France?", author="bob")
        await it.answered(2)
        await it.platform.tell(act("continue", event, (await it.transcript())[1].turn))
        await until(lambda: it.texts()[0] == "One, two, three.", "it went on")
        await idle(it)
        said = [message.content for message in model.requests[2].messages]
        assert said[-2] == "One, two,"
        assert "Paris" not in str(said)
        assert (await it.transcript())[1].versions == ()


async def test_versions_are_few_and_short(store_url: str) -> None:
    """Five earlier texts are kept, and of a long one its beginning."""
    model = FakeModel("word " * 2000)
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        turn = (await it.transcript())[-1].turn
        for count in range(6):
            await it.platform.tell(replace(act("retry", event, turn), id=f"press{count}"))
        await closed(it, 7)
        assert [len(version) for version in (await it.transcript())[-1].versions] == [4000] * 5


async def test_a_reply_that_lapsed_is_sent_again_as_the_transcript_has_it(store_url: str) -> None:
    """With its buttons; where the answer was regenerated the new one stands there, and a deleted one goes."""
    async with stage(store_url, FakeModel("first", then=(FakeModel("second"),))) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        lapse = ReplyLapsed(id=(await in_step(it)).turn, conversation=event.conversation, address=event.address)
        steps: tuple[tuple[Action, str], ...] = (("why", "first"), ("retry", "second"), ("delete", ""))
        for action, text in steps:
            if action != "why":
                await it.intake(act(action, event, lapse.id))
                await until(lambda text=text: it.texts() == ((text,) if text else ()), "it is done")  # type: ignore[misc]
                await idle(it)
            wall = it.platform.walls["c1"]
            wall.messages |= {"m1": Shown(id="m1", turn=lapse.id, part=0, text="late words")}
            writes = len(wall.writes)
            await it.store.command("DEL", f"{it.store.shard(HERE.channel_key)}seen:{HERE.channel_key}:{lapse.id}")
            await it.intake(lapse)
            await until(lambda text=text: it.texts() == ((text,) if text else ()), "it is mended")  # type: ignore[misc]
            assert len(wall.writes) == writes + bool(text)
            await idle(it)
            if text:
                await in_step(it)


async def test_an_answer_far_back_can_be_deleted_and_regenerated(store_url: str) -> None:
    """Its buttons work as long as the transcript has it; then they say that it is forgotten, and touch nothing."""
    async with stage(store_url, FakeModel("first", then=(FakeModel("second"),)), hear="all") as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        entry = await in_step(it)
        for _ in range(260):
            await it.platform.say("talk", author="bob", mention=False)
        await it.platform.tell(act("retry", event, entry.turn))
        await until(lambda: it.texts() == ("second",), "regenerated")
        await in_step(it)
        await it.platform.tell(act("delete", event, entry.turn))
        await until(lambda: it.texts() == (), "deleted")
        await idle(it)
        assert "answer" not in [one.kind for one in await it.transcript()]
        await it.store.command("DEL", f"{it.store.shard(HERE.channel_key)}t:{HERE.key}")
        await it.platform.tell(replace(act("delete", event, entry.turn), id="late"))
        await until(lambda: it.texts() == ("I don't remember that answer any more. Please ask again.",), "it says so")


# ---- who may, who pays, who waits


async def test_the_admins_of_the_settings_may_use_all_controls_and_pay_for_it(store_url: str) -> None:
    """PARLEY_ADMINS count as the platform's own; a regeneration is charged to who wants it."""
    model = FakeModel("first", then=(FakeModel("second"), FakeModel("third")))
    changes: dict[str, object] = {"admins": ("memory:bob",), "person_rate": Rate(count=2, per_s=600.0)}
    async with stage(store_url, model, **changes) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        await it.platform.tell(act("retry", event, (await in_step(it)).turn, who=BOB))
        await until(lambda: it.texts() == ("second",), "regenerated")
        await idle(it)
        await it.platform.say("and now?")
        await until(lambda: it.texts()[1:] == ("third",), "the asker's second question is within their rate")


@pytest.mark.parametrize(
    ("changes", "is_allowed"),
    [
        ({"direct_messages": "off"}, False),
        ({"direct_messages": "listed"}, False),
        ({"direct_messages": "listed", "allowed_people": ("memory:ada",)}, True),
        ({"allowed_channels": ("memory:c2",)}, True),
    ],
)
async def test_direct_messages_are_judged_alike_however_one_asks(
    store_url: str, changes: dict[str, object], is_allowed: bool
) -> None:
    """A message, a command and a button; what is kept of a person they may see and erase everywhere."""
    async with stage(store_url, FakeModel("yes"), **changes) as it:
        first = replace(await it.platform.say("hi", channel="elsewhere"), is_direct=True)
        ask = CommandInvoked(
            id="ask",
            conversation=HERE,
            author=first.author,
            at=NOW,
            address=first.address,
            is_direct=True,
            name="ask",
            options=(("question", "hi"),),
        )
        button = replace(act("retry", first, ""), is_direct=True)
        refused = NotAllowed().notice
        for event in (replace(first, id="direct"), ask, button):
            wall = event.id
            await it.intake(replace(event, conversation=HERE, address=replace(first.address, channel=wall)))
            await until(lambda wall=wall: bool(it.texts(wall)), "answered")  # type: ignore[misc]
            await idle(it)
            assert (it.texts(wall)[0] != refused) is is_allowed
        await it.intake(
            replace(ask, id="own", name="export", options=(), address=replace(first.address, channel="own"))
        )
        await until(lambda: bool(it.texts("own")), "exported")
        assert it.texts("own")[0] != refused


async def test_a_command_in_a_thread_does_not_make_it_ours(store_url: str) -> None:
    """Only what enters the transcript joins a thread."""
    async with stage(store_url, FakeModel("yes")) as it:
        first = await it.platform.say("hi")
        await it.answered(1)
        there = in_thread(first, "x").conversation
        where = replace(first.address, channel="help")
        await it.intake(
            CommandInvoked(
                id="h", conversation=there, author=first.author, at=NOW, address=where, name="usage", options=()
            )
        )
        await until(lambda: bool(it.texts("help")), "the command is answered")
        assert await it.intake(in_thread(first, "y", text="lunch?")) is Admission.IGNORED


def stop(author: Person, place: Conversation, *, is_command: bool) -> CommandInvoked | ActionTaken:
    """Somebody stops what runs, not knowing any turn: by the command, or by a platform's own button."""
    to = Address(channel="stop")
    if is_command:
        return CommandInvoked(
            id=f"stop-{author.id}", conversation=place, author=author, at=NOW, address=to, name="stop", options=()
        )
    return ActionTaken(
        id=f"stop-{author.id}", conversation=place, author=author, at=NOW, address=to, action="stop", turn=""
    )


@pytest.mark.parametrize("is_private", [True, False])
@pytest.mark.parametrize("name", ["ask", "summarise"])
async def test_the_askers_stop_reaches_summaries_and_private_answers(
    store_url: str, name: str, *, is_private: bool
) -> None:
    """The command from the channel, and the button of the turn; not the command of somebody else."""
    gate = asyncio.Event()
    model = FakeModel("so ", gate, "far")
    async with stage(store_url, model) as it:
        event = await it.platform.say("noted", mention=True)
        await until(lambda: len(model.requests) == 1, "asked")
        await it.intake(stop(event.author, HERE, is_command=False))
        await until(lambda: "stopped" in str(it.texts()), "stopped")
        await idle(it)
        place = replace(HERE, person="ada" if is_private else "")
        asked = CommandInvoked(
            id="s1",
            conversation=place,
            author=event.author,
            at=NOW,
            address=Address(channel="s1"),
            name=name,
            options=(("from", "thread"), ("question", "?"))[name == "ask" :][:1],
        )
        for how in ("command", "button"):
            before = len(model.requests)
            await it.intake(replace(asked, id=how, address=Address(channel=how)))
            await until(lambda before=before: len(model.requests) == before + 1, "asked")  # type: ignore[misc]
            [turn] = it.worker.leases
            if how == "command":
                await it.intake(stop(BOB, HERE, is_command=True))
                await until(lambda: len(it.worker.leases) == 1, "that command is answered")
                assert turn in it.worker.leases
                await it.intake(stop(event.author, HERE, is_command=True))
            else:
                await it.intake(replace(act("stop", event, turn), conversation=place))
            await until(lambda how=how: "stopped" in str(it.texts(how)), "stopped")  # type: ignore[misc]
            await idle(it)


async def test_a_platforms_own_stop_of_a_thread_stops_whatever_runs_there(store_url: str) -> None:
    """It may be pressed by somebody who has asked nothing: the platform shows no more of the answer already."""
    gate = asyncio.Event()
    model = FakeModel("so ", gate, "far")
    async with stage(store_url, model) as it:
        event = question("q", who="ada")
        there = replace(HERE, thread="t1")
        await it.platform.tell(replace(event, conversation=there, address=Address(channel="t1")))
        await until(lambda: len(model.requests) == 1, "asked")
        await it.intake(stop(BOB, replace(HERE, thread="t2"), is_command=False))
        await it.intake(stop(BOB, there, is_command=False))
        await until(lambda: "stopped" in str(it.texts("t1")), "stopped")


async def test_a_quick_command_waits_for_no_answer(store_url: str) -> None:
    """However many turns run in a conversation, what needs no model takes none of their places."""
    gate = asyncio.Event()
    model = FakeModel("so ", gate, "far")
    async with stage(store_url, model, channel_turns=1) as it:
        await it.platform.say("sing")
        await until(lambda: len(model.requests) == 1, "asked")
        await it.platform.say("me too", author="bob")
        for id in ("usage1", "usage2"):
            to = Address(channel=id)
            await it.intake(
                CommandInvoked(id=id, conversation=HERE, author=BOB, at=NOW, address=to, name="usage", options=())
            )
            await until(lambda id=id: bool(it.texts(id)), "answered meanwhile")  # type: ignore[misc]
            await until(lambda: len(it.worker.leases) == 1, "and closed")
        assert len(model.requests) == 1
        gate.set()
        await it.answered(2)


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


async def test_each_edit_that_changes_the_text_is_answered(store_url: str) -> None:
    """Also one that comes while the last is being answered, and one that takes the last back."""
    gate = asyncio.Event()
    model = FakeModel("1", then=(FakeModel("2", gate), FakeModel("3"), FakeModel("4")))
    async with stage(store_url, model) as it:
        event = replace(await it.platform.say("A"), at=NOW - 60)
        await it.answered(1)
        for text in ("B", "A", "B"):
            for _ in range(2):  # told twice
                await it.intake(MessageEdited(message=replace(event, text=text)))
        gate.set()
        await closed(it, 4)
        assert (await in_step(it)).text == "4"
        assert len(model.requests) == 4


async def test_an_edit_does_not_change_what_a_message_was(store_url: str) -> None:
    """A question without a mention, in a thread of ours, stays a question; an answer is no message of people."""
    model = FakeModel("1", then=(FakeModel("2"), FakeModel("3")))
    async with stage(store_url, model) as it:
        first = await it.platform.say("hi", channel="elsewhere")
        await until(lambda: len(model.requests) == 1, "asked")
        await it.intake(replace(in_thread(first, "a", text="for you"), mentions_bot=True))
        await until(lambda: it.texts("elsewhere") == ("1", "2"), "answered")
        await idle(it)
        to = Address(channel="c9")
        event = in_thread(first, "b", text="and now?", at=NOW - 60, address=to)
        await it.intake(event)
        await until(lambda: it.texts("c9") == ("3",), "answered")
        await idle(it)
        await it.intake(MessageEdited(message=replace(event, text="and now??")))
        await until(lambda: len(model.requests) == 4, "answered again")
        await idle(it)
        before = await it.transcript("memory:w1:c1:t1")
        assert [(one.id, one.kind) for one in before if one.kind != "answer"] == [("a", "asked"), ("b", "asked")]
        assert len(it.texts("c9")) == 1
        for author in (first.author, Person(id="parley", name="Parley", is_bot=True)):
            ours = replace(event, id=before[-1].id, author=author, text="3, unfolded")
            assert await it.intake(MessageEdited(message=ours)) is Admission.IGNORED
        assert await it.transcript("memory:w1:c1:t1") == before


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
