"""Commands and buttons as people use them on Discord and Slack: all of Parley over the wire fakes and a real store."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.options import Options as DiscordOptions
from adapters.slack.client import SlackAdapter
from adapters.slack.options import Options as SlackOptions
from bot.channels import Channels
from bot.conversation import Kit
from bot.inbox import Inbox
from bot.limits import Limits
from bot.pacing import Limits as Pacing
from bot.ports import Adapter, Files, Model, Scrollback
from bot.settings import Rate
from bot.shelf import RedisShelf
from bot.store import Store
from bot.worker import Worker
from handlers.intake import EventIntake
from handlers.table import SPECS
from handlers.turns import handle
from tests.fakes.model import FakeModel
from tests.pipeline.make import settings
from tests.pipeline.stage import until
from tests.servers.discord import DiscordServer
from tests.servers.harness import running
from tests.servers.model import Answer as ModelAnswer
from tests.servers.model import ModelServer
from tests.servers.slack import SlackServer
from tests.servers.slack_world import User

QUICK = Pacing(characters=1990, cadence_s=0.01, sign_every_s=8.0, first_characters=1, first_s=0.01)
Make = Callable[[Store, Channels, Inbox], Adapter]

USES = {
    "help": ("", "Ask me by a mention"),
    "new": ("", "I start afresh here."),
    "stop": ("", "Nothing is being written for you here any more."),
    "retry": ("", "On it."),
    "continue": ("", "On it."),
    "summarise": ("2h", "The answer."),
    "history": ("5", "I remember"),
    "settings": ("hear", '"threads"'),
    "persona": ("list", "There are no personas yet."),
    "model": ("", "The model here: default."),
    "usage": ("", "this workspace has used"),
    "why": ("", "fake/model"),
    "forget": ("", "say `sure`"),
    "export": ("", "a question"),
    "optout": ("", "I keep nothing of what you say here to others."),
    "feedback": ("good", "Thank you."),
}
"""How each command is used behind its name (the first option), and what its user reads then."""


@asynccontextmanager
async def parley(url: str, model: Model, make: Make) -> AsyncIterator[Worker]:
    """One process of Parley that serves one platform."""
    store = Store(url, shards=4)
    await store.open()
    chosen = settings(lease_s=2.0, call_s=2.0, grace_s=5.0, person_rate=Rate(count=0, per_s=1.0))
    inbox, channels = Inbox(store, chosen), Channels(store, chosen)
    adapter = make(store, channels, inbox)

    async def seeing(model: str) -> None:
        return None

    kit = Kit(
        inbox=inbox,
        model=model,
        limits=Limits(store, chosen, time.time),
        settings=chosen,
        channels=channels,
        files={adapter.platform: adapter} if isinstance(adapter, Files) else {},
        scrollback={adapter.platform: adapter} if isinstance(adapter, Scrollback) else {},
        seeing=seeing,
    )
    worker = Worker(kit, {adapter.platform: adapter}, handle)
    working = asyncio.create_task(worker.run())
    try:
        async with running(adapter, EventIntake(inbox=inbox, channels=channels)):
            yield worker
            await until(lambda: not worker.leases, "no turn runs")
    finally:
        worker.stop()
        await working
        await store.close()


def on_discord(server: DiscordServer) -> Make:
    def make(store: Store, channels: Channels, inbox: Inbox) -> Adapter:
        options = DiscordOptions(commands=SPECS, opens_threads=channels.opens_threads)
        shelf = RedisShelf(store, "discord")
        return DiscordAdapter(server.token, shelf, server.api_base, call_s=2.0, limits=QUICK, options=options)

    return make


def on_slack(server: SlackServer) -> Make:
    def make(store: Store, channels: Channels, inbox: Inbox) -> Adapter:
        told: dict[str, Any] = {"bot_token": server.bot_token, "app_token": server.app_token, "api_url": server.api_url}
        options = SlackOptions(**told, commands=SPECS, takes_part=inbox.takes_part)
        limits = replace(QUICK, characters=11_000)
        return SlackAdapter(options, RedisShelf(store, "slack"), call_s=2.0, limits=limits)

    return make


# ---- Discord


def seen(server: DiscordServer) -> list[str]:
    return [message.content for message in server.general.by(server.bot)]


@pytest.mark.parametrize("name", USES)
async def test_every_command_on_discord(store_url: str, name: str) -> None:
    """A slash command is answered in its own response, for its user alone where the table says so."""
    words, said = USES[name]
    spec = next(spec for spec in SPECS if spec.name == name)
    options: dict[str, str | bool] = {spec.options[0].name: words} if words else {}
    model = FakeModel("The answer.")
    async with DiscordServer(time.time) as server, parley(store_url, model, on_discord(server)) as worker:
        server.ask(server.general, "a question")
        await server.until(lambda: seen(server) == ["The answer."], "the answer")
        await until(lambda: not worker.leases, "the end of its turn")
        used = server.command(server.general, name, options)
        await server.until(lambda: (told := server.world.find(used.message)) and told.content, "a reply")
        shown = server.world.find(used.message)
        assert shown is not None
        await server.until(lambda: said in shown.content, f"{said!r}, not {shown.content!r}")
        assert used.is_private == spec.is_private


async def test_the_buttons_of_an_answer_on_discord(store_url: str) -> None:
    """Regenerate writes over the answer; thumbs are thanked; the menu has Delete and Why; others are refused."""
    model = FakeModel("First.", then=(FakeModel("Second."),))
    async with DiscordServer(time.time) as server, parley(store_url, model, on_discord(server)):
        server.ask(server.general, "a question")
        await server.until(lambda: seen(server) == ["First."], "the answer")
        [answer] = server.general.by(server.bot)
        await server.until(lambda: len(answer.buttons) == 4, "its buttons")
        bob = server.world.add_user("Bob")
        refused = server.click(answer, answer.buttons[0], user=bob)
        await server.until(lambda: refused.kind, "a refusal")
        told = server.world.find(refused.message)
        assert told is not None
        assert (told.content, refused.is_private) == ("Only the person who asked, or an admin, can do that.", True)
        server.click(answer, answer.buttons[0])
        await server.until(lambda: answer.content == "Second." and len(answer.buttons) == 4, "another version")
        thumb = server.click(answer, answer.buttons[1], user=bob)
        await server.until(lambda: thumb.kind, "thanks")
        menu = server.click(answer, answer.buttons[3])
        await server.until(lambda: menu.kind, "a menu")
        more = server.world.find(menu.message)
        assert more is not None
        why = server.click(more, next(id for id in more.buttons if ":why:" in id))
        await server.until(lambda: (shown := server.world.find(why.message)) and "fake/model" in shown.content, "why")
        assert why.is_private
        server.click(more, next(id for id in more.buttons if ":delete:" in id))
        await server.until(lambda: answer.is_deleted, "the answer is gone")
        with_old_button = server.click(more, next(id for id in more.buttons if ":delete:" in id))
        await server.until(lambda: with_old_button.kind, "a word")


async def test_a_private_question_on_discord_stays_private(store_url: str) -> None:
    """Neither the channel, nor somebody else's history, nor the next prompt there knows of it."""
    model = FakeModel("The secret is 42.", then=(FakeModel("Hello."),))
    async with DiscordServer(time.time) as server, parley(store_url, model, on_discord(server)):
        used = server.command(server.general, "ask", {"question": "what is the secret?", "private": True})
        await server.until(lambda: (shown := server.world.find(used.message)) and "42" in shown.content, "the answer")
        assert used.is_private
        bob = server.world.add_user("Bob")
        history = server.command(server.general, "history", {}, user=bob)
        await server.until(lambda: (shown := server.world.find(history.message)) and shown.content, "a history")
        told = server.world.find(history.message)
        assert told is not None
        assert "secret" not in told.content
        server.ask(server.general, "hi", author=bob)
        await server.until(lambda: any(text == "Hello." for text in seen(server)), "the public answer")
        assert "secret" not in str(model.requests[1].messages)


