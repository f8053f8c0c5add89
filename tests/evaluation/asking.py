"""How the tests of the evaluation ask: small suites as YAML, and a plan run over a real chain."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.evaluation.report import Report, report
from bot.evaluation.run import Plan, Results, Trial, run
from bot.evaluation.suite import read
from bot.model.chain import Chain
from tests.model.asking import MakeChain
from tests.servers.model import Answer, Request

__all__ = ["MakeChain", "answering", "asked", "embeddings", "plan", "said", "suite"]


def suite(*cases: str, head: str = "name: Small") -> str:
    """The YAML of a suite; each case in flow style, without its braces."""
    return "\n".join([head, "cases:", *(f"- {{{case}}}" for case in cases)])


def plan(
    text: str,
    *,
    models: tuple[str, ...] = ("m1",),
    repeat: int = 1,
    concurrency: int = 1,
    persona: str = "",
    judge: str = "",
    system: str = "",
) -> Plan:
    """A plan over this suite."""
    return Plan(
        suite=read(text),
        models=models,
        max_tokens=100,
        repeat=repeat,
        concurrency=concurrency,
        persona=persona,
        judge=judge,
        system=system,
    )


async def asked(plan: Plan, chain: Chain, folder: Path, told: Callable[[Trial], None] = lambda trial: None) -> Report:
    """The report of a run to its end."""
    results = Results(folder)
    await run(plan, chain, chain.embed, results, told)
    return report(plan, results.trials.values())


def said(request: Request) -> list[tuple[str, str]]:
    """What a request told the model, as role and text."""
    return [(str(one["role"]), str(one["content"])) for one in request.body["messages"]]


def answering(answers: Mapping[str, str]) -> Callable[[Request], Answer]:
    """Answers by a part of the last question; any other question is answered with "hm"."""

    def answer(request: Request) -> Answer:
        if request.path.endswith("/embeddings"):
            return Answer(status=501)
        last = request.questions[-1]
        return Answer(chunks=(next((text for part, text in answers.items() if part in last), "hm"),))

    return answer


def embeddings(*vectors: list[float]) -> Answer:
    """The vectors of as many texts, not in order, as servers may send them."""
    rows = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return Answer(body=json.dumps({"object": "list", "data": rows[::-1]}).encode())
