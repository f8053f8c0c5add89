"""`parley eval` as people and a CI run it: real processes, a model server on loopback."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.evaluation.asking import answering, embeddings, suite
from tests.journeys.test_command_line import PARLEY, at, environment, parley, started
from tests.servers.model import Answer, ModelServer

GOOD = suite("id: one, turns: [first], checks: [{contains: ok}]", "id: two, turns: [second], checks: [{contains: ok}]")


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    """A model server that answers "ok" to `first` and `second`."""
    async with ModelServer(answer=answering({"first": "ok", "second": "ok"})) as server:
        yield server


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    """A suite that this server passes."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


async def test_a_suite_that_passes(model: ModelServer, suite_file: Path, tmp_path: Path) -> None:
    """Status 0, the table on standard output, a line a result on standard error, the reports in a new folder."""
    ended = await parley("eval", "good.yaml", cwd=tmp_path, env=at(model, tmp_path))
    assert (ended.status, "Traceback" in ended.err) == (0, False)
    assert "| m     | 2      | 0      | 0      | 100%  |" in ended.out
    assert "pass: one (m, 1)\n" in ended.err
    assert "\x1b" not in ended.err + ended.out
    (folder,) = (tmp_path / "parley-eval").iterdir()
    names = ["comparison.html", "report.html", "report.json", "results.jsonl"]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert str(folder.name) in ended.err
    told = json.loads((folder / "report.json").read_text())
    assert [one["share"] for one in told["summaries"]] == [1.0]


async def test_the_exit_status_for_a_ci(model: ModelServer, suite_file: Path, tmp_path: Path) -> None:
    """1 where too few pass, 0 where as many pass as are wanted, of each model; two models are compared."""
    model.answer = answering({"first": "ok"})
    env = at(model, tmp_path)
    failed = await parley("eval", "good.yaml", "--out", "a", cwd=tmp_path, env=env)
    both = ("--model", "m1", "--model", "default/m2", "--repeat", "2", "--min-pass", "0.5")
    enough = await parley("eval", "good.yaml", "--out", "b", *both, cwd=tmp_path, env=env)
    assert (failed.status, enough.status) == (1, 0)
    assert "| m1         | 2      | 2      |" in enough.out
    assert "| default/m2 | 2      | 2      |" in enough.out
    assert "fail: two (default/m2, 2)" in enough.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("bad.yaml",), "case one, checks[1].contain: unknown, did you mean contains?"),
        (("nowhere.yaml",), "nowhere.yaml: cannot be read"),
        (("latin.yaml",), "latin.yaml: cannot be read"),
        (("good.yaml", "--persona", "nobody.md"), "nobody.md: cannot be read"),
        (("weaknes",), "weaknes: cannot be read"),
        (("good.yaml", "--out", "bad.yaml/x"), "--out bad.yaml/x: cannot be written"),
        (("good.yaml", "--resume"), "--resume: say with --out"),
        (("good.yaml", "--out", "old"), "old holds results already. Add --resume"),
        (("judged.yaml",), "case one, judge: needs a judging model. Example: --judge"),
        (("good.yaml", "--repeat", "0"), "--repeat and --concurrency are 1 or more"),
        (("good.yaml", "--min-pass", "90"), "--min-pass is from 0 to 1"),
        (("good.yaml", "--modle", "m"), "unrecognized arguments: --modle"),
    ],
    ids=[
        "check",
        "missing",
        "encoding",
        "persona",
        "name",
        "folder",
        "resume",
        "again",
        "judge",
        "repeat",
        "share",
        "option",
    ],
)
async def test_what_cannot_run(
    arguments: tuple[str, ...], said: str, model: ModelServer, suite_file: Path, tmp_path: Path
) -> None:
    """Status 2, the reason in words with an example, nobody asked, nothing lost."""
    (tmp_path / "bad.yaml").write_text(GOOD.replace("contains", "contain"))
    (tmp_path / "judged.yaml").write_text(GOOD.replace("contains", "judge"))
    (tmp_path / "latin.yaml").write_bytes(GOOD.replace("ok", "\xfc").encode("latin-1"))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "results.jsonl").write_text("kept\n")
    ended = await parley("eval", *arguments, cwd=tmp_path, env=at(model, tmp_path))
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert model.requests == []
    assert (tmp_path / "old" / "results.jsonl").read_text() == "kept\n"


async def test_wrong_settings_are_no_failed_cases(suite_file: Path, tmp_path: Path) -> None:
    """To a CI a setting that cannot be used is status 2 as well."""
    ended = await parley("eval", "good.yaml", cwd=tmp_path, env=environment(tmp_path, PARLEY_TURNS="many"))
    assert ended.status == 2


