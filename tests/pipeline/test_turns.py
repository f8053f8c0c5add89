"""Turns through the whole pipeline: real store, real worker, a platform in memory."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import pytest

from adapters.parts import PartsReply
from bot.errors import ModelInterrupted, ModelRefused, ModelUnavailable
from bot.events import ActionTaken, Address, MessageDeleted, MessageEdited, MessageReceived
from bot.ports import Draft, Message, ModelRequest, StreamEvent
from bot.settings import Rate
from bot.stored import Entry
from tests.fakes import FakeModel, MemoryAdapter
from tests.pipeline.stage import stage, until


def said(messages: Sequence[Message]) -> list[str]:
    """The prompt's messages without the system prompt."""
    return [message.content for message in messages[1:]]


def press(action: str, event: MessageReceived, turn: str = "") -> ActionTaken:
    """Somebody presses a button, or Ctrl-C."""
    assert action in ("stop", "retry")
    return ActionTaken(
        id=f"press-{action}-{event.id}",
        conversation=event.conversation,
        author=event.author,
        action="stop" if action == "stop" else "retry",
        turn=turn,
        at=event.at,
        address=event.address,
    )


async def test_a_question_is_answered_once_and_remembered(store_url: str) -> None:
    """A mention gets one answer; both stand in the transcript, and the next prompt begins with them."""
    model = FakeModel("Hel", "lo.", then=(FakeModel("Again."),))
    async with stage(store_url, model) as it:
        await it.platform.say("hi")
        await it.answered(1)
        assert it.texts() == ("Hello.",)
        await it.platform.say("and now?")
        await it.answered(2)
        assert it.texts() == ("Hello.", "Again.")
        assert [(one.kind, one.text) for one in await it.transcript()] == [
            ("asked", "hi"),
            ("answer", "Hello."),
            ("asked", "and now?"),
            ("answer", "Again."),
        ]
        first, second = (said(request.messages) for request in model.requests)
        assert first == ["[Fri 2027-01-15 08:00 Ada] hi"]
        assert second == [*first, "Hello.", "[Fri 2027-01-15 08:00 Ada] and now?"]


async def test_a_message_that_is_not_for_us_wakes_nobody(store_url: str) -> None:
    """Talk in a channel without a mention is neither answered nor kept; what is heard is context and no more."""
    model = FakeModel("yes")
    async with stage(store_url, model, hear="all") as it:
        await it.platform.say("the sky is green", author="bo", mention=False)
        await it.platform.say("what did bo say?")
        await it.answered(1)
        assert [one.kind for one in await it.transcript()] == ["heard", "asked", "answer"]
        assert said(model.requests[0].messages) == [
            "[Fri 2027-01-15 08:00 Bo] the sky is green\n\n[Fri 2027-01-15 08:00 Ada] what did bo say?"
        ]
    async with stage(store_url, model, hear="off") as it:
        await it.platform.say("not kept", mention=False)
        assert it.platform.admissions == ["ignored"]


async def test_people_are_answered_beside_each_other_without_each_others_open_questions(store_url: str) -> None:
    """Two people ask at once: two turns run, and neither prompt holds the other's pending question."""
    gate = asyncio.Event()
    model = FakeModel("a", gate)
    async with stage(store_url, model) as it:
        await it.platform.say("one", author="ada")
        await it.platform.say("two", author="bo")
        await until(lambda: len(model.requests) == 2, "both turns ask the model")
        assert sorted(text for request in model.requests for text in said(request.messages)) == [
            "[Fri 2027-01-15 08:00 Ada] one",
            "[Fri 2027-01-15 08:00 Bo] two",
        ]
        gate.set()
        await it.answered(2)


async def test_what_one_person_writes_meanwhile_is_collected(store_url: str) -> None:
    """Three more messages during a turn become one next turn with one answer."""
    gate = asyncio.Event()
    model = FakeModel("first", gate, then=(FakeModel("rest"),))
    async with stage(store_url, model) as it:
        await it.platform.say("1")
        await until(lambda: len(model.requests) == 1, "the first turn runs")
        for text in "234":
            await it.platform.say(text)
        gate.set()
        await it.answered(2)
        assert it.texts() == ("first", "rest")
        assert [one.questions for one in await it.transcript() if one.kind == "answer"] == [("q1",), ("q2", "q3", "q4")]


