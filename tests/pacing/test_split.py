"""Where a text is cut into messages: `bot.pacing.split`."""

import re

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.pacing import Limits, Part, due_at, seal, split, units

LIMITS = Limits(characters=200, cadence_s=1.0, sign_every_s=8.0)

_LINE = re.compile(r"^[ \t>]{0,24}((?:[-*+]|\d{1,9}[.)])[ \t]{1,4})?(`{3,16}(?!`)|~{3,16}(?!~))(.*)$", re.MULTILINE)


def open_fence(text: str) -> str:
    """The marks of the fence that is open at the end of a message, as CommonMark has it."""
    marks = ""
    for listed, found, info in _LINE.findall(text):
        if not marks:
            marks = "" if found[0] == "`" and "`" in info else found
        elif found[0] == marks[0] and len(found) >= len(marks) and not info.strip() and not listed:
            marks = ""
    return marks


def fence(marks: str, language: str, indent: str, body: str) -> str:
    return (
        f"{indent}{marks}{language}\n" + "\n".join(indent + line for line in body.split("\n")) + f"\n{indent}{marks}\n"
    )


def table(columns: int, cells: list[str]) -> str:
    rows = [cells[index : index + columns] for index in range(0, len(cells), columns)]
    lines = [["head"] * columns, ["---"] * columns, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


words = st.sampled_from(
    ["a", "word", "longer-word", "x" * 70, "Ende.", "Was?", "你好。", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "e\u0301", "किमपि", "`code`"]
)
prose = st.lists(words, min_size=1, max_size=60).map(" ".join)
code = st.lists(
    st.sampled_from(["x = 1", "", "    return y  # why", "y" * 90, "| no | table |", "``", "# head"]), max_size=30
)
fences = st.builds(
    fence,
    st.sampled_from(["```", "~~~", "````", "~~~~~"]),
    st.sampled_from(["", "python", "c++", "a-very-long-name-of-a-language", 'js title="x.js"']),
    st.sampled_from(["", "  ", "    ", "> "]),
    code.map("\n".join),
)
tables = st.builds(
    table, st.integers(1, 4), st.lists(st.sampled_from(["1", "cell", "a longer cell", "é"]), max_size=60)
)
blocks = st.one_of(
    prose, prose, fences, tables, st.sampled_from(["## Heading", "- item\n- item", "", "\n\n", "```", "---"])
)
markdown = st.lists(blocks, max_size=12).map("\n\n".join)
anything = st.text(alphabet=st.sampled_from("`~|-> \n\t#.ab1\u0301\u200d👩🇩é你\r"), max_size=900)
texts = st.one_of(markdown, anything, st.text(max_size=900))


def graphemes_cut(text: str, parts: tuple[Part, ...]) -> list[int]:
    """Places inside a grapheme where a part ends, but for graphemes that do not fit into a message."""
    inside = {
        at
        for match in regex.finditer(r"\X", text)
        if units(match.group()) < LIMITS.characters // 4
        for at in range(match.start() + 1, match.end())
    }
    ends, at = set[int](), 0
    for part in parts:
        at += len(part.source)
        ends.add(at)
    return sorted(ends & inside)


@settings(max_examples=200, deadline=None)
@given(texts)
def test_parts_are_the_text(text: str) -> None:
    """The sources joined are the text; each part is within the limit, balanced, not blank, and cuts no grapheme."""
    parts = split(text, LIMITS)
    assert "".join(part.source for part in parts) == text
    assert [part.text for part in parts if units(part.text) > LIMITS.characters] == []
    assert [part.text for part in parts if open_fence(part.text)] == []
    assert not text.strip() or [part.source for part in parts if not part.text.strip()] == []
    assert graphemes_cut(text, parts) == []


@settings(max_examples=100, deadline=None)
@given(texts)
def test_parts_stay_while_the_text_grows(text: str) -> None:
    """All parts but the last two are the same when the text grows, and taking them from earlier changes nothing."""
    earlier: tuple[Part, ...] = ()
    step = max(1, len(text) // 40)
    for end in [*range(0, len(text), step), len(text)]:
        parts = split(text[:end], LIMITS, earlier)
        assert parts == split(text[:end], LIMITS)
        assert parts[: len(earlier) - 2] == earlier[:-2] or len(earlier) < 2
        earlier = parts


@settings(max_examples=1000, deadline=None)
@given(texts)
def test_what_is_shown_is_what_was_written(text: str) -> None:
    """Without the lines that were added, what is shown is the text; only white space at the cuts is gone."""
    shown = ""
    before: Part | None = None
    for part in split(text, LIMITS):
        closer = part.fence.closer if part.fence else ""
        lead = before.lead if before else ""
        assert part.text.startswith(lead)
        assert part.text.endswith(closer)
        shown += part.text[len(lead) : len(part.text) - len(closer)]
        before = part
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.one_of(prose, tables), min_size=1, max_size=6))
def test_tables_are_cut_between_rows_only(blocks: list[str]) -> None:
    """A table that fits into a message is whole; a longer one is cut between rows, and each part has its header."""
    text = "\n\n".join(blocks)
    parts = split(text, LIMITS)
    ends, at = [0], 0
    for part in parts:
        at += len(part.source)
        ends.append(at)
    start, insides = 0, set[int]()
    for block in blocks:
        if block.startswith("| head"):
            inside = [end for end in ends if start < end < start + len(block.rstrip())]
            assert not inside or len(block) > LIMITS.characters - 2
            assert all(text[end - 1] == "\n" for end in inside)
            insides.update(inside)
            header = "".join(block.splitlines(keepends=True)[:2])
            if len(header) <= LIMITS.characters // 3:
                assert all(parts[ends.index(end)].text.startswith(header) for end in inside)
        start += len(block) + 2
    assert all(end in insides for end, part in zip(ends[1:], parts, strict=True) if part.lead and not part.fence)


