"""The prompt: within its budget, stable from turn to turn, never half a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import PromptTooLong
from bot.prompt import STEP, Prompt, Tokens, build
from bot.stored import Entry

SYSTEM = "You are a test."


def weigh(text: str) -> int:
    """A token for each character."""
    return len(text)


def ask(n: int, text: str = "", kind: str = "asked", who: str = "ana") -> Entry:
    """A message of a person."""
    return Entry(
        id=f"q{n}", kind="heard" if kind == "heard" else "asked", text=text or f"question {n}", at=0.0, n=n, author=who
    )


def reply(n: int, *questions: int, text: str = "") -> Entry:
    """An answer to these questions."""
    return Entry(
        id=f"a{n}",
        kind="answer",
        text=text or f"answer {n}",
        at=0.0,
        n=n,
        questions=tuple(f"q{question}" for question in questions),
    )


def prompt(entries: list[Entry], *batch: Entry, budget: int = 10_000, most: int = 1000) -> Prompt:
    """Build with a simple weigher."""
    return build(entries, batch, SYSTEM, budget, most, weigh)


def dialogue(turns: int) -> list[Entry]:
    """A conversation of so many whole turns, numbered from 1."""
    return [entry for n in range(1, 2 * turns, 2) for entry in (ask(n), reply(n + 1, n))]


def test_the_question_stands_last_and_the_answer_right_behind_its_question() -> None:
    """An answer that was committed after the next question was admitted still stands behind its own question."""
    first, second = ask(1), ask(2)
    entries = [first, second, reply(3, 1)]
    assert [message.content for message in prompt(entries, second).messages[1:]] == [
        "question 1",
        "answer 3",
        "question 2",
    ]


def test_pending_questions_of_others_and_later_talk_stay_out() -> None:
    """The prompt ends at its own question: neither what others still wait for nor what came later is in it."""
    mine = ask(3)
    entries = [ask(1, who="ben"), ask(2, kind="heard", who="cem"), mine, ask(4, kind="heard"), ask(5), reply(6, 5)]
    assert prompt(entries, mine).included == ("q2", "q3")


def test_an_answer_whose_question_is_gone_stays_out() -> None:
    """A question that was deleted, erased or trimmed takes its answer out of the prompt."""
    mine = ask(9)
    assert prompt([reply(2, 1), ask(3), reply(4, 3), mine], mine).included == ("q3", "a4", "q9")


def test_a_batch_goes_in_whole_and_in_order() -> None:
    """The questions of one turn are merged into one message of the user, which some chat templates demand."""
    batch = [ask(1), ask(2), ask(3)]
    assert [message.content for message in prompt(batch, *batch).messages[1:]] == [
        "question 1\n\nquestion 2\n\nquestion 3",
    ]


def test_a_question_that_is_too_long_alone_is_refused_with_figures() -> None:
    """The person reads how long the message is and how long it may be."""
    with pytest.raises(PromptTooLong) as raised:
        prompt([], ask(1, "x" * 2000), budget=1000)
    assert "about 2,115 tokens; I can take 1,000" in raised.value.notice


def test_the_beginning_stays_the_same_while_the_conversation_grows() -> None:
    """Turn after turn the prompt begins with the turn's before it; the cut moves only once in STEP entries."""
    changes, before = 0, [""]
    for turns in range(1, 60):
        entries = dialogue(turns)
        question = ask(2 * turns + 1)
        messages = [message.content for message in prompt([*entries, question], question, most=40).messages]
        if messages[: len(before)] != before:
            changes += 1
        before = messages
    assert changes <= 60 * 2 // STEP + 1


@given(
    turns=st.integers(0, 40),
    budget=st.integers(160, 900),
    most=st.integers(1, 60),
    missing=st.sets(st.integers(0, 79), max_size=10),
)
def test_any_transcript_gives_whole_turns_within_the_budget(
    turns: int, budget: int, most: int, missing: set[int]
) -> None:
    """Whatever is stored: within the budget, the question last, each answer behind its questions, nothing twice."""
    entries = [entry for index, entry in enumerate(dialogue(turns)) if index not in missing]
    question = ask(2 * turns + 1)
    built = prompt([*entries, question], question, budget=budget, most=most)
    assert built.tokens <= budget + len(built.messages)
    assert built.included[-1] == question.id
    assert len(set(built.included)) == len(built.included)
    assert len(built.included) - 1 <= most
    for entry in entries:
        if entry.kind == "answer" and entry.id in built.included:
            place = built.included.index(entry.id)
            assert set(entry.questions) <= set(built.included[:place])
        if entry.kind == "asked" and entry.id in built.included:
            assert any(entry.id in other.questions and other.id in built.included for other in entries)
    assert set(built.included) | set(built.left_out) == {entry.id for entry in [*entries, question]}
    assert set(built.included) & set(built.left_out) == set()


def test_estimates_follow_what_the_server_counts() -> None:
    """After a few answers the estimate is near the server's figure, and one odd figure does not throw it off."""
    tokens = Tokens()
    text = "word " * 400
    for _ in range(12):
        estimated = tokens.weigher("m")(text)
        tokens.learn("m", estimated, 700)
    assert 660 <= tokens.weigher("m")(text) <= 740
    tokens.learn("m", 700, 70_000)
    assert tokens.weigher("m")(text) < 2000
    tokens.learn("m", 0, 5)
    tokens.learn("m", 5, 0)
    assert tokens.weigher("other")("") == 5