async def test_stop_keeps_what_was_said(store_url: str) -> None:
    """Stop closes the model's stream at once; the text so far stays, marked, and stands in the transcript."""
    model = FakeModel("Once upon a time", asyncio.Event())
    async with stage(store_url, model) as it:
        event = await it.platform.say("a story")
        await until(lambda: len(model.requests) == 1 and bool(it.worker.leases), "the model streams")
        await until(lambda: it.texts() == ("Once upon a time",), "the first text is shown")
        await it.platform.tell(press("stop", event))
        await it.answered(1)
        assert model.closed == 1
        assert it.texts() == ("Once upon a time\n\n*(stopped)*",)
        assert (await it.transcript())[-1].text == "Once upon a time"


async def test_stop_before_the_first_word_says_so(store_url: str) -> None:
    """A turn that is stopped before it said anything ends with a plain notice and no answer in the transcript."""
    model = FakeModel(asyncio.Event())
    async with stage(store_url, model) as it:
        event = await it.platform.say("a story")
        await until(lambda: len(model.requests) == 1, "the model is asked")
        await it.platform.tell(press("stop", event))
        await until(lambda: it.texts() == ("Stopped.",), "the person is told")
        await until(lambda: not it.worker.leases, "the turn is closed")
        assert [one.kind for one in await it.transcript()] == ["asked"]


async def test_an_edit_of_the_running_question_restarts_it_in_the_same_message(store_url: str) -> None:
    """The model is asked anew with the new text; the reader sees one message, with the new answer."""
    model = FakeModel("old answer", asyncio.Event(), then=(FakeModel("new answer"),))
    async with stage(store_url, model) as it:
        event = await it.platform.say("old")
        await until(lambda: it.texts() == ("old answer",), "the first answer streams")
        await it.platform.tell(edited(event, "new"))
        await it.answered(1)
        assert it.texts() == ("new answer",)
        assert [one.text for one in await it.transcript()] == ["new", "new answer"]
        assert said(model.requests[1].messages) == ["[Fri 2027-01-15 08:00 Ada] new"]


def edited(event: MessageReceived, text: str, *, mention: bool = True) -> MessageEdited:
    """The same message with another text."""
    return MessageEdited(message=replace(event, text=text, mentions_bot=mention))


async def test_a_mention_added_by_an_edit_is_answered_once(store_url: str) -> None:
    """A message that was not for us becomes a question when an edit mentions us; another edit does not ask again."""
    model = FakeModel("here")
    async with stage(store_url, model) as it:
        event = await it.platform.say("hello", mention=False)
        await it.platform.tell(edited(event, "hello @bot"))
        await it.answered(1)
        await it.platform.tell(edited(event, "hello @bot!"))
        await it.platform.say("next")
        await it.answered(2)
        assert it.texts() == ("here", "here")


async def test_a_deleted_question_takes_its_running_answer_with_it(store_url: str) -> None:
    """The stream is closed, the reply deleted, and nothing of it stays in the transcript."""
    model = FakeModel("never mind", asyncio.Event())
    async with stage(store_url, model) as it:
        event = await it.platform.say("forget it")
        await until(lambda: it.texts() == ("never mind",), "the answer streams")
        await it.platform.tell(MessageDeleted(id=event.id, conversation=event.conversation, at=event.at))
        await until(lambda: it.texts() == () and not it.worker.leases, "the reply is gone")
        assert await it.transcript() == []


async def test_retry_gives_another_version_and_keeps_the_old_one(store_url: str) -> None:
    """Another version of an answer takes its place in the transcript; the earlier one is kept with it."""
    model = FakeModel("first", then=(FakeModel("second"), FakeModel("third")))
    async with stage(store_url, model) as it:
        event = await it.platform.say("sing")
        await it.answered(1)
        await it.platform.tell(press("retry", event))
        await until(lambda: "second" in it.texts(), "the second version is shown")
        await until(lambda: not it.worker.leases, "the turn is closed")
        [_, shown] = await it.transcript()
        assert (shown.text, shown.versions) == ("second", ("first",))
        assert said(model.requests[1].messages) == said(model.requests[0].messages)