def texts_of(text: str, limits: Limits = LIMITS) -> list[str]:
    return [part.text for part in split(text, limits)]


def test_prefers_paragraphs_then_lines_then_sentences_then_words() -> None:
    """A message ends at the best place in its second half, and at a worse one rather than before that."""
    prose = "wwwwwwwww " * 12
    tail = "t" * 150
    assert texts_of(f"{prose}\n\nmore. lines\nand words {tail}")[0] == prose.strip()
    assert texts_of(f"{prose}\nmore. and words {tail}")[0] == prose.strip()
    assert texts_of(f"{prose}more. And words {tail}")[0] == f"{prose}more."
    assert texts_of(f"{prose}more and words {tail}")[0] == f"{prose}more and words"
    assert texts_of(f"{prose[:60]}\n\n{prose[:90]}more. And words {tail}")[0].endswith("more.")
    assert texts_of(f"{prose}\n## Heading\nand\nwords {tail}")[0] == prose.strip()
    assert texts_of("x" * 250) == ["x" * 200, "x" * 50]


def test_a_fence_is_closed_and_opened_again() -> None:
    """Code that goes over several messages is code in each, with its language; a long language is left out."""
    code = "\n".join(f"    line_{number} = {number}" for number in range(20))
    first, second, *_ = texts_of(f"```python\n{code}\n```\nDone.")
    assert first.startswith("```python\n    line_0 = 0\n")
    assert first.endswith("\n```")
    assert second.startswith("```python\n    line_")
    assert texts_of(f"~~~~a-very-long-language-name\n{code}\n~~~~")[1].startswith("~~~~\n    line_")


def test_what_is_added_to_a_full_message_fits() -> None:
    """The closing fence of a message whose code has no place to cut is within the limit."""
    for marks in ("```", "~~~~~", "- ```", "> ```py\n>"):
        assert {units(text) for text in texts_of(f"{marks}\n{'x' * 1000}")[:-1]} == {LIMITS.characters}


def test_blank_lines_of_code_stay() -> None:
    """Where a cut in code falls before blank lines, they are in the next message."""
    texts = [texts_of("```\n" + "    y\n" * count + "\n" * 6 + "    end\n```") for count in range(26, 36)]
    assert "```\n\n\n    end\n```" in [last for *_, last in texts]


def test_a_long_header_is_not_repeated() -> None:
    """A table's header that would fill a third of each message stands only in the first."""
    for cell in ("h" * 70, "h" * 150):
        first, *others = texts_of(f"| {cell} |\n| --- |\n" + "| cell |\n" * 40)
        assert first.startswith("| hhh")
        assert {text.splitlines()[0] for text in others} == {"| cell |"}


def test_a_fence_in_a_list_keeps_its_indentation() -> None:
    """Code inside a list item or a quote goes on with the margin that it has there."""
    code = "\n".join(f"   line_{number}" for number in range(30))
    first, second, *_ = texts_of(f"1. ```sh\n{code}\n   ```")
    assert first.endswith("\n   ```")
    assert second.startswith("   ```sh\n   line_")


def test_no_empty_code_block_is_left() -> None:
    """A message ends neither right behind an opening fence nor right before a closing one."""
    for size in range(120, 200):
        for text in texts_of(f"{'w' * size}\n```\ncode\n```\n{'w ' * 80}"):
            assert "```\n```" not in text