# ---- Slack


@pytest.mark.parametrize("name", USES)
async def test_every_command_on_slack(store_url: str, name: str) -> None:
    """`/parley NAME` is answered over its response_url; it finds the answer in its user's newest thread there."""
    words, said = USES[name]
    model = FakeModel("The answer.")
    async with SlackServer(time.time) as server, parley(store_url, model, on_slack(server)) as worker:
        question = server.ask(server.general, "a question")
        answered = lambda: [message.text for message in server.general.by(server.bot)] == ["The answer."]  # noqa: E731
        await server.until(answered, "the answer")
        await server.until(lambda: server.general.sessions.get(question.ts) == "active", "the end of its session")
        await until(lambda: not worker.leases, "the end of its turn")
        server.acts.command(server.general, f"{name} {words}", name="/parley")

        def texts() -> str:
            bodies = [body for answers in server.acts.responses.values() for body in answers]
            return str([[block.get("text") for block in body.get("blocks", ())] for body in bodies])

        await server.until(lambda: said in texts(), f"{said!r}")


async def test_the_controls_of_an_answer_on_slack(store_url: str) -> None:
    """Regenerate writes over the answer; a thumb is kept; Why is told to its asker alone; Delete takes it away."""
    model = FakeModel("First.", then=(FakeModel("Second."),))
    async with SlackServer(time.time) as server, parley(store_url, model, on_slack(server)) as worker:
        server.ask(server.general, "a question")

        def shown() -> list[str]:
            return [message.text for message in server.general.by(server.bot)]

        async def press(action: str, turn: str, user: User | None = None) -> None:
            [message] = server.general.by(server.bot)
            server.acts.control(message, {"action_id": f"parley:{action}", "value": turn}, user=user)

        await server.until(lambda: shown() == ["First."], "the answer")
        await until(lambda: not worker.leases, "the end of its turn")
        [answer] = server.general.by(server.bot)
        turn = answer.buttons["parley:retry"]
        await press("retry", turn, server.world.add_user("Bob"))
        await server.until(lambda: "Only the person who asked" in str(server.acts.whispered), "a refusal")
        await press("retry", turn)
        await server.until(lambda: shown() == ["Second."], "another version")
        await until(lambda: not worker.leases, "the end of its turn")
        [answer] = server.general.by(server.bot)
        turn = answer.buttons["parley:retry"]
        await press("up", turn)
        await until(lambda: bool(server.waiting) is False, "it is acknowledged")
        await press("delete", turn)
        await server.until(lambda: shown() == [], "the answer is gone")


# ---- the console


@pytest.mark.parametrize("name", [name for name in USES if name not in ("retry", "continue")])
async def test_every_command_in_the_console(store_url: str, tmp_path: Path, name: str) -> None:
    """A line that begins with `/` and a command's name is that command; its answer is printed."""
    words, said = USES[name]
    async with ModelServer() as model:
        model.answer = lambda request: ModelAnswer(chunks=("The answer.",))
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "OPENAI_BASE_URL": model.base_url,
            "PARLEY_MODEL": "fake",
            "REDIS_URL": store_url,
            "PARLEY_DATA_DIR": str(tmp_path),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "import sys; from bot.cli import main; sys.exit(main(['chat']))"),
            env=env | {"PYTHONPATH": str(Path(__file__).parents[2])},
            cwd=tmp_path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate(f"a question\n/{name} {words}\n".encode())
    wanted = "default/fake" if name == "why" else said
    assert wanted in out.decode() + err.decode()
