"""`python -m bench`: what a whole turn costs against a bare loop over the model's client, all in one run.

Both sides are processes of their own and take turns in short blocks, so that what else the machine does hits both; a
figure is the median over the blocks. How each is measured, and what falls short: docs/performance.md.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench import chat, command, slack
from bench.report import Row, show, write
from bench.side import Side
from bench.talk import Block
from bot.embedded import Embedded


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    block: int
    crowd: int
    many: int
    appends: int
    starts: int
    questions: int
    words: int
    streams_s: float


FULL = Size(
    rounds=48, block=20, crowd=400, many=10_000, appends=320, starts=5, questions=100, words=400, streams_s=75.0
)
QUICK = Size(rounds=1, block=4, crowd=100, many=200, appends=64, starts=1, questions=2, words=40, streams_s=2.0)
BEFORE_MODEL = ("admit", "claim", "reserve")
PARTS = ("starts", "discord", "waits", "turns", "crowd", "depth", "store", "memory")


def turns(bare: Side, whole: Side, size: Size) -> Iterator[Row]:
    """One conversation at a time: CPU and latency."""
    first, later = Block(turns=size.block), Block(turns=size.block, stored=50)
    costs = [(bare.turns(first), whole.turns(first), bare.turns(later), whole.turns(later)) for _ in range(size.rounds)]
    pairs = {
        "first question": [(one, two) for one, two, _, _ in costs],
        "50 messages before it": [(one, four) for one, _, _, four in costs],
        "50 messages before it, bare sends them too": [(three, four) for _, _, three, four in costs],
    }
    for what, pair in pairs.items():
        ms = f"{median(b.cpu_ms for b, _ in pair):.2f} ms bare, {median(w.cpu_ms for _, w in pair):.2f} ms whole"
        ratio, goal = median(w.cpu_ms / b.cpu_ms for b, w in pair), None if "too" in what else 1.25
        yield Row(name=f"CPU per turn: {what}", value=ratio, unit="x", goal=goal, more=ms)
    for what, pair in pairs.items():
        ms = f"{median(b.p50_ms for b, _ in pair):.2f} ms bare, {median(w.p50_ms for _, w in pair):.2f} ms whole"
        added, goal = median(w.p50_ms - b.p50_ms for b, w in pair), None if "too" in what else 2.0
        yield Row(name=f"added p50: {what}", value=added, unit="ms", goal=goal, more=ms)


def crowd(bare: Side, whole: Side, size: Size) -> Iterator[Row]:
    """A hundred conversations at a time, each with 50 messages before; the bare loop sends the questions alone."""
    alone, later = Block(turns=size.crowd, lanes=100), Block(turns=size.crowd, lanes=100, stored=50)
    pairs = [(bare.turns(alone), whole.turns(later)) for _ in range(max(1, size.rounds // 4))]
    rates = f"{median(b.per_s for b, _ in pairs):.0f}/s bare, {median(w.per_s for _, w in pairs):.0f}/s whole"
    ratio = median(w.per_s / b.per_s for b, w in pairs)
    yield Row(name="throughput over 100 conversations", value=ratio, unit="x", goal=1, is_least=True, more=rates)
    ms = f"{median(b.cpu_ms for b, _ in pairs):.2f} ms bare, {median(w.cpu_ms for _, w in pairs):.2f} ms whole"
    ratio = median(w.cpu_ms / b.cpu_ms for b, w in pairs)
    yield Row(name="CPU per turn: 100 conversations at once", value=ratio, unit="x", goal=1.25, more=ms)


def waits(whole: Side) -> Iterator[Row]:
    """Round trips to the store that a turn waits for."""
    calls: dict[str, int] = whole.asked("waits")
    before = sum(calls[script] for script in BEFORE_MODEL)
    named = ", ".join(f"{script} {count}" if count > 1 else script for script, count in calls.items())
    yield Row(name="waits on Redis per turn", value=sum(calls.values()), unit="", goal=6, more=named)
    yield Row(name="waits on Redis before the model is called", value=before, unit="", goal=3)


def depth(whole: Side, size: Size) -> Iterator[Row]:
    """A long history against a short one."""
    short, long = Block(turns=size.block, stored=50), Block(turns=size.block, stored=10_000)
    pairs = [(whole.turns(short), whole.turns(long)) for _ in range(size.rounds)]
    cpu, p50 = median(b.cpu_ms / a.cpu_ms for a, b in pairs), median(b.p50_ms / a.p50_ms for a, b in pairs)
    yield Row(name="CPU per turn at 10,000 stored messages against 50", value=cpu, unit="x", goal=1.1)
    yield Row(name="p50 per turn at 10,000 stored messages against 50", value=p50, unit="x", goal=1.1)


def store(whole: Side, folder: Path, size: Size) -> Iterator[Row]:
    """Transcript append and load of the newest 50, and what the disk takes of it."""
    for lanes, fsync, how in ((1, "always", "one at a time"), (32, "always", "32 at once"), (1, "no", "no fsync")):
        rate = median(whole.asked("appends", size.appends, lanes, fsync) for _ in range(size.rounds))
        yield Row(name=f"append + load of the last 50: {how}", value=rate, unit="/s", goal=4000, is_least=True)
    raw = median(whole.asked("raw_appends", size.appends) for _ in range(size.rounds))
    yield Row(name="for scale: no fsync, bare redis-py, nothing read", value=raw, unit="/s")
    yield Row(name="for scale: the disk confirms a write after", value=_fsync_ms(folder), unit="ms")


def _fsync_ms(folder: Path) -> float:
    times = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 1000)
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return median(times) * 1000


def memory(whole: Side, size: Size) -> Iterator[Row]:
    """Whether memory grows with the number of turns."""
    block = Block(turns=size.many // 10, lanes=100, stored=50)
    sizes: list[float] = []
    for _ in range(10):
        whole.turns(block)
        sizes.append(whole.asked("rss"))
    more = f"{sizes[0]:.0f} MB after {block.turns:,} turns, {sizes[-1]:.0f} MB after {size.many:,}"
    growth = sizes[-1] / sizes[0]
    yield Row(name="memory against that at a tenth of the turns", value=growth, unit="x", goal=1.05, more=more)


def starts(model_url: str, folder: Path, size: Size) -> Iterator[Row]:
    """The real command."""
    helps = [command.help_s() for _ in range(size.starts + 1)][1:]
    yield Row(name="parley --help", value=median(helps), unit="s", goal=0.3)
    chats = [command.chat(model_url, folder / "chat", size.questions) for _ in range(size.starts)]
    answered = f"first answer after {median(chat.answered_s for chat in chats):.2f} s"
    ready = median(chat.ready_s for chat in chats)
    yield Row(name="parley chat: start to ready, with its own store", value=ready, unit="s", goal=1, more=answered)
    peak = median(chat.peak_mb for chat in chats)
    more = f"{size.questions} answers"
    yield Row(name="parley chat: memory at its highest", value=peak, unit="MB", goal=90, more=more)
    both = command.run(model_url, folder / "run", min(10, size.questions))
    more = f"{min(10, size.questions)} answers on each; ready after {both.ready_s:.2f} s"
    name = "parley run, Discord and Slack: memory at its highest"
    yield Row(name=name, value=both.peak_mb, unit="MB", goal=130, more=more)


@contextmanager
def embedded(folder: Path) -> Iterator[str]:
    """The store that Parley starts by itself, with every write on the disk before it is confirmed."""
    server = Embedded(folder)
    with asyncio.Runner() as runner:
        try:
            yield runner.run(server.start())
        finally:
            runner.run(server.stop())


def measure(size: Size, note: Callable[[Row], None], only: str) -> None:
    """The whole run, or the part of this name; each row is noted as soon as it is known."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-bench-")))
        for name in ("chat", "run"):
            (folder / name).mkdir()
        port = stack.enter_context(command.serving("tests.servers.model", "--chunks", "20"))
        model_url = f"http://127.0.0.1:{port}/v1"
        parts: dict[str, Callable[[], Iterator[Row]]] = {"starts": partial(starts, model_url, folder, size)}
        store_url = "" if only == "starts" else stack.enter_context(embedded(folder))
        if only != "starts":
            parts["discord"] = partial(chat.rows, store_url, words=size.words, questions=size.questions)
            parts["slack"] = partial(slack.rows, store_url, size.streams_s, size.questions // 4 or 1)
        if only not in ("starts", "discord", "slack"):
            bare = stack.enter_context(Side("bare", store_url, model_url, folder))
            whole = stack.enter_context(Side("whole", store_url, model_url, folder))
            for side in (bare, whole):
                side.turns(Block(turns=size.block))
            parts |= {
                "waits": partial(waits, whole),
                "turns": partial(turns, bare, whole, size),
                "crowd": partial(crowd, bare, whole, size),
                "depth": partial(depth, whole, size),
                "store": partial(store, whole, folder, size),
                "memory": partial(memory, whole, size),
            }
        for name, rows in parts.items():
            for row in rows() if only in ("", name) else ():
                note(row)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few turns of everything; the figures mean nothing")
    parser.add_argument("--only", default="", choices=PARTS, help="one part of it, which is not written down")
    options = parser.parse_args()
    is_quick: bool = options.quick
    rows: list[Row] = []

    def note(row: Row) -> None:
        rows.append(row)
        print(show(row), flush=True)

    measure(QUICK if is_quick else FULL, note, options.only)
    if options.only:
        return
    short = sum(row.verdict == "short" for row in rows)
    goals = sum(row.goal is not None for row in rows)
    print(f"{short} of {goals} goals fall short; written to {write(rows, is_quick=is_quick)}")


if __name__ == "__main__":
    main()
