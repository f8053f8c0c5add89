"""The regression guard: worse, not worse, or chance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.evaluation.compare import chance_of, compare
from bot.evaluation.report import Report, report
from bot.evaluation.run import Outcome, Trial
from tests.evaluation.asking import plan, suite

OUTCOMES: dict[str, Outcome] = {"+": "pass", "-": "fail", "!": "error"}


def told(**cases: str) -> Report:
    """A report in which each case has these outcomes, one a repetition: `+` passed, `-` failed, `!` error."""
    repeat = max(map(len, cases.values()))
    made = plan(suite(*(f"id: {id}, turns: [x], checks: [{{contains: y}}]" for id in cases)), repeat=repeat)
    trials = [
        Trial(run=made.digest, case=id, model="m1", repeat=n, at=0.0, outcome=OUTCOMES[sign])
        for id, signs in cases.items()
        for n, sign in enumerate(signs, 1)
    ]
    return report(made, trials)


@pytest.mark.parametrize(
    ("before", "after", "worse", "shaky"),
    [
        ("+", "+", (), ()),
        ("+", "-", ("a",), ()),
        ("-", "+", (), ()),
        ("+++", "---", ("a",), ()),
        ("+++", "+--", ("a",), ()),
        ("+++", "++-", (), ("a",)),
        ("++-", "---", (), ("a",)),
        ("++-", "+--", (), ("a",)),
        ("+++++++-", "+-------", ("a",), ()),
        ("+++", "!--", ("a",), ()),
        ("++!", "++-", (), ("a",)),
    ],
)
def test_a_case(before: str, after: str, worse: tuple[str, ...], shaky: tuple[str, ...]) -> None:
    """Worse is what passed each time and now mostly fails, or fell by more than chance; the rest of a fall is shaky."""
    verdict = compare(told(a=before), told(a=after))
    assert (verdict.worse, verdict.shaky, verdict.unmeasured) == (worse, shaky, ())
    assert verdict.is_worse == bool(worse)


def test_small_falls_add_up() -> None:
    """Ten cases that each fall a little are no chance any more, though none of them is worse by itself."""
    before = told(**{f"c{n}": "+++" for n in range(10)})
    after = told(**{f"c{n}": "++-" for n in range(10)})
    verdict = compare(before, after)
    assert verdict.worse == ()
    assert len(verdict.shaky) == 10
    assert verdict.chance < 0.05
    assert verdict.is_worse
    assert not compare(after, before).is_worse


def test_what_was_not_measured_is_no_pass() -> None:
    """A case that has only errors after a change keeps the change back; one that had no result before does not."""
    verdict = compare(told(a="++", b="++"), told(a="++", b="!!"))
    assert (verdict.is_worse, verdict.unmeasured) == (True, ("b",))
    assert not compare(told(a="++", b="!!"), told(a="++", b="!!")).is_worse


def test_different_suites_are_refused() -> None:
    """Cases of one name but other checks cannot be compared."""
    with pytest.raises(ValueError, match="different suites"):
        compare(told(a="+"), told(b="+"))


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_chance(passed: int, failed: int, now_passed: int, now_failed: int) -> None:
    """It is a probability, 1 where nothing can fall, and the smaller the fewer pass afterwards."""
    was = (passed, passed + failed)
    chance = chance_of(was, (now_passed, now_passed + now_failed))
    assert 0 < chance <= 1 + 1e-9
    if now_passed:
        assert chance_of(was, (now_passed - 1, now_passed + now_failed)) <= chance + 1e-9
    if not failed and not now_failed:
        assert chance == 1


def test_chance_by_hand() -> None:
    """3 of 3, then 0 of 3: one of the 20 ways to spread three passes over six trials."""
    assert chance_of((3, 3), (0, 3)) == 1 / 20
