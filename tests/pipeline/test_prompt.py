"""The prompt: within its budget, stable from turn to turn, never half a turn."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import PromptTooLong
from bot.ports import Image
from bot.prompt import PICTURE_TOKENS, STEP, Material, Prompt, Tokens, build
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


def prompt(
    entries: list[Entry], *batch: Entry, budget: int = 10_000, most: int = 1000, given: Material | None = None
) -> Prompt:
    """Build with a simple weigher."""
    return build(entries, batch, SYSTEM, budget, most, weigh, given or Material())


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
    assert "about 2,112 tokens; I can take 1,000" in raised.value.notice


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


# ---- what stands in front of a question


def test_the_rule_about_quotes_and_files_is_always_there() -> None:
    """The system prompt is the same with and without material, so the provider's cache serves it."""
    plain = prompt([], ask(1)).messages[0].content
    assert plain.startswith(f"{SYSTEM}\n\n")
    assert "<quote> and <file>" in plain
    given = Material(files=[("a.txt", "words")], channel=[ask(1)])
    assert prompt([], ask(1), given=given).messages[0].content == plain


def test_pictures_hang_at_the_question_and_count_as_a_constant() -> None:
    """Each costs the same, whatever it shows; too many for the budget are refused with figures."""
    picture = Image(media_type="image/png", data=b"x")
    entries, question = dialogue(3), ask(7)
    plain, seen = (prompt([*entries, question], question, given=Material(images=(picture,) * n)) for n in (0, 2))
    assert [len(message.images) for message in seen.messages] == [0, 0, 0, 0, 0, 0, 0, 2]
    assert seen.tokens == plain.tokens + 2 * PICTURE_TOKENS
    with pytest.raises(PromptTooLong):
        prompt([], question, budget=4 * PICTURE_TOKENS, given=Material(images=(picture,) * 4))


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=6),
    budget=st.integers(700, 4000),
    talk=st.integers(0, 30),
    turns=st.integers(0, 10),
    sign=st.sampled_from(["x", "\u00e9", "\U0001f388"]),
)
def test_files_and_channel_keep_to_their_parts_of_the_budget(
    sizes: list[int], budget: int, talk: int, turns: int, sign: str
) -> None:
    """Files take half, a channel a quarter; what is cut is marked and named, what fits is whole."""
    files = [(f"f{n}", sign * size) for n, size in enumerate(sizes)]
    channel = [ask(n, f"talk {n}") for n in range(talk)]
    entries, question = dialogue(turns), ask(2 * turns + 1)

    def weigh_bytes(text: str) -> int:
        return len(text.encode()) + 4

    built = build(entries, [question], SYSTEM, budget, 1000, weigh_bytes, Material(files=files, channel=channel))
    text = built.messages[-1].content
    assert built.tokens <= budget + 5 * len(built.messages)
    assert weigh_bytes(built.attached) <= max(budget // 2, 30 * len(files)) + 5
    assert built.cut == tuple(sorted(built.cut, key=lambda name: len(dict(files)[name])))
    for name, content in files:
        is_whole = f'<file name="{name}">\n{content}\n</file>' in text
        assert is_whole != (name in built.cut)
    assert text.count("[cut here]\n</file>") == len(built.cut)
    block = text.partition("</quote>")[0] if '<quote kind="channel">' in text else ""
    assert weigh_bytes(block) <= budget // 4
    assert [f"talk {n}" for n in range(talk) if f"talk {n}\n" in block] == [
        f"talk {n}" for n in range(talk - block.count("talk "), talk)
    ]
    assert text.endswith(question.text)


def test_a_channels_talk_begins_behind_its_last_border() -> None:
    """What people put behind them is not read in private either."""
    border = Entry(id="b", kind="border", text="", at=0.0, n=2)
    built = prompt([], ask(9), given=Material(channel=[ask(1), border, ask(3), reply(4, 3)]))
    assert built.messages[-1].content == ('<quote kind="channel">\nquestion 3\n[you] answer 4\n</quote>\nquestion 9')


def test_a_short_file_leaves_its_room_to_a_long_one() -> None:
    """Of the files' half a short one takes what it needs, and the long ones share the rest."""
    built = prompt([], ask(1), budget=2000, given=Material(files=[("a", "x" * 3000), ("b", "yy"), ("c", "z" * 3000)]))
    assert built.cut == ("a", "c")
    assert 420 < built.attached.count("x") < 490
    assert abs(built.attached.count("x") - built.attached.count("z")) < 40


def test_an_answer_brings_its_files_back_in_front_of_its_last_question() -> None:
    """Later prompts render them as the first one did, and count them: a file that no longer fits goes with its turn."""
    first, second, question = ask(1), ask(2), ask(4)
    asked = prompt([], first, second, given=Material(files=[("a.txt", "w" * 500)]))
    answered = replace(reply(3, 1, 2), attached=asked.attached)
    entries = [first, second, answered, question]
    assert prompt(entries, question).messages[:2] == asked.messages
    assert prompt(entries, question, budget=600).included == ("q4",)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="-"), max_size=20)


@given(talk=st.lists(st.tuples(st.sampled_from(["", "ana", "ben"]), st.booleans(), WORDS), max_size=20))
def test_nothing_private_gets_into_the_channels_prompt(talk: list[tuple[str, bool, str]]) -> None:
    """However public and private turns are mixed: a prompt has its own conversation and, in private, the channel's."""
    transcripts: dict[str, list[Entry]] = {"": [], "ana": [], "ben": []}
    for number, (person, has_file, text) in enumerate(talk):
        own, mark = transcripts[person], f"{person or 'public'}-{number}"
        question = ask(len(own) + 1, f"{mark} {text}")
        channel = transcripts[""] if person else []
        given = Material(files=[("f", f"{mark} file")] if has_file else [], channel=channel)
        built = prompt([*own, question], question, given=given)
        seen = "\n".join(message.content for message in built.messages)
        for other in {"public", "ana", "ben"} - {person or "public"} - ({"public"} if person else set()):
            assert not re.search(rf"{other}-\d", seen)
        # What is kept with the answer, and so comes back later, is the question's own.
        assert built.attached.count("<file ") == has_file
        assert "<quote" not in built.attached
        assert set(built.included) <= {entry.id for entry in [*own, question]}
        answered = replace(reply(len(own) + 2, len(own) + 1, text=f"{mark} answer"), attached=built.attached)
        own += [question, answered]
