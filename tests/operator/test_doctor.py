"""`parley doctor`: what it finds about the store and the model, each with what helps."""

import argparse
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot import doctor
from bot.doctor import Finding, examine, examine_model, examine_store
from bot.embedded import Embedded
from bot.model.providers import Provider, main_provider
from bot.settings import Settings
from tests.servers.model import Answer, ModelServer


async def no_platforms(settings: Settings, channels: Sequence[str]) -> Sequence[doctor.Finding]:
    """Nobody asks the platforms."""
    return ()


def providers(settings: Settings) -> Sequence[Provider]:
    return [main_provider(base_url=settings.openai_base_url, key="sk-test")]


def told(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.level for finding in findings}


@asynccontextmanager
async def changed(url: str, command: str, undo: str = "") -> AsyncIterator[Redis]:
    """A server changed by one command, and changed back so that it can be stopped."""
    client = Redis.from_url(url, decode_responses=True)
    try:
        await client.execute_command(*command.split())  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        yield client
    finally:
        if undo:
            await client.execute_command(*undo.split(" "))  # type: ignore[no-untyped-call]  # as above
        await client.aclose()


async def test_with_nothing_configured_the_embedded_store_is_examined(tmp_path: Path) -> None:
    """It is found in order; the model is only a warning, which names the demo model and the line to add."""
    settings = Settings(data_dir=tmp_path, probe=False)
    findings = await examine(settings, providers)
    assert told(findings) == {"Settings": "ok", "Store": "ok", "Model": "warning"}
    assert str(tmp_path) in findings[0].sentence
    assert findings[1].sentence.startswith("Valkey ")
    assert "the tiny demo model" in findings[2].sentence
    assert "OPENAI_API_KEY=sk-..." in findings[2].remedy


async def test_a_platform_without_a_model_is_a_failure(tmp_path: Path) -> None:
    """The demo model does not speak to communities."""
    env = {"DISCORD_TOKEN": "token", "PARLEY_DATA_DIR": str(tmp_path)}
    findings = await examine(Settings.load(env=env, env_file=None), providers)
    assert told(findings)["Model"] == "failure"
    assert "discord" in findings[0].sentence


async def test_a_store_that_cannot_be_started_is_a_failure_and_the_rest_is_still_examined(tmp_path: Path) -> None:
    """The line is that of the embedded store."""
    (tmp_path / "file").touch()
    findings = await examine(Settings(data_dir=tmp_path / "file", probe=False), providers)
    assert told(findings) == {"Settings": "ok", "Store": "failure", "Model": "warning"}


async def test_an_unreachable_store_is_told(tmp_path: Path) -> None:
    """One finding, and what helps; the address, which carries a password, is not shown."""
    [finding] = await examine_store(f"unix://:hunter2@{tmp_path}/nobody")
    assert finding == Finding(
        "Store",
        "failure",
        "it cannot be reached",
        "Start it or correct REDIS_URL; without REDIS_URL Parley starts its own.",
    )


async def test_a_wrong_password_is_told(tmp_path: Path) -> None:
    """Missing or wrong, and how to write it."""
    async with Embedded(tmp_path) as url, changed(url, "CONFIG SET requirepass right", undo="CONFIG SET requirepass "):
        for password in ("", "?password=wrong"):
            [finding] = await examine_store(url + password)
            assert (finding.level, finding.sentence) == ("failure", "it wants another password")
        [finding] = await examine_store(f"{url}?password=right")
        assert finding.level == "ok"


async def test_a_store_that_forgets_is_told(tmp_path: Path) -> None:
    """Eviction is a failure where memory is bounded; no persistence is a warning."""
    async with Embedded(tmp_path) as url, changed(url, "CONFIG SET maxmemory-policy allkeys-lru") as client:
        assert told(await examine_store(url)) == {"Store": "ok"}
        await client.config_set("maxmemory", "100mb")
        await client.config_set("appendonly", "no")
        assert told(await examine_store(url)) == {"Store": "ok", "Persistence": "warning", "Eviction": "failure"}


async def test_a_full_store_is_told(tmp_path: Path) -> None:
    """It answers, but takes no writes any more."""
    async with Embedded(tmp_path) as url, changed(url, "CONFIG SET maxmemory 1"):
        [finding] = await examine_store(url)
        assert (finding.level, finding.sentence) == ("failure", "it has no memory left")


async def test_a_replica_is_told(tmp_path: Path) -> None:
    """It takes no writes."""
    async with Embedded(tmp_path) as url, changed(url, "REPLICAOF 127.0.0.1 1", undo="REPLICAOF NO ONE"):
        [finding] = await examine_store(url)
        assert (finding.level, finding.sentence) == ("failure", "it is a replica, which takes no writes")


