"""Whether a change made things worse: two reports over one suite, case by case, chance taken into account. Pure."""

from dataclasses import dataclass
from math import comb

from bot.evaluation.report import Report

CHANCE = 0.05
"""A fall that would come about by chance more often than this is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Cases by id. `worse`: passed every time and now mostly fails, or fell by more than chance; `shaky`: fell, perhaps
    by chance; `unmeasured`: has no result any more. `chance`: how often chance alone would give such a fall of all.
    `is_worse` where any case is worse or unmeasured, or all together fell by more than chance.
    """

    is_worse: bool
    worse: tuple[str, ...]
    shaky: tuple[str, ...]
    unmeasured: tuple[str, ...]
    chance: float


def compare(before: Report, after: Report) -> Verdict:
    """What became of each case, over all trials of a report, whichever model gave them; errors are no results.

    Raises ValueError where the reports are of different suites: their cases cannot be compared.
    """
    if before.plan.suite.digest != after.plan.suite.digest:
        raise ValueError(f"different suites: {before.plan.suite.name} and {after.plan.suite.name}")
    pairs = {case.id: (_counts(before, case.id), _counts(after, case.id)) for case in before.plan.suite.cases}
    fallen = {case: (was, now) for case, (was, now) in pairs.items() if was[0] * now[1] > now[0] * was[1]}
    reversed_ = {case for case, (was, now) in fallen.items() if was[0] == was[1] and now[0] * 2 < now[1]}
    worse = tuple(case for case, pair in fallen.items() if case in reversed_ or chance_of(*pair) < CHANCE)
    shaky = tuple(case for case in fallen if case not in worse)
    unmeasured = tuple(case for case, (was, now) in pairs.items() if was[1] and not now[1])
    both = [pair for pair in pairs.values() if pair[0][1] and pair[1][1]]
    chance = chance_of(*((sum(pair[n][0] for pair in both), sum(pair[n][1] for pair in both)) for n in (0, 1)))
    is_worse = bool(worse or unmeasured) or chance < CHANCE
    return Verdict(is_worse=is_worse, worse=worse, shaky=shaky, unmeasured=unmeasured, chance=chance)


def chance_of(was: tuple[int, int], now: tuple[int, int]) -> float:
    """How often so few of all passes would fall on the later trials if nothing had changed (Fisher's exact test).

    Both as passed and tried; 1 where there is nothing to compare.
    """
    passes, tried = was[0] + now[0], was[1] + now[1]
    ways = sum(comb(passes, n) * comb(tried - passes, now[1] - n) for n in range(now[0] + 1))
    return ways / comb(tried, now[1])


def _counts(report: Report, case: str) -> tuple[int, int]:
    """How often a case passed, and how often it was tried without an error."""
    outcomes = [trial.outcome for trial in report.trials if trial.case == case]
    return outcomes.count("pass"), outcomes.count("pass") + outcomes.count("fail")
