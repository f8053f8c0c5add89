"""What a run came to: counts, cost and latency of each model, as a table and as JSON that can be read back."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import median

from pydantic import TypeAdapter

from bot.evaluation.run import Plan, Trial
from bot.evaluation.texts import texts
from bot.prices import as_of, cost_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One model's result. `share` of its trials passed; an error is no pass.

    Tokens and `cost_usd` are those of its answers and of judging them; None: a price is not known. `first_ms` and
    `total_ms` are medians over its answers, from the question to the first word and to the end.
    """

    model: str
    passed: int
    failed: int
    errors: int
    input_tokens: int
    output_tokens: int
    share: float
    cost_usd: float | None
    first_ms: int
    total_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All trials of a plan so far; `made_at` is in UTC."""

    plan: Plan
    made_at: str
    trials: tuple[Trial, ...]

    def of(self, model: str, case: str = "") -> list[Trial]:
        """A model's trials, those of one case or all."""
        return [one for one in self.trials if one.model == model and case in ("", one.case)]

    def summaries(self) -> list[Summary]:
        """One for each model, in the order in which they were asked for."""
        return [_summary(model, self.of(model)) for model in self.plan.models]

    def notes(self) -> list[str]:
        """What a reader must know about how this was measured."""
        judges = {finding.by for trial in self.trials for finding in trial.findings}
        unpriced = [one.model for one in self.summaries() if one.cost_usd is None]
        reasons = {call.finished.reason for trial in self.trials for call in trial.calls}
        told = [text for key, text in texts("notes").items() if key in judges | reasons]
        return [*told, f"Prices are of {as_of()}; unknown for: {', '.join(unpriced) or 'none'} (tokens only)."]


def report(plan: Plan, trials: Iterable[Trial]) -> Report:
    """The report of what a plan's trials came to so far, those of other plans left out."""
    order = {(plan.digest, case.id, model, repeat): n for n, (case, model, repeat) in enumerate(plan.trials())}
    mine = sorted((one for one in trials if one.key in order), key=lambda one: order[one.key])
    return Report(plan=plan, made_at=datetime.now(UTC).isoformat(timespec="seconds"), trials=tuple(mine))


def dump(report: Report) -> str:
    """The report as JSON, with its summaries and notes, for other programs."""
    told = TypeAdapter(Report).dump_python(report, mode="json", exclude_unset=True)
    told |= {"summaries": [asdict(one) for one in report.summaries()], "notes": report.notes()}
    return json.dumps(told, indent=1, ensure_ascii=False)


def load(text: str) -> Report:
    """A report as `dump` wrote it. Raises ValueError."""
    return TypeAdapter(Report).validate_json(text)


def rows(report: Report) -> list[list[str]]:
    """The table of the models, its heading first."""
    table = [["model", "passed", "failed", "errors", "share", "tokens in", "tokens out", "cost", "first word", "whole"]]
    for one in report.summaries():
        cost = "unknown" if one.cost_usd is None else f"${one.cost_usd:.4f}"
        tokens = [f"{count:,}" if count else "not told" for count in (one.input_tokens, one.output_tokens)]
        counts = [str(one.passed), str(one.failed), str(one.errors), f"{one.share:.0%}"]
        table.append([one.model, *counts, *tokens, cost, f"{one.first_ms:,} ms", f"{one.total_ms:,} ms"])
    return table


def rows_by_kind(report: Report) -> list[list[str]]:
    """The table of the kinds of cases: how many trials of each model passed, of how many."""
    kinds = dict.fromkeys(case.kind for case in report.plan.suite.cases)
    table = [["kind", *report.plan.models]]
    for kind in kinds:
        ids = {case.id for case in report.plan.suite.cases if case.kind == kind}
        mine = [[trial.outcome for trial in report.of(model) if trial.case in ids] for model in report.plan.models]
        table.append([kind or "(none)", *(f"{outcomes.count('pass')} of {len(outcomes)}" for outcomes in mine)])
    return table


def _summary(model: str, trials: Sequence[Trial]) -> Summary:
    answers = [call for trial in trials for call in trial.calls]
    calls = [*answers, *(call for trial in trials for call in trial.judged)]
    costs = [cost_usd(call.finished.model, call.usage) for call in calls]
    outcomes = [trial.outcome for trial in trials]
    return Summary(
        model=model,
        passed=outcomes.count("pass"),
        failed=outcomes.count("fail"),
        errors=outcomes.count("error"),
        input_tokens=sum(call.usage.input_tokens for call in calls),
        output_tokens=sum(call.usage.output_tokens for call in calls),
        share=outcomes.count("pass") / max(1, len(outcomes)),
        cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
        first_ms=round(median([call.first_ms for call in answers if call.text] or [0])),
        total_ms=round(median([call.total_ms for call in answers] or [0])),
    )
