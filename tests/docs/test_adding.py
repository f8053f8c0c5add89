"""The pages on how to add a command, a platform and a model: their code is taken out of the page, and runs."""

import asyncio
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from asyncio.subprocess import PIPE
from pathlib import Path
from types import ModuleType

import pytest

from adapters.discord.commands import declared
from bot.app import chosen_model
from bot.commands import CommandSpec, WrongUse, parsed
from bot.ports import Finished, Message, ModelRequest, TextDelta
from bot.settings import Settings
from handlers import commands, table, turns
from tests.docs.pages import ROOT, page
from tests.fakes import FakeModel
from tests.model.asking import whole
from tests.pipeline.stage import stage, until
from tests.pipeline.test_commands import Memory, use
from tests.servers.model import Answer, ModelServer

CONTRACT = ("tests/__init__.py", "tests/conftest.py", "tests/contract", "tests/fakes", "tests/servers")
TREE = ("bot", "adapters", "handlers", "pyproject.toml", *CONTRACT)


def blocks(name: str, language: str) -> list[str]:
    """The code blocks of a page that are in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)


def of_file(name: str, language: str) -> dict[str, list[str]]:
    """The code blocks in this language under each **file name** of a page."""
    _, *parts = re.split(r"^\*\*([\w/.]+)\*\*$", page(name), flags=re.MULTILINE)
    found = {}
    for file, text in zip(parts[::2], parts[1::2], strict=True):
        if shown := re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            found[file] = shown
    return found


def loaded(path: Path) -> ModuleType:
    """A module that no package holds."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- a command


@pytest.fixture
def roll(monkeypatch: pytest.MonkeyPatch) -> CommandSpec:
    """The page's function and row, in a copy of the table that is used in the place of the real one."""
    function, row = blocks("docs/adding-a-command.md", "python")
    known = dict(vars(commands))
    exec(compile(function, "docs/adding-a-command.md", "exec"), known)
    made = eval(f"({row})", vars(table) | {"roll": known["roll"]})
    assert [type(one) for one in made] == [table.Command]
    command: table.Command = made[0]
    grown = {**table.TABLE, command.spec.name: command}
    monkeypatch.setattr(table, "TABLE", grown)
    monkeypatch.setattr(turns, "TABLE", grown)
    monkeypatch.setattr(table, "SPECS", tuple(one.spec for one in grown.values()))
    return command.spec


async def test_the_pages_command_runs(roll: CommandSpec, store_url: str) -> None:
    """Through the whole pipeline: it rolls within its bounds, stands in `help`, and its wrong uses are answered."""
    async with stage(store_url, FakeModel("x"), Memory()) as it:
        rolled = re.fullmatch(r"🎲 (\d \+ \d \+ \d) = \*\*(\d+)\*\*", await use(it, "roll", dice="3", sides="4"))
        assert rolled
        values = [int(value) for value in rolled[1].split(" + ")]
        assert set(values) <= {1, 2, 3, 4}
        assert sum(values) == int(rolled[2])
        assert re.fullmatch(r"🎲 [1-6] = \*\*[1-6]\*\*", await use(it, "roll"))
        assert "- `roll [dice] [4|6|20]`: roll dice" in (await use(it, "help")).splitlines()
        usage = "Usage: `roll [dice] [4|6|20]`"
        assert await use(it, "roll", dice="21") == f"`roll`: `dice` is between 1 and 20. {usage}"
        assert await use(it, "roll", dice="many") == f"`roll`: `dice` is a number. {usage}"
        assert await use(it, "roll", sides="7") == f"`roll`: `sides` is one of 4, 6, 20. {usage}"


def test_every_platform_serves_the_pages_command(roll: CommandSpec) -> None:
    """Typed as on Slack and in a terminal, declared as Discord takes it, told on the page of commands."""
    assert parsed(roll, "2 20") == parsed(roll, "sides:20 2") == {"dice": "2", "sides": "20"}
    with pytest.raises(WrongUse, match="`sides` is one of 4, 6, 20"):
        parsed(roll, "2 20 3 4")
    [at_discord] = [one for one in declared(table.SPECS) if one["name"] == "roll"]
    dice = {"name": "dice", "type": 10, "description": "how many, 1 to 20", "required": False}
    choices = [{"name": sides, "value": sides} for sides in ("4", "6", "20")]
    sides = {"name": "sides", "type": 3, "description": "how many sides each has", "required": False}
    assert at_discord["options"] == [dice, {**sides, "choices": choices}]
    told = loaded(ROOT / "docs" / "generate_commands.py").markdown()
    section = told.partition("\n## roll\n")[2].partition("\n## ")[0]
    assert "Roll dice. Everybody in the channel sees the answer." in section
    assert "| `dice` | how many, 1 to 20 | number |" in section
    assert "| `sides` | how many sides each has | one of `4`, `6`, `20` |" in section


# ---- a platform


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with the page's files and changes, and with no other rig."""
    copy = tmp_path_factory.mktemp("grown")
    for name in TREE:
        (copy / name).parent.mkdir(exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name)
        else:
            shutil.copy2(ROOT / name, copy / name)
    for rig in (copy / "tests" / "contract" / "rigs").glob("[a-z]*.py"):
        rig.unlink()
    (copy / "adapters" / "pigeon").mkdir()
    (copy / "adapters" / "pigeon" / "__init__.py").touch()
    for name, [text] in of_file("docs/adding-a-platform.md", "python").items():
        (copy / name).write_text(text, "utf-8")
    for name, changes in of_file("docs/adding-a-platform.md", "diff").items():
        for change in changes:
            lines = change.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] != "+")
            after = "".join(line[1:] for line in lines if line[0] != "-")
            text = (copy / name).read_text("utf-8")
            assert text.count(before) == 1, f"{name} has not, or not once:\n{before}"
            (copy / name).write_text(text.replace(before, after), "utf-8")
    return copy