@pytest.mark.parametrize(
    ("changes", "notice"),
    [
        ({"denied_people": ("memory:ada",)}, "I may not answer here."),
        ({"allowed_channels": ("memory:c2",)}, "I may not answer here."),
        ({"allowed_workspaces": ("memory:w2",)}, "I may not answer here."),
        ({"workspace_daily_tokens": 10}, "This workspace's budget for today is used up. It starts anew in 16 hours."),
    ],
)
async def test_whoever_may_not_ask_is_told_and_the_model_is_not_called(
    store_url: str, changes: dict[str, object], notice: str
) -> None:
    """Lists and budgets are checked before the model is called, and the person reads why."""
    model = FakeModel("never")
    async with stage(store_url, model, **changes) as it:
        await it.platform.say("hi")
        await until(lambda: len(it.texts()) == 1 and not it.worker.leases, "a notice is shown")
        assert it.texts()[0].startswith(notice)
        assert model.requests == []


async def test_a_person_has_a_rate(store_url: str) -> None:
    """The third question of a person whose rate is two is declined with the time to wait; other people are not."""
    model = FakeModel("yes")
    async with stage(store_url, model, person_rate=Rate(count=2, per_s=3600.0)) as it:
        for number in range(2):
            await it.platform.say(f"question {number}")
            await it.answered(number + 1)
        await it.platform.say("one more")
        await until(lambda: len(it.texts()) == 3, "the third is declined")
        assert it.texts()[2] == "That was a lot of questions. Please ask me again in 30 minutes."
        await it.platform.say("me too", author="bo")
        await it.answered(3)


async def test_a_failing_model_is_tried_again_in_the_same_message(store_url: str) -> None:
    """The person reads that it is tried again, and then the answer in the same place."""
    model = FakeModel(ModelUnavailable("503", retry_in_s=0.01), then=(FakeModel("there you are"),))
    async with stage(store_url, model) as it:
        await it.platform.say("hello?")
        await it.answered(1)
        assert it.texts() == ("there you are",)
        assert it.platform.walls["c1"].writes[0] == "The model isn't answering at the moment. I'll try again in 1 s."


async def test_after_five_failures_the_question_is_given_up_and_the_person_told(store_url: str) -> None:
    """The batch becomes a dead letter; put back, it is answered."""
    broken = FakeModel(ModelUnavailable("503", retry_in_s=0.001))
    model = FakeModel(*broken.steps, then=(broken, broken, broken, broken, FakeModel("at last")))
    async with stage(store_url, model) as it:
        await it.platform.say("hello?")
        await until(lambda: bool(it.texts()) and "given up" in it.texts()[0], "the person is told")
        await until(lambda: not it.worker.leases, "the turn is closed")
        [letter] = await it.inbox.dead()
        assert letter.reason.startswith("ModelUnavailable")
        await it.inbox.requeue(letter)
        await it.answered(1)
        assert it.texts()[-1] == "at last"


@pytest.mark.parametrize(
    ("model", "notice"),
    [
        (FakeModel(ModelRefused("400")), ModelRefused().notice),
        (FakeModel(""), "The model gave an empty answer. Please try again, or put the question differently."),
        (FakeModel(" \n"), "The model gave an empty answer. Please try again, or put the question differently."),
    ],
)
async def test_what_trying_again_cannot_mend_is_told_at_once(store_url: str, model: FakeModel, notice: str) -> None:
    """A refusal and an empty answer end with a plain notice; the question is closed."""
    async with stage(store_url, model) as it:
        await it.platform.say("hello?")
        await until(lambda: it.texts() == (notice,) and not it.worker.leases, "the person is told")
        assert await it.inbox.dead() == []


async def test_an_answer_that_breaks_off_is_asked_for_once_more(store_url: str) -> None:
    """After text was shown the model is asked again once, and the new text replaces the old."""
    model = FakeModel("half an ans", ModelInterrupted("dropped"), then=(FakeModel("A whole answer."),))
    async with stage(store_url, model) as it:
        await it.platform.say("hello?")
        await it.answered(1)
        assert it.texts() == ("A whole answer.",)


async def test_an_answer_that_breaks_off_twice_is_marked_and_can_be_tried_again(store_url: str) -> None:
    """The longest text stays, marked as cut, with a button to try again."""
    model = FakeModel("half an ans", ModelInterrupted("x"), then=(FakeModel("half", ModelInterrupted("x")),))
    async with stage(store_url, model) as it:
        await it.platform.say("hello?")
        await it.answered(1)
        assert it.texts() == ("half an ans\n\n*(The model broke off here.)*",)
        [shown] = it.platform.walls["c1"].messages.values()
        assert [button.action for button in shown.buttons] == ["continue", "up", "down", "retry", "delete", "why"]
        assert (await it.transcript())[-1].is_cut


