"""A run over a real chain: who is asked what, what becomes of failures, and that it goes on where it was."""

import asyncio
import json
from pathlib import Path

import pytest

from bot.evaluation import html
from bot.evaluation.report import dump
from bot.evaluation.run import Plan, Results, run
from bot.ports import Model
from tests.evaluation.asking import MakeChain, answering, asked, plan, said, suite
from tests.servers.model import Answer, ModelServer, Request

OK = "turns: [x], checks: [{contains: ok}]"
THREE = suite(*(f"id: {id}, {OK}" for id in "abc"))


async def test_a_talk_is_asked_turn_by_turn(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """A user's turn is asked with all that was said before; an answer that the suite gives is not asked for."""
    server.script(Answer(chunks=("Two.",)), Answer(chunks=("Four.",)))
    turns = "turns: [one, {assistant: One.}, two, four], checks: [{contains: four}]"
    done = await asked(plan(suite(f"id: a, system: Count., {turns}")), make_chain(), tmp_path)
    first, second = (said(request) for request in server.requests)
    assert first == [("system", "Count."), ("user", "one"), ("assistant", "One."), ("user", "two")]
    assert second == [*first, ("assistant", "Two."), ("user", "four")]
    (trial,) = done.trials
    assert [call.text for call in trial.calls] == ["Two.", "Four."]
    assert trial.outcome == "pass"


async def test_whose_system_prompt_it_is(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """The case's own, else the persona's, else the suite's, else that of the settings; none is sent where none is."""
    own, other = f"id: a, system: Case., {OK}", f"id: b, {OK}"
    head = "name: Small\nsystem: Suite.\nmax_tokens: 7\ntemperature: 0"
    await asked(plan(suite(own, other, head=head), persona="Persona.", system="Settings."), make_chain(), tmp_path)
    await asked(plan(suite(other, head=head), system="Settings."), make_chain(), tmp_path)
    await asked(plan(suite(other), system="Settings."), make_chain(), tmp_path)
    await asked(plan(suite(other)), make_chain(), tmp_path)
    prompts = [[text for role, text in said(request) if role == "system"] for request in server.requests]
    assert prompts == [["Case."], ["Persona."], ["Suite."], ["Settings."], []]
    assert [request.body["max_tokens"] for request in server.requests] == [7, 7, 7, 100, 100]
    assert [request.body.get("temperature") for request in server.requests] == [0, 0, 0, None, None]


async def test_each_model_is_asked_as_often_as_wanted(
    server: ModelServer, make_chain: MakeChain, tmp_path: Path
) -> None:
    """Models times cases times repetitions, and the report has them in that order."""
    server.answer = answering({"x": "ok"})
    done = await asked(plan(THREE, models=("m1", "m2"), repeat=2, concurrency=3), make_chain(), tmp_path)
    assert sorted(str(request.body["model"]) for request in server.requests) == ["m1"] * 6 + ["m2"] * 6
    assert [(trial.case, trial.model, trial.repeat) for trial in done.trials[:3]] == [
        ("a", "m1", 1),
        ("a", "m2", 1),
        ("b", "m1", 1),
    ]
    assert {trial.outcome for trial in done.trials} == {"pass"}


async def test_no_more_at_once_than_wanted(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """While two answers stand still, a third question does not go out."""
    server.answer = lambda request: Answer(chunks=("ok",), stall_at=0)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(asked(plan(THREE, concurrency=2), make_chain(), tmp_path))
        await server.stalled(2)
        assert len(server.requests) == 2
        server.answer = lambda request: Answer(chunks=("ok",))
        server.release()
        await running
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=400), "ModelRefused"),
        (Answer(status=401), "ModelRefused"),
        (Answer(status=503), "ModelUnavailable"),
        (Answer(chunks=("ok", "ok"), truncate_at=1), "ModelInterrupted"),
        (Answer(chunks=(" ",)), "EmptyAnswer"),
    ],
    ids=["refused", "key", "busy", "cut", "empty"],
)
async def test_a_model_that_fails_is_an_error(
    answer: Answer, error: str, server: ModelServer, make_chain: MakeChain, tmp_path: Path
) -> None:
    """It is neither a pass nor a failure of the case; the others are asked all the same; the next run asks it again."""
    server.answer = lambda request: answer if "x" in request.questions else Answer(chunks=("ok",))
    text = suite(f"id: a, {OK}", "id: b, turns: [y], checks: [{contains: ok}]")
    done = await asked(plan(text), make_chain(), tmp_path)
    assert [(trial.outcome, trial.error.partition(":")[0]) for trial in done.trials] == [("error", error), ("pass", "")]
    server.answer = answering({"x": "ok"})
    before = len(server.requests)
    again = await asked(plan(text), make_chain(), tmp_path)
    assert [trial.outcome for trial in again.trials] == ["pass", "pass"]
    assert len(server.requests) == before + 1


