"""`parley eval`: its options, its progress, its reports and its exit status."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from bot.evaluation import html
from bot.evaluation.report import dump, report, rows, rows_by_kind
from bot.evaluation.run import Embed, Plan, Results, Trial, run
from bot.evaluation.suite import Suite, SuiteInvalid, read
from bot.evaluation.texts import texts
from bot.ports import Model

Tell = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `parley eval`."""
    helped = texts("options")
    parser.add_argument("suite", help=helped["suite"])
    parser.add_argument("--model", action="append", default=[], metavar="MODEL", help=helped["model"])
    parser.add_argument("--resume", action="store_true", help=helped["resume"])
    for name in ("persona", "judge", "embedder", "out"):
        parser.add_argument(f"--{name}", default="", help=helped[name])
    for name, default in (("repeat", 1), ("concurrency", 4)):
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=helped[name])
    parser.add_argument("--min-pass", type=float, default=1.0, metavar="SHARE", help=helped["min-pass"])


def chosen(options: argparse.Namespace) -> tuple[Suite, str, Path]:
    """The suite, the persona's text (often empty) and the folder of the results. Raises SuiteInvalid."""
    path, shipped = Path(options.suite), Path(str(resources.files("bot.evaluation"))) / f"{options.suite}.yaml"
    if not path.exists() and shipped.exists():
        path = shipped
    if not (min(options.repeat, options.concurrency) >= 1 and 0 <= options.min_pass <= 1):
        raise SuiteInvalid([texts("told")["numbers"]])
    if options.resume and not options.out:
        raise SuiteInvalid([texts("told")["no_out"]])
    out = Path(options.out or f"parley-eval/{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}")
    if (out / "results.jsonl").exists() and not options.resume:
        raise SuiteInvalid([texts("told")["resume"].format(out=out)])
    persona = options.persona
    if persona.endswith((".md", ".txt")) and not any(map(str.isspace, persona)):
        persona = _text(Path(persona)).strip()
    return read(_text(path), has_judge=bool(options.judge)), persona, out


async def evaluate(plan: Plan, model: Model, embed: Embed, out: Path, min_pass: float, tell: Tell) -> int:
    """Run the plan, write the reports, print the tables: 0 where each model passes often enough, else 1."""
    try:
        results = Results(out)
    except OSError as error:
        raise SuiteInvalid([texts("told")["unwritable"].format(out=out, why=error)]) from None
    try:
        with _progress(plan, results, tell) as told:
            await run(plan, model, embed, results, told)
    except asyncio.CancelledError:
        done = len(report(plan, results.trials.values()).trials)
        tell(texts("told")["cut_off"].format(done=done, all=len([*plan.trials()]), out=out))
        raise
    finally:
        made = report(plan, results.trials.values())
        pages = {"report.json": dump(made), "report.html": html.full(made), "comparison.html": html.comparison(made)}
        for name, text in pages.items():
            (out / name).write_text(text, "utf-8")
    for table in (rows(made), rows_by_kind(made)):
        print(_aligned(table), end="\n\n")
    print("\n".join(made.notes()))
    tell(texts("told")["written"].format(out=out))
    return 0 if all(one.share >= min_pass for one in made.summaries()) else 1


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteInvalid([texts("told")["unreadable"].format(path=path, why=error)]) from None


@contextmanager
def _progress(plan: Plan, results: Results, tell: Tell) -> Iterator[Callable[[Trial], None]]:
    """A bar on a terminal, elsewhere a line for each result."""
    from rich.console import Console
    from rich.progress import Progress

    done, is_terminal = len(report(plan, results.trials.values()).trials), sys.stderr.isatty()
    with Progress(console=Console(stderr=True), disable=not is_terminal) as bar:
        task = bar.add_task("asked", total=len([*plan.trials()]), completed=done)
        line = "{0.outcome}: {0.case} ({0.model}, {0.repeat}) {0.error}".format
        yield lambda trial: bar.advance(task) if is_terminal else tell(line(trial).rstrip())


def _aligned(table: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in table]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