def test_code_in_a_line_opens_nothing() -> None:
    """Three back-ticks that are closed in their own line are no fence."""
    text = "```x``` is code, and ``` is not.\n\n" + "word " * 60
    assert [part.fence for part in split(text, LIMITS)] == [None, None]
    assert seal(text) == text


def test_white_space_at_the_end_is_no_message() -> None:
    """What follows the last visible character belongs to the last message, however much it is."""
    assert texts_of("x" * 200 + " " * 500) == ["x" * 200]
    assert texts_of("```\n" + "x" * 192 + "\n" * 500) == ["```\n" + "x" * 192 + "\n```"]


def test_a_heading_stays_with_its_text() -> None:
    """No message ends with a heading."""
    for size in range(60, 200):
        for text in texts_of(f"{'w ' * (size // 2)}\n\n## Heading\n\n{'text ' * 60}"):
            assert not text.endswith("## Heading")


def test_no_word_is_cut_off_before_back_ticks() -> None:
    """Where there is any other place, no message begins with marks from the middle of a line: they would open code."""
    for size in range(150, 199):
        for text in texts_of(f"{'w' * size} ``` and ~~~ {'w' * 100}"):
            assert not text.startswith(("```", "~~~"))


def test_a_table_begins_a_message_rather_than_end_one() -> None:
    """A table's first lines are never left behind at the end of a message."""
    for size in range(60, 200):
        first, second, *_ = texts_of(f"{'w ' * (size // 2)}\n\n| a | b |\n|---|---|\n" + "| cell | cell |\n" * 9)
        assert ("|" in first, second.startswith("| a | b |")) in ((False, True), (True, False))
        assert first.count("|") in (0, first.count("\n") * 3 - 3)


def test_a_list_item_closes_no_fence() -> None:
    """Inside code a list item with back-ticks is code; the margin's own back-ticks close it."""
    assert seal("```\n- ```\nx") == "```\n- ```\nx\n```"
    assert seal("- ```\n  x\n  ```\ny") == "- ```\n  x\n  ```\ny"


@pytest.mark.parametrize(
    "text",
    ["a \u0301" * 200, "x" * 200 + "\u0301" + "y" * 50, "x" * 199 + "\r\n" + "y" * 50, "\U0001f1e9\U0001f1ea" * 90],
)
def test_a_grapheme_at_the_limit_is_whole(text: str) -> None:
    """A character and its accents, both halves of a flag, and the two characters of a line end stay together."""
    parts = split(text, LIMITS)
    assert len(parts) > 1
    assert graphemes_cut(text, parts) == []


def test_a_grapheme_longer_than_a_message_is_cut() -> None:
    """Accents without an end are cut, as nothing else can be done."""
    text = "e" + "\u0301" * 500
    assert "".join(texts_of(text)) == text


def test_streamed_code_is_split_as_code_at_once() -> None:
    """Wherever the closing fence comes to stand, taking parts from earlier gives what splitting anew gives."""
    for count in range(20, 34):
        text = "```\n" + "x = 1\n" * count + "```\n" + "word " * 60
        earlier: tuple[Part, ...] = ()
        for end in range(100, len(text) + 1):
            parts = split(text[:end], LIMITS, earlier)
            assert parts == split(text[:end], LIMITS)
            earlier = parts


def test_wide_characters_count_as_platforms_count_them() -> None:
    """The limit is in UTF-16 code units: an emoji outside of the basic plane counts twice."""
    assert units("a\u00e9\u4f60") == 3
    assert units("\U0001f600") == 2
    assert [len(text) for text in texts_of("\U0001f600" * 150)] == [100, 50]


def test_seal_closes_what_is_open() -> None:
    """What follows a sealed text is not code."""
    assert seal("a\n```py\nb\n") == "a\n```py\nb\n```"
    assert seal("a\n```\nb\n```\n") == "a\n```\nb\n```\n"
    assert seal("") == ""


def test_when_the_first_post_is_due() -> None:
    """At a sentence end, at 80 characters, else 700 ms after the first token; a numbered list's "1." ends nothing."""
    assert due_at("Hi! What", LIMITS, 5.0) == 5.0
    assert due_at("Sure:\n", LIMITS, 5.0) == 5.0
    assert due_at("\u4f60\u597d\u3002", LIMITS, 5.0) == 5.0
    assert due_at("x" * 80, LIMITS, 5.0) == 5.0
    for text in ("1. First", "Version 3.5 is", "Hello.", "x" * 79):
        assert due_at(text, LIMITS, 5.0) == 5.7