async def test_an_answer_that_was_cut_is_told(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """An answer at its longest length is checked as it is, and the report notes it."""
    server.script(Answer(chunks=("ok",), reason="length"))
    done = await asked(plan(suite(f"id: a, {OK}")), make_chain(), tmp_path)
    assert done.trials[0].outcome == "pass"
    assert any("longest length" in note for note in done.notes())


async def test_what_was_interrupted_goes_on(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """What was answered before the end came is kept, a line cut off in its middle passed over; the rest is asked."""

    def answer(request: Request) -> Answer:
        return Answer(chunks=("ok",), stall_at=0 if len(server.requests) == 2 else None)

    server.answer = answer
    running = asyncio.create_task(asked(plan(THREE), make_chain(), tmp_path))
    async with asyncio.timeout(20):
        await server.stalled()
    running.cancel()
    await asyncio.wait([running])
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["case"] for line in lines] == ["a"]
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write(lines[0].replace('"a"', '"b"')[:-30])  # as a power cut leaves it
    server.answer = answering({"x": "ok"})
    done = await asked(plan(THREE), make_chain(), tmp_path)
    assert [(trial.case, trial.outcome) for trial in done.trials] == [("a", "pass"), ("b", "pass"), ("c", "pass")]
    assert len(server.requests) == 4
    assert len(Results(tmp_path).trials) == 3


@pytest.mark.parametrize(
    "other",
    [
        plan(THREE, persona="Be brief."),
        plan(THREE, judge="m3"),
        plan(THREE, system="Be long."),
        plan(THREE.replace("contains: ok", "contains: OK!")),
    ],
    ids=["persona", "judge", "system", "suite"],
)
async def test_results_of_another_plan_are_not_taken(
    other: Plan, server: ModelServer, make_chain: MakeChain, tmp_path: Path
) -> None:
    """Whatever decides an answer or its result is part of what a result is recognised by; the old ones stay."""
    server.answer = answering({"x": "ok"})
    await asked(plan(THREE), make_chain(), tmp_path)
    done = await asked(other, make_chain(), tmp_path)
    assert len(server.requests) == 6
    assert len(done.trials) == 3
    assert len(Results(tmp_path).trials) == 6


async def test_rubrics_without_a_judge_are_errors(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """A plan that was made without looking for a judge does not pass for it."""
    done = await asked(plan(suite("id: a, turns: [x], checks: [{judge: Good.}]")), make_chain(), tmp_path)
    assert (done.trials[0].outcome, done.trials[0].error) == ("error", "BotError: no model judges here")


async def test_half_a_surrogate_pair(server: ModelServer, make_chain: MakeChain, tmp_path: Path) -> None:
    """What no file can hold is kept as a question mark, and the reports can be written."""
    server.script(Answer(chunks=("ok \ud83d",)))
    done = await asked(plan(suite(f"id: a, {OK}")), make_chain(), tmp_path)
    assert done.trials[0].calls[0].text == "ok ?"
    assert b"ok ?" in html.full(done).encode() + dump(done).encode()


async def test_the_port_alone_is_needed(tmp_path: Path) -> None:
    """Any implementation of the port can be asked; without embeddings of its own nothing else is."""
    from tests.fakes.model import FakeModel

    model: Model = FakeModel("o", "k")

    async def none(texts: object) -> list[list[float]]:
        raise AssertionError("no check asks for likeness")

    results = Results(tmp_path / "deep" / "er")
    await run(plan(THREE), model, none, results, lambda trial: None)
    assert {trial.outcome for trial in results.trials.values()} == {"pass"}
