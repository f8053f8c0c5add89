"""`parley init`: by flags or by questions, what it writes into `.env`, and what it leaves alone."""

import argparse
import io
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from bot import doctor, init
from bot.init import PRESETS, QUESTIONS, add_arguments, difference, merged
from bot.model.providers import Provider, main_provider
from bot.settings import Settings, env_names
from tests.servers.model import ModelServer


async def no_platforms(settings: Settings, channels: Sequence[str]) -> Sequence[doctor.Finding]:
    """Nobody asks the platforms."""
    return ()


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """Stands for whatever server the preset names."""
    async with ModelServer() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, nothing configured, and no terminal."""
    for name in env_names().values():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PARLEY_PROBE", "0")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return tmp_path


async def run(server: ModelServer, *flags: str) -> int:
    def providers(settings: Settings) -> Sequence[Provider]:
        return [main_provider(base_url=server.base_url, key="sk-test")]

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return await init.run(parser.parse_args(flags), providers, no_platforms)


async def test_flags_are_enough(folder: Path, server: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a preset and its key make a whole `.env`, for its owner alone, and it is examined."""
    assert await run(server, "--preset=groq", "--key=gsk_1234567890", "--discord-token=token") == 0
    assert (folder / ".env").read_text() == (
        "OPENAI_BASE_URL=https://api.groq.com/openai/v1\n"
        "OPENAI_API_KEY=gsk_1234567890\n"
        "PARLEY_MODEL=llama-3.3-70b-versatile\n"
        "DISCORD_TOKEN=token\n"
    )
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert "ok       Model: " in capsys.readouterr().out


