"""Tables on Discord, which has none: columns that stand on a phone, or bullets; and nothing of them is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.tables import WIDEST, width, with_tables
from bot.pacing import Limits, split

SMALL = "| Name | Age |\n|:-----|----:|\n| Ada | 36 |\n| **Bob** | 7 |"
ALIGNED = "```\nName  Age\n----  ---\nAda    36\nBob     7\n```"


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_a_small_table_stands_in_columns() -> None:
    """Its columns are aligned as its rule says, in a code block; what stands around it stays."""
    assert with_tables(f"Here:\n\n{SMALL}\n\nDone.") == f"Here:\n\n{ALIGNED}\n\nDone."


def test_wide_signs_are_counted_as_they_are_shown() -> None:
    """CJK, emoji, flags and families take two columns, combining marks none."""
    table = "| a | b |\n|---|---|\n| 世界 | x |\n| 👩‍👩‍👧‍👦🇩🇪 | x |\n| e\u0301ab | x |\n| ❤️ | x |"
    rows = with_tables(table).split("\n")[1:-1]
    assert len({width(row) for row in rows}) == 1
    wides = ("世", "👩‍👩‍👧‍👦", "🇩🇪", "❤️", "\uff21")
    assert [width(sign) for sign in (*wides, "e\u0301", "é", "ｶ", "\u200d")] == [2] * 5 + [1] * 3 + [0]


def test_a_wide_table_becomes_bullets() -> None:
    """What a phone would wrap becomes a list, each cell under the name of its column."""
    table = f"| City | About |\n|---|---|\n| **Rome** | {'long ' * 14}|\n| | none |"
    assert with_tables(table) == (
        f"- City: **Rome**\n  - About: {('long ' * 14).strip()}\n- City: \u2013\n  - About: none"
    )


@pytest.mark.parametrize("size", [WIDEST - 3, WIDEST - 2])
def test_the_widest_that_stands_in_columns(size: int) -> None:
    """Sixty columns still stand, sixty-one do not."""
    table = f"| a | b |\n|---|---|\n| {'x' * size} | y |"
    assert with_tables(table).startswith("```") is (size == WIDEST - 3)


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{SMALL}\n```",
        f"~~~~ text\n{SMALL}\n~~~\n{SMALL}\n~~~~",
        f"1. So:\n   ```md\n{SMALL}\n   ```",
        f"```python\n{SMALL}",
        "a | b\nc | d",
        "Title\n---\n| no table",
        "| a | b |\n|---|",
        "| a | b |\n|---|---|",
        "| a | b |\n|---|---|---|\n| 1 | 2 |",
        "a \\| b\n--- | ---\nc",
        "> | a | b |\n> |---|---|\n> | 1 | 2 |",
    ],
)
def test_what_is_no_table_is_left_alone(text: str) -> None:
    """Code blocks, open ones too, quotes, a header without its rule, a rule that still grows, mere bars."""
    assert with_tables(text) == text


def test_a_bar_within_a_cell_stays() -> None:
    """An escaped bar is part of its cell; cells beyond the header are kept, missing ones are empty."""
    shown = with_tables("| a | b |\n|---|---|\n| x \\| y | 1 | more |\n| z |")
    assert shown.split("\n")[3:5] == ["x | y  1  more", "z"]


def test_a_table_behind_inline_code_is_seen() -> None:
    """Three back-ticks with others behind them on their line open no code block."""
    assert with_tables(f"```x``` is code\n{SMALL}") == f"```x``` is code\n{ALIGNED}"


def test_marks_of_a_code_block_within_a_cell_make_bullets() -> None:
    """A code block cannot hold the marks that would end it."""
    assert with_tables("| a | b |\n|---|---|\n| ``` | 1 |") == "- a: **```**\n  - b: 1"


CELL = st.text(st.sampled_from("abc 世é👩`*_"), max_size=40).map(lambda cell: cell.replace("**", "").strip())


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    count = draw(st.integers(1, 5))
    return draw(st.lists(st.lists(CELL, min_size=count, max_size=count), min_size=2, max_size=6))


def written(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


@given(tables(), st.text(alphabet="xy \n", max_size=20))
def test_nothing_of_a_table_is_lost(rows: list[list[str]], behind: str) -> None:
    """Every cell of every row is shown, in its order, and what stands behind the table stays whole."""
    shown = with_tables(f"before\n{written(rows)}\n\n{behind}")
    assert shown.startswith("before\n")
    assert shown.endswith(behind)
    at = 0
    for row in rows[1:]:
        for cell in row:
            plain = squeezed(cell)
            found = squeezed(shown).find(plain, at)
            assert found >= at
            at = found + len(plain)
    assert all(squeezed(name) in squeezed(shown) for name in rows[0])


@given(st.text(alphabet="|-: ab\n`~\\", max_size=120))
def test_what_has_no_table_keeps_its_signs(text: str) -> None:
    """Whatever bars, rules and fences come: letters are kept, and lines stay within a code block where they were."""
    shown = with_tables(text)
    assert [sign for sign in shown if sign in "ab"] == [sign for sign in text if sign in "ab"] or "- " in shown


@given(tables())
def test_a_table_that_grows_changes_its_form_once(rows: list[list[str]]) -> None:
    """While it is streamed it is first raw, then columns, then perhaps bullets, and never goes back."""
    text = f"So:\n{written(rows)}\n\nThat is all."
    forms = []
    for end in range(len(text) + 1):
        shown = with_tables(text[:end])
        forms.append(1 if "\n```\n" in shown else 2 if "\n- " in shown else 0)
    assert forms == sorted(forms)


@given(tables(), st.integers(200, 400))
def test_tables_are_split_like_any_text(rows: list[list[str]], characters: int) -> None:
    """A table that is longer than a message goes on in the next one, its code block closed and opened again."""
    shown = with_tables(written([rows[0], *rows[1:] * 8]))
    for part in split(shown, Limits(characters=characters, cadence_s=1, sign_every_s=1)):
        assert part.text.count("\n```") + part.text.startswith("```") in (0, 2) or "`" in written(rows)
