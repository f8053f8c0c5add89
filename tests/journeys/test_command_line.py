"""What a person at a terminal lives through: real processes, a real store, a model server on loopback."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.servers.model import Answer, ModelServer
from tests.servers.slack import SIGNING_SECRET, SlackServer

PARLEY = (sys.executable, "-c", "import sys; from bot.cli import main; sys.exit(main())")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    """A model server that answers "Hello there." unless told otherwise."""
    async with ModelServer(answer=lambda request: Answer(chunks=("Hello ", "there."))) as server:
        yield server


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    """An empty environment with a data folder of its own."""
    root = str(Path(__file__).parents[2])
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": root, "PARLEY_DATA_DIR": str(tmp_path / "data"), "PARLEY_PROBE": "0", **settings}


@asynccontextmanager
async def started(*arguments: str, cwd: Path, env: dict[str, str]) -> AsyncIterator[Process]:
    """A command that runs; it is killed at the end of the block if it still does."""
    process = await asyncio.create_subprocess_exec(
        *PARLEY, *arguments, cwd=cwd, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def parley(*arguments: str, cwd: Path, env: dict[str, str], typed: bytes = b"") -> Ended:
    """Run a command to its end."""
    async with started(*arguments, cwd=cwd, env=env) as process, asyncio.timeout(60):
        out, err = await process.communicate(typed)
        return Ended(status=process.returncode or 0, out=out.decode(), err=err.decode())


def at(model: ModelServer, tmp_path: Path, **settings: str) -> dict[str, str]:
    """The environment in which this model is configured."""
    url = f"http://127.0.0.1:{model.port}/v1"
    return environment(tmp_path, OPENAI_BASE_URL=url, OPENAI_API_KEY="k", PARLEY_MODEL="m", **settings)


async def test_ask_prints_the_answer_and_nothing_else(model: ModelServer, tmp_path: Path) -> None:
    """`parley ask` answers on standard output with status 0; `-` reads the question from standard input."""
    env = at(model, tmp_path)
    assert await parley("ask", "hi?", cwd=tmp_path, env=env) == Ended(status=0, out="Hello there.\n", err="")
    assert await parley("ask", "-", cwd=tmp_path, env=env, typed=b"from \xff stdin") == Ended(
        status=0, out="Hello there.\n", err=""
    )
    assert "from \ufffd stdin" in str(model.requests[-1].body)


async def test_nothing_of_an_ask_is_kept_for_long(model: ModelServer, tmp_path: Path, store_url: str) -> None:
    """All keys of a single question expire, whether it was answered or its process was killed."""
    env = at(model, tmp_path, REDIS_URL=store_url)
    await parley("ask", "hi?", cwd=tmp_path, env=env)
    model.script(Answer(chunks=("Hello ", "there."), stall_at=1))
    async with started("ask", "hi?", cwd=tmp_path, env=env), asyncio.timeout(60):
        await model.stalled()
    client = Redis.from_url(store_url)
    lives = {key.decode(): await client.ttl(key) async for key in client.scan_iter("parley:{ask-*")}
    await client.aclose()
    assert any("}:l:" in key for key in lives)
    assert {key: life for key, life in lives.items() if life < 0} == {}


async def test_ask_without_a_whole_answer_fails_with_a_plain_notice(model: ModelServer, tmp_path: Path) -> None:
    """A refusing server, an answer that breaks off twice, an empty one: a notice on standard error, no traceback."""
    env = at(model, tmp_path)
    model.script(Answer(status=400))
    refused = await parley("ask", "hi?", cwd=tmp_path, env=env)
    model.script(Answer(chunks=("half ", "of it"), truncate_at=1), Answer(chunks=("half ", "of it"), truncate_at=1))
    cut = await parley("ask", "hi?", cwd=tmp_path, env=env)
    model.script(Answer(chunks=()))
    empty = await parley("ask", "hi?", cwd=tmp_path, env=env)
    assert [ended.status for ended in (refused, cut, empty)] == [1, 1, 1]
    assert "The model's server refused the request." in refused.err
    assert "half" in cut.out
    assert "The model gave an empty answer." in empty.err
    assert all("Traceback" not in ended.err for ended in (refused, cut, empty))


async def test_a_pipe_is_answered_line_by_line_and_remembered(model: ModelServer, tmp_path: Path) -> None:
    """Without a terminal `parley run` answers each line and ends; the next start still knows what was said."""
    env = at(model, tmp_path)
    first = await parley("run", cwd=tmp_path, env=env, typed=b"one\ntwo\n")
    assert (first.status, first.out) == (0, "Hello there.\nHello there.\n")
    await parley("chat", cwd=tmp_path, env=env, typed=b"three\n")
    said = [message["content"] for message in model.requests[-1].body["messages"]]
    assert [line.partition("] ")[2] or line for line in said[1:]] == [
        "one",
        "Hello there.",
        "two",
        "Hello there.",
        "three",
    ]


async def test_a_platform_without_a_model_refuses_to_start(tmp_path: Path) -> None:
    """The demo model never speaks to a community: one of two lines has to be added, and both are printed."""
    ended = await parley("run", cwd=tmp_path, env=environment(tmp_path, DISCORD_TOKEN="x"))
    assert (ended.status, ended.out) == (1, "")
    assert "OPENAI_API_KEY=" in ended.err
    assert "OPENAI_BASE_URL=" in ended.err


@pytest.mark.parametrize("way", ["sockets", "http"])
async def test_a_workspace_is_served_until_a_signal_ends_it(model: ModelServer, tmp_path: Path, way: str) -> None:
    """`parley run` answers a mention on Slack, over sockets or (with a signing secret alone) over HTTP."""
    async with SlackServer() as slack:
        env = at(model, tmp_path, SLACK_BOT_TOKEN=slack.bot_token, SLACK_API_URL=slack.api_url)
        if way == "http":
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            slack.http_url = f"http://127.0.0.1:{port}/slack/events"
            env |= {"SLACK_SIGNING_SECRET": SIGNING_SECRET, "PARLEY_HTTP_PORT": str(port)}
        else:
            env |= {"SLACK_APP_TOKEN": slack.app_token}
        async with started("run", cwd=tmp_path, env=env) as process, asyncio.timeout(60):
            assert process.stderr is not None
            while b"ready after" not in await process.stderr.readline():
                pass
            asked = slack.ask(slack.general, "hi?")
            await slack.until(
                lambda: [message.shown for message in slack.general.by(slack.bot)] == ["Hello there."], "the answer"
            )
            await slack.until(lambda: not slack.waiting, "all that it was told is acknowledged")
            process.send_signal(signal.SIGTERM)
            _, err = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in err
        assert [message.thread_ts for message in slack.general.by(slack.bot)] == [asked.ts]


async def test_ask_and_chat_do_not_care_for_platform_tokens(model: ModelServer, tmp_path: Path) -> None:
    """Whoever talks in a terminal is not a community: a store that is away is told at once, not waited for."""
    env = at(model, tmp_path, DISCORD_TOKEN="x")
    assert (await parley("ask", "hi?", cwd=tmp_path, env=env)).out == "Hello there.\n"
    ended = await parley("chat", cwd=tmp_path, env={**env, "REDIS_URL": "redis://127.0.0.1:1/0"}, typed=b"hi\n")
    assert ended.status == 1
    assert "can't reach my memory" in ended.err


async def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    """Each with its name and an example, and nothing is started."""
    env = environment(tmp_path, PARLEY_TURNS="many", REDIS_URL="localhost", PARLEY_MODLE="x")
    ended = await parley("run", cwd=tmp_path, env=env)
    assert ended.status == 1
    for name in ("PARLEY_TURNS", "REDIS_URL", "PARLEY_MODLE"):
        assert name in ended.err
    assert "PARLEY_MODEL" in ended.err
    assert not (tmp_path / "data").exists()


async def test_the_console_never_starts_in_a_container(tmp_path: Path) -> None:
    """There it says what is missing instead."""
    ended = await parley("run", cwd=tmp_path, env=environment(tmp_path, PARLEY_CONTAINER="1"))
    assert (ended.status, ended.out) == (1, "")
    assert "DISCORD_TOKEN" in ended.err


async def test_a_store_that_is_away_is_told_in_one_line(model: ModelServer, tmp_path: Path) -> None:
    """`ask` does not wait for it; no traceback."""
    ended = await parley("ask", "hi?", cwd=tmp_path, env=at(model, tmp_path, REDIS_URL="redis://127.0.0.1:1/0"))
    assert ended.status == 1
    assert "can't reach my memory" in ended.err
    assert "Traceback" not in ended.err


async def test_a_question_of_a_killed_console_is_answered_at_the_next_start(model: ModelServer, tmp_path: Path) -> None:
    """kill -9 in mid-answer loses nothing: the next start answers, with the question quoted."""
    env = at(model, tmp_path, PARLEY_LEASE_S="0.5", PARLEY_CALL_S="0.5")
    model.script(Answer(chunks=("Hello ", "there."), stall_at=1))
    async with started("chat", cwd=tmp_path, env=env) as process, asyncio.timeout(60):
        assert process.stdin is not None
        process.stdin.write(b"are you there?\n")
        await process.stdin.drain()
        await model.stalled()
        process.kill()
    model.release()
    ended = await parley("chat", cwd=tmp_path, env=env, typed=b"and now?\n")
    assert ended.status == 0
    assert "are you there?" in ended.out
    assert ended.out.count("Hello there.") == 2


async def test_a_signal_ends_the_console_in_order(model: ModelServer, tmp_path: Path) -> None:
    """SIGTERM stops the intake, lets the running answer end, closes the store last, and is no failure."""
    model.script(Answer(chunks=("Hello ", "there."), stall_at=1))
    env = at(model, tmp_path)
    async with started("chat", cwd=tmp_path, env=env) as process, asyncio.timeout(60):
        assert process.stdin is not None
        process.stdin.write(b"are you there?\n")
        await process.stdin.drain()
        await model.stalled()
        process.send_signal(signal.SIGTERM)
        model.release()
        out, err = await process.communicate()
    assert b"Hello there." in out
    assert b"Traceback" not in err
    again = await parley("chat", cwd=tmp_path, env=env, typed=b"more\n")
    assert again.out == "Hello there.\n"


async def test_dead_letters_are_listed_and_put_back(model: ModelServer, tmp_path: Path) -> None:
    """What was given up is listed with its reason, and put back by `--requeue`."""
    env = at(model, tmp_path)
    model.script(*(Answer(status=503) for _ in range(3)))
    failed = await parley("chat", cwd=tmp_path, env=env, typed=b"hello?\n")
    assert failed.status == 1
    listed = await parley("dead", cwd=tmp_path, env=env)
    assert (listed.status, listed.out.count("ModelUnavailable")) == (0, 1)
    put_back = await parley("dead", "--requeue", "all", cwd=tmp_path, env=env)
    assert (put_back.status, put_back.err) == (0, "1 questions are in their lanes again\n")
    assert (await parley("dead", cwd=tmp_path, env=env)).err == "0 dead letters\n"
    answered = await parley("chat", cwd=tmp_path, env=env, typed=b"more?\n")
    assert "Hello there." in answered.out
    assert "hello?" in str(model.requests[-1].body)


async def test_one_conversation_at_a_time_in_a_terminal(model: ModelServer, tmp_path: Path) -> None:
    """A second `parley chat` would take the first one's answers: it says so; `parley ask` works beside it."""
    env = at(model, tmp_path)
    model.script(Answer(chunks=("Hello ", "there."), stall_at=1))
    async with started("chat", cwd=tmp_path, env=env) as process, asyncio.timeout(60):
        assert process.stdin is not None
        process.stdin.write(b"are you there?\n")
        await process.stdin.drain()
        await model.stalled()
        second = await parley("chat", cwd=tmp_path, env=env, typed=b"me too\n")
        assert (second.status, second.out) == (1, "")
        assert "Another `parley chat` runs here." in second.err
        assert (await parley("ask", "me?", cwd=tmp_path, env=env)).out == "Hello there.\n"
        model.release()
        out, _ = await process.communicate(b"")
    assert out == b"Hello there.\n"


async def test_the_person_at_the_terminal_has_no_rate(model: ModelServer, tmp_path: Path) -> None:
    """The limits are for communities: a pipe of many lines is answered to its end."""
    env = at(model, tmp_path, PARLEY_PERSON_RATE="2/1h", PARLEY_ALLOWED_PEOPLE="discord:1")
    ended = await parley("chat", cwd=tmp_path, env=env, typed=b"one\ntwo\nthree\nfour\n")
    assert ended.out.count("Hello there.") == 4


async def test_help_names_every_command(tmp_path: Path) -> None:
    """`parley --help` needs no settings, no store and no model."""
    ended = await parley("--help", cwd=tmp_path, env=environment(tmp_path, PARLEY_TURNS="many"))
    assert ended.status == 0
    for command in ("run", "chat", "ask", "init", "doctor", "dead", "health"):
        assert f"\n    {command} " in ended.out