async def test_a_question_that_is_too_long_is_declined_and_nothing_is_lost(store_url: str) -> None:
    """A message of 1 MB gets a clear notice; the conversation goes on, without it."""
    model = FakeModel("fine")
    async with stage(store_url, model) as it:
        await it.platform.say("x" * 1_000_000)
        await until(lambda: len(it.texts()) == 1 and not it.worker.leases, "a notice is shown")
        assert it.texts()[0].startswith("Your message is too long for me (about 250,0")
        await it.platform.say("short")
        await it.answered(1)
        assert said(model.requests[0].messages) == ["[Fri 2027-01-15 08:00 Ada] short"]


async def test_control_characters_and_lone_surrogates_are_cleaned_at_admit(store_url: str) -> None:
    """What no model or terminal should see is gone before it is stored; a name cannot pose as a stamp."""
    model = FakeModel("fine")
    async with stage(store_url, model) as it:
        await it.platform.say("a\x00b\x1b[31mc\ud800d\u202ee\r\nf", author="x] [Mon")
        await it.answered(1)
        assert said(model.requests[0].messages) == ["[Fri 2027-01-15 08:00 X Mon] ab[31mc?de\nf"]


async def test_a_full_history_costs_one_bounded_read(store_url: str) -> None:
    """With hundreds of stored messages a prompt holds the newest ones, whole turns only, within the budget."""
    model = FakeModel("ok")
    async with stage(store_url, model) as it:
        for number in range(120):
            await it.platform.say(f"question {number}")
            await it.answered(number + 1)
        kept: list[Entry] = await it.transcript()
        assert len(kept) == 240
        last = said(model.requests[-1].messages)
        assert last[-1].endswith("question 119")
        assert 20 < len(last) <= 52
        assert "question" in last[0]


async def test_a_worker_that_stops_hands_its_turns_to_the_next(store_url: str) -> None:
    """At shutdown what cannot end in the grace period is handed back at once and counts as no failure."""
    model = FakeModel("never ends", asyncio.Event())
    async with stage(store_url, model, grace_s=0.01) as first:
        await first.platform.say("hello?")
        await until(lambda: first.texts() == ("never ends",), "the turn runs")
        walls = first.platform.walls
    async with stage(store_url, FakeModel("the end")) as second:
        second.platform.walls = walls
        await second.answered(1)
        assert second.texts() == ("the end",)
        assert await second.inbox.dead() == []


async def test_an_unexpected_error_is_told_with_an_id_and_tried_again(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a turn leaves nobody without an answer and no sibling dead; no exception text reaches the channel."""

    class Buggy(FakeModel):
        """Raises what no model should."""

        def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
            if not self.requests:
                self.requests.append(request)
                raise ZeroDivisionError("secret detail")
            return super().stream(request)

    async with stage(store_url, Buggy("fine after all")) as it:
        await it.platform.say("hello?")
        await it.answered(1)
        first = it.platform.walls["c1"].writes[0]
        assert first.startswith("Something went wrong on my side (error ")
        assert "secret" not in first
        assert it.texts() == ("fine after all",)
    assert "ZeroDivisionError" in caplog.text


async def test_usage_is_settled_against_the_workspaces_day(store_url: str) -> None:
    """The reservation is replaced by what the model's server counted."""
    model = FakeModel("x")
    async with stage(store_url, model) as it:
        await it.platform.say("hello?")
        await it.answered(1)
        counted = sum(len(message.content) for message in model.requests[0].messages) + 1
        key = it.store.workspace("memory:w1") + "tokens:2027-01-15"
        booked: list[object] = []
        while booked[-1:] != [str(counted)]:
            booked.append(await it.store.command("GET", key))
            assert len(booked) < 100_000, booked[-1]


async def test_a_turn_that_cannot_even_tell_of_its_failure_harms_no_other(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in an adapter ends one turn, which is given up in the end; the worker and all other turns go on."""

    class Broken(MemoryAdapter):
        """Fails in channel c2 whatever is asked of it."""

        def reply(self, address: Address, draft: Draft) -> PartsReply:
            if address.channel == "c2":
                raise ZeroDivisionError
            return super().reply(address, draft)

    async with stage(store_url, FakeModel("yes"), Broken(), lease_s=0.3) as it:
        await it.platform.say("lost", channel="c2")
        await until(lambda: "a turn could not be ended" in caplog.text, "the failure is logged")
        await it.platform.say("hello?")
        await it.answered(1)
        assert it.texts() == ("yes",)