async def test_a_user_without_rights_is_told(tmp_path: Path) -> None:
    """An ACL that forbids what Parley needs."""
    async with Embedded(tmp_path) as url, changed(url, "ACL SETUSER weak on >pw +ping"):
        [finding] = await examine_store(f"{url}?username=weak&password=pw")
        assert (finding.level, finding.sentence) == ("failure", "it forbids what Parley needs")


@pytest.mark.parametrize(
    ("info", "level"),
    [
        ({"redis_version": "7.2.4", "valkey_version": "8.0.1"}, "ok"),
        ({"redis_version": "7.0.15"}, "ok"),
        ({"redis_version": "10.0.0"}, "ok"),
        ({"redis_version": "6.2.14"}, "failure"),
    ],
)
def test_redis_7_or_any_valkey_is_new_enough(info: dict[str, str], level: str) -> None:
    """Anything older lacks what the scripts use."""
    assert told(list(doctor._judge(info))) == {"Store": level}


async def test_a_model_that_answers_is_ok() -> None:
    """The tiny question is asked for real; the model is named with its provider."""
    async with ModelServer(models=(("llama3.2", None),)) as server:
        settings = Settings(openai_base_url=server.base_url)
        finding = await examine_model(settings, providers(settings))
        assert (finding.level, finding.sentence) == ("ok", "default/llama3.2 answers")


async def test_an_announced_end_is_a_warning() -> None:
    """What the server lists as the model's shutdown date is told in time."""
    async with ModelServer(models=(("gpt-5", "2026-12-11"),)) as server:
        settings = Settings(openai_base_url=server.base_url)
        finding = await examine_model(settings, providers(settings))
        assert (finding.level, finding.sentence) == ("warning", "default/gpt-5 answers until 2026-12-11")
        assert finding.remedy == "Set PARLEY_MODEL to a newer one."


async def test_a_fallback_that_answers_alone_is_a_warning() -> None:
    """Else a first model that is broken would go unnoticed."""
    async with ModelServer(models=(("one", None), ("two", None))) as server:
        server.answer = lambda request: Answer(status=404 if request.body["model"] == "one" else 200)
        settings = Settings(openai_base_url=server.base_url, model="one", fallback_models=("two",))
        finding = await examine_model(settings, providers(settings))
        assert (finding.level, finding.sentence) == ("warning", "only the fallback default/two answers")


@pytest.mark.parametrize("answer", [Answer(status=401), Answer(status=404), Answer(chunks=("he",), truncate_at=1)])
async def test_a_model_that_does_not_answer_is_a_failure(answer: Answer) -> None:
    """A refused key, an unknown model, half an answer."""
    async with ModelServer() as server:
        server.answer = lambda request: answer
        settings = Settings(openai_base_url=server.base_url, model="gpt-6-luna")
        finding = await examine_model(settings, providers(settings))
        assert finding.level == "failure"
        assert finding.remedy


async def test_a_server_that_lists_nothing_may_still_answer() -> None:
    """Some gateways have no list of models."""
    async with ModelServer() as server:
        server.listing = Answer(status=404)
        settings = Settings(openai_base_url=server.base_url, model="gpt-6-luna")
        assert (await examine_model(settings, providers(settings))).level == "ok"


def test_findings_are_printed_with_their_remedies() -> None:
    """What is wrong stands out, and what helps stands below it."""
    assert str(Finding("Store", "ok", "it answers")) == "ok       Store: it answers"
    assert str(Finding("Store", "failure", "it is gone", "Start it.")) == (
        "failure  Store: it is gone\n         Start it."
    )


async def test_the_exit_status_tells_whether_parley_can_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 with warnings, 1 with a failure; wrong settings are told as all others are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PARLEY_PROBE", "0")
    assert await doctor.run(argparse.Namespace(), providers, no_platforms) == 0
    monkeypatch.setenv("PARLEY_TURNS", "many")
    monkeypatch.setenv("PARLEY_HEAR", "me")
    capsys.readouterr()
    assert await doctor.run(argparse.Namespace(), providers, no_platforms) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("PARLEY")[0] for line in lines] == ["failure  Settings: "] * 2


def test_settings_are_imported_without_the_rest() -> None:
    """Reading settings loads neither a store's, nor a model's, nor a platform's library."""
    code = "import sys, bot.settings; print([m for m in ('redis', 'openai', 'aiohttp', 'discord') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
