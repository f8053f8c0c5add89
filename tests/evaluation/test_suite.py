"""Reading a suite: every problem at once, each with case, field and example; and writing a rated answer as a case."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.evaluation.checks import KINDS
from bot.evaluation.suite import SuiteInvalid, as_case, read
from bot.evaluation.texts import texts
from bot.ports import Message
from tests.docs.pages import page
from tests.evaluation.asking import suite

BAD = """
name: Bad
bogus: 1
max_tokens: 0
cases:
  - id: a
    turns: [hi]
    checks:
      - contain: x
      - {number: many, tol: 3}
      - contains: yes
      - json_schema: {type: objet}
      - regex: "("
      - {contains: a, tolerance: 3}
      - {}
      - {contains: a, equals: b}
      - refuses: false
      - x
  - id: a
    turns: [{assistant: hi}]
  - turns: [3]
    checks: []
  - id: "with space"
    turns: [{user: a, assistant: b}]
    checks: [{contains: []}]
  - x
"""
PROBLEMS = [
    "bogus: unknown",
    "max_tokens: input should be greater than or equal to 1",
    "case a, checks[1].contain: unknown, did you mean contains?",
    "case a, checks[2].number: input should be a valid number",
    "case a, checks[2].tol: unknown",
    "case a, checks[3].contains: input should be a valid tuple (it is True; put text in quotes)",
    "case a, checks[4].json_schema: it is no JSON schema",
    "case a, checks[5].regex: input should be a valid regular expression",
    "case a, checks[6]: each check is exactly one of",
    "case a, checks[7]: each check is exactly one of: contains, not_contains, regex,",
    "case a, checks[8]: each check is exactly one of",
    "case a, checks[9].refuses: input should be True",
    "case a, checks[10]: input should be a valid dictionary",
    "case a, turns: each is `user` or `assistant`",
    "case a, checks: field required",
    "case number 3, id: field required",
    "case number 3, turns[1]: input should be a valid dictionary",
    "case number 3, checks: should have at least one entry",
    "case with space, id: string should match pattern",
    "case with space, turns: each is `user` or `assistant`",
    "case with space, checks[1].contains: should have at least one entry",
    "case number 5, as a whole: input should be a valid dictionary",
    "case a, id: two cases have this name",
]


def problems(text: str, *, has_judge: bool = True) -> list[str]:
    """What is wrong with a suite."""
    with pytest.raises(SuiteInvalid) as caught:
        read(text, has_judge=has_judge)
    return caught.value.problems


def test_all_problems_are_told_at_once() -> None:
    """Each with the case's name or number, the field, what is wrong, and how it is written."""
    found = problems(BAD)
    for wanted in PROBLEMS:
        assert [line for line in found if line.startswith(wanted)], wanted
    assert len(found) == len(PROBLEMS)
    assert [line for line in found if ". Example: " not in line] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "line 1: expected the node content"),
        ("name: x\nname: y", "line 1: name stands there twice"),
        ("name: x\ncases:\n- id: a\n  turns: [b]\n  checks: [{contains: a, contains: b}]", "line 5: contains stands"),
        ("a: \x01", "unacceptable character"),
        ("- a", "as a whole: input should be a valid dictionary"),
        ("", "as a whole: input should be a valid dictionary"),
        ("name: x\ncases: []", "cases: should have at least one entry"),
        ("name: x\ncases: 3", "cases: input should be a valid tuple"),
        ("&a [*a]", "as a whole: input"),
    ],
)
def test_what_is_no_suite(text: str, problem: str) -> None:
    """Broken YAML is told with its line; a key that stands twice would lose a check without a word."""
    (found,) = [line for line in problems(text) if not line.startswith(("name", "cases: field"))]
    assert found.startswith(problem)


def test_rubrics_need_a_judge_and_kinds_their_text() -> None:
    """A suite with rubrics is refused where nobody judges, and a case of a kind that is not explained."""
    text = suite("id: a, kind: b, turns: [x], checks: [{judge: Good.}]", head="name: x\nkinds: {c: Text.}")
    assert problems(text, has_judge=False) == [
        "case a, kind: b; example: kind: c",
        "case a, judge: needs a judging model. Example: --judge gpt-6-luna",
    ]


def test_every_example_works() -> None:
    """What an error shows as an example is YAML that a suite takes at that place."""
    for field, example in texts("examples").items():
        shown = yaml.safe_load(example)
        if field in ("name", "cases", "kinds", "max_tokens", "temperature"):
            whole = {"name": "x", "cases": [{"id": "a", "turns": ["x"], "checks": [{"contains": "x"}]}]} | shown
            whole["cases"] = [case | {"kind": next(iter(whole.get("kinds", {"": ""})))} for case in whole["cases"]]
        elif field in ("id", "turns", "checks"):
            whole = {"name": "x", "cases": [{"id": "a", "turns": ["x"], "checks": [{"contains": "x"}]} | shown]}
        else:
            whole = {"name": "x", "cases": [{"id": "a", "turns": ["x"], "checks": [shown]}]}
        assert read(yaml.safe_dump(whole)).cases, field


def test_the_page_tells_every_check() -> None:
    """docs/evaluation.md has a row for each kind of check, and its example is one that a suite takes."""
    rows = re.findall(r"^\| `((\w+): [^`]+)` \|", page("docs/evaluation.md"), re.MULTILINE)
    assert [kind for _, kind in rows] == KINDS
    for check, kind in rows:
        (case,) = read(suite(f"id: a, turns: [x], checks: [{{{check}}}]")).cases
        assert case.checks[0].kind == kind


def test_the_same_cases_have_the_same_digest() -> None:
    """However the file is written; another check makes another suite."""
    one = read("name: x\ncases: [{id: a, turns: [x], checks: [{contains: y}]}]")
    assert one.digest == read("cases:\n- checks:\n  - contains: [y]\n  turns: [{user: x}]\n  id: a\nname: x").digest
    assert one.digest != read("name: x\ncases: [{id: a, turns: [x], checks: [{contains: z}]}]").digest


def test_filler() -> None:
    """`{{filler N}}` stands for N different lines, the same ones each time."""
    (case,) = read(suite('id: a, turns: ["{{filler 3}}|"], checks: [{contains: x}]')).cases
    text = case.turns[0].message.content
    assert text == "Shelf 1 holds 47 boxes.\nShelf 2 holds 84 boxes.\nShelf 3 holds 31 boxes.|"


ROLES = st.sampled_from(["user", "assistant"])
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co"), exclude_characters="\ufeff"), min_size=1)


@given(st.lists(st.builds(Message, role=ROLES, content=TEXT), max_size=5), TEXT, TEXT, st.sampled_from(["", "no: 1"]))
def test_a_rated_answer_is_a_case(before: list[Message], question: str, answer: str, correction: str) -> None:
    """Whatever was said, the case is YAML that stands under `cases:`, with the talk whole and a check of the answer."""
    first = [Message(role="user", content="hello")]
    turns = [Message(role="system", content="Be kind."), *first, *before, Message(role="user", content=question)]
    (case,) = read("name: x\ncases:\n" + as_case(turns, answer, correction)).cases
    (good,) = read("name: x\ncases:\n" + as_case(turns, answer, is_good=True)).cases
    assert case.system == "Be kind."
    told = "".join(turn.user or turn.assistant or "" for turn in case.turns).replace("\n\n", "")
    assert told == "".join(turn.content for turn in turns[1:]).replace("\n\n", "")
    check = case.checks[0]
    assert check.like == correction if correction else answer in str(check.judge)
    assert good.checks[0].like == answer
    assert good.id == case.id