async def test_no_fallback_answers_in_another_models_name(model: ModelServer, suite_file: Path, tmp_path: Path) -> None:
    """A model that fails is an error, whatever fallbacks the settings have; they are of no use to a measurement."""
    ok = answering({"first": "ok", "second": "ok"})
    model.answer = lambda request: Answer(status=400) if request.body["model"] == "m" else ok(request)
    env = at(model, tmp_path, PARLEY_FALLBACK_MODELS="default/other", DISCORD_TOKEN="x")
    ended = await parley("eval", "good.yaml", cwd=tmp_path, env=env)
    assert ended.status == 1
    assert "error: one (m, 1) ModelRefused: default/m: request refused (HTTP 400, scripted)" in ended.err
    assert {request.body["model"] for request in model.requests} == {"m"}


async def test_a_persona_from_a_file_or_as_it_stands(model: ModelServer, suite_file: Path, tmp_path: Path) -> None:
    """Both become the system prompt; without a persona it is the one of the settings."""
    (tmp_path / "pirate.md").write_text("Be a pirate.\n")
    env = at(model, tmp_path, PARLEY_SYSTEM_PROMPT="Be yourself.")
    for out, persona in (("a", "pirate.md"), ("b", "Be a queen."), ("c", "")):
        await parley("eval", "good.yaml", "--out", out, "--persona", persona, cwd=tmp_path, env=env)
    prompts = [request.body["messages"][0]["content"] for request in model.requests[::2]]
    assert prompts == ["Be a pirate.", "Be a queen.", "Be yourself."]


async def test_the_embedder_that_was_named(model: ModelServer, tmp_path: Path) -> None:
    """`--embedder` decides which model embeds, in place of the first one that the server lists."""
    (tmp_path / "like.yaml").write_text(suite("id: one, turns: [first], checks: [{like: fine}]"))
    ok = answering({"first": "ok"})
    near = embeddings([1.0, 0.0], [1.0, 0.1])
    model.answer = lambda request: near if request.path.endswith("/embeddings") else ok(request)
    ended = await parley("eval", "like.yaml", "--embedder", "mini", cwd=tmp_path, env=at(model, tmp_path))
    assert (ended.status, model.requests[-1].body["model"]) == (0, "mini")
    assert "Likeness is the cosine of embeddings." in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
async def test_a_run_that_was_ended_goes_on(
    number: signal.Signals, model: ModelServer, suite_file: Path, tmp_path: Path
) -> None:
    """Ctrl-C and kill -9 leave what was done; `--resume` asks the rest alone, and the report has all."""
    ok = answering({"first": "ok", "second": "ok"})
    model.answer = lambda request: ok(request) if "first" in request.questions else Answer(chunks=("ok",), stall_at=0)
    env, run = at(model, tmp_path), ("eval", "good.yaml", "--out", "out", "--concurrency", "1")
    async with started(*run, cwd=tmp_path, env=env) as process, asyncio.timeout(60):
        await model.stalled()
        process.send_signal(number)
        _, err = await process.communicate()
    assert b"Traceback" not in err
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    if number == signal.SIGINT:
        assert b"1 of 2 are done and kept. Go on with: --out out --resume" in err
        assert "1 of 1" in (tmp_path / "out" / "comparison.html").read_text()
    model.answer = ok
    before = len(model.requests)
    ended = await parley(*run, "--resume", cwd=tmp_path, env=env)
    assert (ended.status, len(model.requests)) == (0, before + 1)
    assert "| m     | 2      | 0      | 0      | 100%  |" in ended.out
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 2


async def test_the_suite_that_ships(model: ModelServer, tmp_path: Path) -> None:
    """`parley eval weaknesses` finds it wherever it is started."""
    ended = await parley("eval", "weaknesses", "--out", "w", cwd=tmp_path, env=at(model, tmp_path))
    assert ended.status == 1
    assert "| arithmetic      | 0 of 5 |" in ended.out
    assert ended.err.count("(m, 1)") == 44


async def test_a_bar_on_a_terminal(model: ModelServer, suite_file: Path, tmp_path: Path) -> None:
    """Where standard error is a terminal a bar counts the cases, and no line is written for each."""
    ours, theirs = os.openpty()
    command = (*PARLEY, "eval", "good.yaml", "--out", "out")
    env = at(model, tmp_path, TERM="xterm", COLUMNS="100")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=env, stdout=asyncio.subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    async with asyncio.timeout(60):
        await process.communicate()
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "100%" in shown
    assert "pass: one" not in shown


async def test_help_does_not_load_the_evaluation(tmp_path: Path) -> None:
    """`parley --help` names the command and loads neither yaml nor the evaluation; its own help tells its options."""
    code = "import sys; from bot.cli import _parser; _parser(['--help']); print('yaml' in sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment(tmp_path), cwd=tmp_path
    )
    out, _ = await process.communicate()
    assert out.decode().strip() == "False"
    told = await parley("eval", "--help", cwd=tmp_path, env=environment(tmp_path))
    assert told.status == 0
    options = ("--model", "--persona", "--repeat", "--concurrency", "--judge", "--out", "--resume", "--min-pass")
    assert [option for option in options if option not in told.out] == []
