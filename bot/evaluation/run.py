"""Asks every case of every model, some at once, and keeps each result the moment it is there."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from bot.errors import BotError, EmptyAnswer, ModelRefused
from bot.evaluation.asking import Call, ask
from bot.evaluation.checks import Aids, Finding, cosine, overlap
from bot.evaluation.suite import Case, Suite
from bot.evaluation.texts import texts
from bot.ports import Message, Model, ModelRequest

Outcome = Literal["pass", "fail", "error"]
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Embeddings of these texts. Raises ModelRefused where there are none to be had, another ModelError where it failed."""


class VerdictUnusable(BotError):
    """The judging model did not end with exactly one verdict: that is an error, never a pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of whom. `system` holds where neither the case nor the persona nor the suite has a prompt."""

    suite: Suite
    models: tuple[str, ...]
    max_tokens: int
    system: str = ""
    persona: str = ""
    judge: str = ""
    repeat: int = 1
    concurrency: int = 4

    @property
    def digest(self) -> str:
        """The same where the same answer would get the same result: the suite, the prompt, the sampling, the judge."""
        told = (self.suite.digest, self.system, self.persona, self.judge, self.max_tokens)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def trials(self) -> Iterator[tuple[Case, str, int]]:
        """Case, model and number of the repetition, from 1."""
        for repeat, case, model in product(range(1, self.repeat + 1), self.suite.cases, self.models):
            yield case, model, repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One case, asked once of one model. `run` is the plan's digest; `judged` are the calls of the judging model."""

    run: str
    case: str
    model: str
    repeat: int
    at: float
    outcome: Outcome = "error"
    error: str = ""
    findings: tuple[Finding, ...] = ()
    calls: tuple[Call, ...] = ()
    judged: tuple[Call, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is recognised by when a run goes on."""
        return self.run, self.case, self.model, self.repeat


class Results:
    """The results of a folder, a JSON line each in `results.jsonl`; a line that a death cut off is asked anew."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "results.jsonl"
        lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
        self._path, self._start = path, "\n" if lines[-1] else ""
        self.trials: dict[tuple[str, str, str, int], Trial] = {}
        reader = TypeAdapter(Trial)
        for line in lines:
            with suppress(ValidationError):
                trial = reader.validate_json(line)
                self.trials[trial.key] = trial

    def keep(self, trial: Trial) -> None:
        """Append it to the file."""
        self.trials[trial.key] = trial
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{self._start}{json.dumps(asdict(trial))}\n")
        self._start = ""


async def run(plan: Plan, model: Model, embed: Embed, results: Results, told: Callable[[Trial], None]) -> None:
    """Ask what `results` does not hold yet, errors again. Each result is kept, then told."""
    done = {key for key, trial in results.trials.items() if trial.outcome != "error"}
    left = iter([one for one in plan.trials() if (plan.digest, one[0].id, *one[1:]) not in done])

    async def work() -> None:
        for case, name, repeat in left:
            trial = Trial(run=plan.digest, case=case.id, model=name, repeat=repeat, at=time.time())
            results.keep(trial := await _tried(plan, model, embed, case, trial))
            told(trial)

    async with asyncio.TaskGroup() as group:
        for _ in range(plan.concurrency):
            group.create_task(work())


async def _tried(plan: Plan, model: Model, embed: Embed, case: Case, trial: Trial) -> Trial:
    """The trial with its outcome. A model, a judge or a server of embeddings that fails makes it an error."""
    calls, judged = list[Call](), list[Call]()
    system = case.system or plan.persona or plan.suite.system or plan.system
    said = [Message(role="system", content=system)] if system else []
    most = min(plan.max_tokens, plan.suite.max_tokens or plan.max_tokens)
    request = ModelRequest(messages=(), model=trial.model, max_tokens=most, temperature=plan.suite.temperature)

    async def judge(rubric: str, answer: str) -> tuple[bool, str]:
        asked = judging(rubric, said[bool(system) : -1], answer)
        judged.append(await ask(model, ModelRequest(messages=asked, model=plan.judge, max_tokens=plan.max_tokens)))
        return verdict(judged[-1].text)

    async def likeness(wanted: str, answer: str) -> tuple[float, Literal["embeddings", "word overlap"]]:
        try:
            return cosine(*await embed([wanted, answer])), "embeddings"
        except ModelRefused:
            return overlap(wanted, answer), "word overlap"

    aids = Aids(judge=judge if plan.judge else None, likeness=likeness)
    findings, error = list[Finding](), ""
    try:
        for turn, following in zip(case.turns, (*case.turns[1:], None), strict=True):
            said.append(turn.message)
            if turn.user and (following is None or following.user):
                calls.append(await ask(model, replace(request, messages=tuple(said))))
                said.append(Message(role="assistant", content=calls[-1].text))
                if not calls[-1].text.strip():
                    raise EmptyAnswer(calls[-1].finished.model)
        findings = [await check.look(calls[-1].text, aids) for check in case.checks]
    except BotError as failure:
        error = f"{type(failure).__name__}: {failure}"
    outcome: Outcome = "error" if error else "pass" if all(finding.passed for finding in findings) else "fail"
    told = replace(trial, outcome=outcome, error=error, findings=tuple(findings))
    return replace(told, calls=tuple(calls), judged=tuple(judged))


def judging(rubric: str, talk: Sequence[Message], answer: str) -> tuple[Message, ...]:
    """What a judging model reads: our instruction, and as data the talk, the answer and the rubric."""
    told = json.dumps([{"role": one.role, "content": one.content} for one in talk], ensure_ascii=False)
    data = f"The talk, as JSON: {told}\n\nThe answer, as JSON: {json.dumps(answer, ensure_ascii=False)}"
    system = Message(role="system", content=texts("asked")["judge"].strip())
    return system, Message(role="user", content=f"{data}\n\nThe rubric: {rubric}")


def verdict(text: str) -> tuple[bool, str]:
    """The verdict of a judging model and its reason. Raises VerdictUnusable unless one verdict is the last line."""
    *reason, last = [line.strip() for line in text.strip().splitlines()] or [""]
    if last not in ("VERDICT: PASS", "VERDICT: FAIL") or re.search("verdict:", "\n".join(reason), re.IGNORECASE):
        raise VerdictUnusable(f"the judge's verdict is unusable: {text.strip()[-120:] or 'it said nothing'}")
    return last == "VERDICT: PASS", " ".join(reason)[:400]