def run_in(folder: Path, *command: str) -> str:
    """What a command of the development tools prints there; it must end well."""
    program = [str(Path(sys.executable).parent / command[0]), *command[1:]]
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    ended = subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_pages_platform_passes_the_contract(grown: Path) -> None:
    """The whole suite, over the page's rig, which it finds by itself."""
    suite = re.findall(r"^async def test_\w+", page("tests/contract/test_contract.py"), re.MULTILINE)
    out = run_in(grown, "python", "-m", "pytest", "-q", "--numprocesses=0", "--color=no", "tests/contract")
    passed = re.search(r"^(\d+) passed in ", out, re.MULTILINE)
    assert passed, out
    assert int(passed[1]) >= len(suite) > 20


def test_the_pages_platform_keeps_the_rules_of_the_house(grown: Path) -> None:
    """Its code is in the house's style, and imports what an adapter may."""
    files = {**of_file("docs/adding-a-platform.md", "python"), "bot/app.py": [], "bot/settings.py": []}
    run_in(grown, "ruff", "check", *files)
    run_in(grown, "ruff", "format", "--check", *files)
    assert "0 broken" in run_in(grown, "lint-imports", "--no-logo")
    rules = tomllib.loads((grown / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert "adapters.pigeon" in next(rule["modules"] for rule in rules if rule["id"] == "platforms")


async def test_parley_runs_on_the_pages_platform(grown: Path, store_url: str) -> None:
    """`parley run` with the one line in bot/app.py: a question there is answered there, once."""
    pigeons = loaded(grown / "tests" / "servers" / "pigeon.py").PigeonServer()
    async with pigeons, ModelServer(answer=lambda request: Answer(chunks=("Coo ", "coo."))) as model:
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env |= {"PARLEY_PIGEON_URL": pigeons.url, "REDIS_URL": store_url, "OPENAI_BASE_URL": model.base_url}
        program = "import sys; from bot.cli import main; sys.exit(main(['run']))"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, cwd=grown, env={**env, "PARLEY_MODEL": "m"}, stderr=PIPE
        )
        assert process.stderr
        try:
            async with asyncio.timeout(60):
                while b"ready after" not in (line := await process.stderr.readline()):
                    assert line, "it has ended"
                pigeons.say("@parley What do pigeons say?", "ada")
                answer = {"room": "roof", "reply_to": "s0", "part": 0, "text": "Coo coo."}
                await until(lambda: any(answer.items() <= one.items() for one in pigeons.shown.values()), "an answer")
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
        assert len(pigeons.shown) == 1
        assert len(model.requests) == 1


# ---- a model


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy of the machine's, and no certificates, which take long to load."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))


HELLO = ModelRequest(messages=(Message(role="user", content="Hello?"),))
NAMED, FALLBACK = "groq/llama-3.3-70b-versatile", "ollama/qwen3:8b"


async def answered(lines: str, folder: Path, *servers: ModelServer) -> tuple[str, Finished]:
    """An answer's text and end, from the models that a `.env` names, with these servers in the addresses' place."""
    assert lines.count("_URL=") == len(servers)
    for server in servers:
        lines = re.sub(r"_URL=http(?!://127\.).*", f"_URL={server.base_url}", lines, count=1)
    file = folder / ".env"
    file.write_text(lines, "utf-8")
    settings = Settings.load(env={}, env_file=file, secrets_dir=folder / "none")
    async with chosen_model(settings, lambda line: None) as (_, chain, introduction):
        try:
            *deltas, end = await whole(chain.stream(HELLO))
        finally:
            await chain.close()
    assert introduction == f"Model: {settings.model}"
    assert isinstance(end, Finished)
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)), end


async def test_the_pages_model_answers(no_proxy: None, tmp_path: Path) -> None:
    """Its lines alone: the named server is asked for the model, over its wire, with its key."""
    named, _ = blocks("docs/adding-a-model.md", "sh")
    async with ModelServer(answer=lambda request: Answer(chunks=("Hello ", "there."))) as groq:
        text, end = await answered(named, tmp_path, groq)
    assert (text, end.model, end.tried) == ("Hello there.", NAMED, ())
    [asked] = groq.requests
    assert (asked.path, asked.body["model"]) == ("/v1/chat/completions", NAMED.partition("/")[2])
    assert asked.headers["authorization"] == "Bearer gsk_0123456789"


async def test_the_pages_fallback_answers_where_the_model_cannot(no_proxy: None, tmp_path: Path) -> None:
    """A key that is refused moves on to the fallback, which has none; who failed is told."""
    named, fallback = blocks("docs/adding-a-model.md", "sh")
    async with ModelServer() as groq, ModelServer(answer=lambda request: Answer(chunks=("Hi.",))) as ollama:
        groq.script(Answer(status=401))
        text, end = await answered(named + fallback, tmp_path, groq, ollama)
    assert (text, end.model) == ("Hi.", FALLBACK)
    assert [one.partition(":")[0] for one in end.tried] == [NAMED]
    assert [asked.body["model"] for asked in ollama.requests] == ["qwen3:8b"]
