"""The whole bot as people run it: one process, both platforms, a store and a model, all of it over sockets."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.servers.common import Clock
from tests.servers.discord import DiscordServer
from tests.servers.model import Answer, ModelServer
from tests.servers.slack import SlackServer

START = "import sys; from bot.cli import main; sys.exit(main(['run']))"
CONFIGURED = ("DISCORD_", "SLACK_", "OPENAI_", "PARLEY_", "REDIS_")


@asynccontextmanager
async def bot(folder: Path, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`parley run` with these settings and no others; stopped as a service manager would."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURED)}
    env |= {"PYTHONPATH": str(Path(__file__).parents[2]), "PARLEY_DATA_DIR": str(folder), **settings}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", START, cwd=folder, env=env)
    try:
        yield process
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_mention_is_answered_by_a_streamed_reply_on_both(
    server: DiscordServer, clock: Clock, store_url: str, tmp_path: Path
) -> None:
    """Discord and Slack are served at once: each mention's answer grows before the reader's eyes, once and whole."""
    async with SlackServer(clock) as slack, ModelServer(gap_s=0.02) as model:
        model.answer = lambda request: Answer(chunks=(*("Sentence. " for _ in range(30)), "The end."))
        whole = "Sentence. " * 30 + "The end."
        settings = {
            "DISCORD_TOKEN": server.token,
            "DISCORD_API_BASE": server.api_base,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "OPENAI_BASE_URL": f"http://127.0.0.1:{model.port}/v1",
            "OPENAI_API_KEY": "key",
            "REDIS_URL": store_url,
        }
        async with bot(tmp_path, **settings):
            await server.until(lambda: server.sessions, "a Discord session", within_s=30)
            await slack.until(lambda: slack.connects, "a Slack socket", within_s=30)
            asked, asked_too = server.ask(server.general, "how are you?"), slack.ask(slack.general, "and you?")
            await server.until(
                lambda: [m.content for m in server.general.by(server.bot)] == [whole], "Discord's answer"
            )
            await slack.until(lambda: [m.shown for m in slack.general.by(slack.bot)] == [whole], "Slack's answer")
            await slack.until(lambda: not slack.waiting, "everything acknowledged")
        [on_discord], [on_slack] = server.general.by(server.bot), slack.general.by(slack.bot)
    assert (on_discord.reply_to, on_slack.thread_ts) == (asked.id, asked_too.ts)
    for message in (on_discord, on_slack):
        assert len(message.versions) > 1
        assert all(whole.startswith(text) for text in message.versions)
    assert server.general.typed
    assert slack.general.sessions == {asked_too.ts: "active"}
