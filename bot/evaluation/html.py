"""The reports that people open: one page of everything, one that puts the models side by side. No outside assets."""

from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template

from bot.evaluation.report import Report, rows, rows_by_kind
from bot.evaluation.run import Trial


class Html(str):
    """Text that is HTML already; all other text is escaped when it becomes part of a page."""


def tag(name: str, *inside: str, css: str = "") -> Html:
    """One element."""
    body = "".join(one if isinstance(one, Html) else escape(one) for one in inside)
    return Html(f'<{name} class="{escape(css)}">{body}</{name}>')


def full(report: Report) -> str:
    """The page with the tables, and each case with every answer and what the checks found in it."""
    kinds = [tag("p", tag("b", kind), f": {why}") for kind, why in report.plan.suite.kinds.items()]
    cases = list[Html]()
    for case in report.plan.suite.cases:
        talk = [tag("pre", f"{turn.message.role}: {turn.user or turn.assistant}") for turn in case.turns]
        trials = [_trial(trial) for trial in report.trials if trial.case == case.id]
        cases.append(tag("section", tag("h2", case.id), tag("p", case.why), *talk, *trials))
    return _page(report, "Report", _table(rows_by_kind(report)), tag("h2", "What is probed"), *kinds, *cases)


def comparison(report: Report) -> str:
    """The page with one row a case and one column a model: how often it passed, and its first answer."""
    lines = [tag("tr", *(tag("th", name) for name in ("case", *report.plan.models)))]
    for case in report.plan.suite.cases:
        cells = [_cell(report.of(model, case.id)) for model in report.plan.models]
        lines.append(tag("tr", tag("td", tag("b", case.id), tag("p", case.why)), *cells))
    return _page(report, "Comparison", tag("table", *lines))


def _page(report: Report, title: str, *inside: str) -> str:
    plan, notes = report.plan, [tag("li", note) for note in report.notes()]
    told = f"{report.made_at}; {plan.repeat} x; judge: {plan.judge or 'none'}; persona: {plan.persona or 'none'}"
    head = tag("h1", f"{title}: {plan.suite.name}"), tag("p", told), _table(rows(report)), tag("ul", *notes)
    page = resources.files("bot.evaluation").joinpath("page.html").read_text("utf-8")
    return Template(page).substitute(title=escape(f"{title}: {plan.suite.name}"), body="\n".join((*head, *inside)))


def _table(lines: Sequence[Sequence[str]]) -> Html:
    rows = (tag("tr", *(tag("td" if n else "th", cell) for cell in line)) for n, line in enumerate(lines))
    return tag("table", *rows)


def _trial(trial: Trial) -> Html:
    outcome = tag("b", trial.outcome, css=trial.outcome)
    heading = tag("summary", outcome, f" {trial.model}, {trial.repeat}. {trial.error}")
    answers = [tag("pre", call.text) for call in trial.calls]
    found = [[str(one.check), "pass" if one.passed else "fail", one.by, one.detail] for one in trial.findings]
    return tag("details", heading, *answers, _table([["check", "result", "by", "detail"], *found]))


def _cell(trials: Sequence[Trial]) -> Html:
    outcomes = [trial.outcome for trial in trials]
    worst = next((outcome for outcome in ("error", "fail", "pass") if outcome in outcomes), "")
    answers = [tag("pre", trial.calls[-1].text if trial.calls else trial.error) for trial in trials[:1]]
    return tag("td", tag("b", f"{outcomes.count('pass')} of {len(outcomes)}", css=worst), *answers)