async def test_the_key_can_come_from_standard_input(
    folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is in no shell history and in no list of processes."""
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-from-a-pipe\n"))
    assert await run(server, "--preset=openai", "--key-stdin") == 0
    assert (folder / ".env").read_text() == "OPENAI_API_KEY=sk-from-a-pipe\n"


async def test_unrelated_lines_stay(folder: Path, server: ModelServer) -> None:
    """Comments, other settings and their order; an `export` in front is understood."""
    (folder / ".env").write_text("# mine\nHTTPS_PROXY=http://proxy\nexport PARLEY_MODEL=old # why\n\nPARLEY_HEAR=all\n")
    assert await run(server, "--model=new", "--yes") == 0
    assert (folder / ".env").read_text() == ("# mine\nHTTPS_PROXY=http://proxy\nPARLEY_MODEL=new\n\nPARLEY_HEAR=all\n")


async def test_nothing_is_overwritten_without_a_word(
    folder: Path, server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal and without --yes the difference is shown, with its secrets masked, and nothing is written."""
    before = "OPENAI_API_KEY=sk-old-secret-1111\nPARLEY_MODEL=old\n"
    (folder / ".env").write_text(before)
    assert await run(server, "--key=sk-new-secret-2222", "--model=new") == 1
    assert (folder / ".env").read_text() == before
    shown = capsys.readouterr()
    assert "-OPENAI_API_KEY=***1111\n+OPENAI_API_KEY=***2222\n" in shown.out.replace("-PARLEY_MODEL=old\n", "")
    assert "-PARLEY_MODEL=old" in shown.out
    assert "secret" not in shown.out + shown.err
    assert "--yes" in shown.err


async def test_the_same_again_changes_nothing(folder: Path, server: ModelServer) -> None:
    """What is there already needs no question."""
    (folder / ".env").write_text("PARLEY_MODEL=same\nOPENAI_API_KEY=sk-1\n")
    assert await run(server, "--model=same") == 0


async def test_a_key_never_goes_to_another_server(folder: Path, server: ModelServer) -> None:
    """Another preset wants its own key; one that needs none takes the old one back."""
    (folder / ".env").write_text("OPENAI_API_KEY=sk-of-openai\n")
    assert await run(server, "--preset=groq", "--yes") == 1
    assert (folder / ".env").read_text() == "OPENAI_API_KEY=sk-of-openai\n"
    assert (
        await run(server, "--preset=azure", "--base-url=https://a.openai.azure.com/openai/v1/", "--model=1", "--yes")
        == 1
    )
    assert (folder / ".env").read_text() == "OPENAI_API_KEY=sk-of-openai\n"
    assert await run(server, "--preset=openai", "--yes") == 0
    assert (folder / ".env").read_text() == "OPENAI_API_KEY=sk-of-openai\n"
    assert await run(server, "--base-url=http://127.0.0.1:11434/v1", "--yes") == 0
    assert (folder / ".env").read_text() == "OPENAI_API_KEY=\nOPENAI_BASE_URL=http://127.0.0.1:11434/v1\n"
    (folder / ".env").write_text("OPENAI_API_KEY=sk-of-openai\n")
    assert await run(server, "--preset=ollama", "--yes") == 0
    assert (folder / ".env").read_text() == "OPENAI_API_KEY=\nOPENAI_BASE_URL=http://127.0.0.1:11434/v1\n"


async def test_what_is_missing_is_named(folder: Path, server: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with the flags, and nothing written."""
    assert await run(server, "--preset=azure", "--key=1") == 1
    assert capsys.readouterr().err == "azure wants --base-url, --model\n"
    assert not (folder / ".env").exists()


async def test_wrong_values_are_never_written(
    folder: Path, server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are told as at any start."""
    assert await run(server, "--redis-url=localhost", "--slack-bot-token=xapp-1", "--slack-app-token=xapp-1") == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in told] == ["SLACK_BOT_TOKEN", "REDIS_URL"]
    assert not (folder / ".env").exists()


class Terminal(io.StringIO):
    """A standard input that says it is a terminal."""

    def isatty(self) -> bool:
        return True


async def typed(server: ModelServer, monkeypatch: pytest.MonkeyPatch, text: str, *flags: str) -> int:
    monkeypatch.setattr("sys.stdin", Terminal())
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(text)
        return await run(server, *flags)


async def test_in_a_terminal_it_asks(folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preset, address, key, model, store and tokens; what a preset knows stands there already."""
    assert await typed(server, monkeypatch, "openrouter\n\nsk-or-1\n\n\ndiscord-token\n\n\n") == 0
    assert (folder / ".env").read_text() == (
        "OPENAI_BASE_URL=https://openrouter.ai/api/v1\n"
        "OPENAI_API_KEY=sk-or-1\n"
        "PARLEY_MODEL=meta-llama/llama-3.3-70b-instruct\n"
        "DISCORD_TOKEN=discord-token\n"
    )


async def test_in_a_terminal_it_asks_before_it_changes(
    folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a yes writes; an empty answer for a secret leaves the one that is there."""
    before = "OPENAI_API_KEY=sk-1\nPARLEY_MODEL=old\n"
    (folder / ".env").write_text(before)
    flags = ("--base-url=", "--redis-url=", "--discord-token=", "--slack-bot-token=", "--slack-app-token=")
    assert await typed(server, monkeypatch, "\n\n-new\nn\n", *flags) == 1
    assert (folder / ".env").read_text() == before
    assert await typed(server, monkeypatch, "\n\n-new\ny\n", *flags) == 0
    assert (folder / ".env").read_text() == "OPENAI_API_KEY=sk-1\nPARLEY_MODEL=old-new\n"


async def test_ctrl_d_writes_nothing(
    folder: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The end of the input at any question."""
    assert await typed(server, monkeypatch, "openai\n\x04") == 1
    assert capsys.readouterr().err == "Nothing was written.\n"
    assert not (folder / ".env").exists()


@pytest.mark.parametrize("content", [b"OPENAI_API_KEY=\xff\n", None])
async def test_a_dotenv_that_cannot_be_read_is_left_alone(
    folder: Path, server: ModelServer, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """No UTF-8 text, or a folder (which a mount of a missing file makes): one line."""
    if content is None:
        (folder / ".env").mkdir()
    else:
        (folder / ".env").write_bytes(content)
    assert await run(server, "--model=new", "--yes") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_every_question_is_about_a_setting() -> None:
    """And every preset wants only what is asked."""
    assert set(QUESTIONS) <= set(env_names().values())
    assert set(PRESETS) == {"openai", "azure", "openrouter", "groq", "gemini", "ollama", "lmstudio"}
    assert all(set(wanted) <= set(QUESTIONS) for _, _, wanted in PRESETS.values())


def test_merging_leaves_one_value() -> None:
    """A name that stands there twice has one value afterwards; an empty value adds no line."""
    assert merged("A=1\nA=2", {"A": "3", "B": "", "C": "4"}) == "A=3\nA=3\nC=4\n"


def test_a_difference_never_shows_a_whole_secret() -> None:
    """Not in lines that stay, not short ones, not in addresses."""
    old = "# x\nSLACK_SIGNING_SECRET='abcdefghijklmnop'\nX_TOKEN=short\nREDIS_URL=redis://:hunter2@host/0\nPARLEY_HEAR=all\n"
    shown = difference(old, old.replace("all", "off") + "OPENAI_API_KEY=sk-abcdefgh1234\n")
    for secret in ("abcdefghijkl", "short", "hunter2", "abcdefgh"):
        assert secret not in shown
    assert "+OPENAI_API_KEY=***1234" in shown
    assert "-PARLEY_HEAR=all\n+PARLEY_HEAR=off" in shown
