"""A channel is told on both platforms when its talk is heard: a message of its own there, which answers nobody."""

import time

from bot.channels import Channels
from bot.events import Conversation
from bot.store import Store
from tests.fakes.model import FakeModel
from tests.journeys.test_platforms import on_discord, on_slack, parley, seen
from tests.pipeline.make import settings
from tests.servers.discord import DiscordServer
from tests.servers.slack import SlackServer
from tests.servers.slack_world import TEAM

SAID = "From now on I read along here"


async def everyone_manages(url: str, platform: str, workspace: str) -> None:
    """In this workspace everybody may change settings."""
    store = Store(url, shards=4)
    await store.open()
    place = Conversation(platform=platform, workspace=workspace, channel="")
    await Channels(store, settings()).change(place, "", "managers", "everyone", who="eve", at=0.0)
    await store.close()


async def test_discord_is_told(store_url: str) -> None:
    """The command is answered in private, the channel in public."""
    async with DiscordServer(time.time) as server, parley(store_url, FakeModel("x"), on_discord(server)):
        await everyone_manages(store_url, "discord", server.general.guild)
        used = server.command(server.general, "settings", {"name": "hear", "value": "all"})
        await server.until(lambda: used.is_private, "its own answer")
        await server.until(lambda: any(text.startswith(SAID) for text in seen(server)), "the channel is told")
        told = next(message for message in server.general.by(server.bot) if message.content.startswith(SAID))
        assert told.reply_to in (None, "")


async def test_slack_is_told(store_url: str) -> None:
    """In the channel itself, in no thread."""
    async with SlackServer(time.time) as server, parley(store_url, FakeModel("x"), on_slack(server)):
        await everyone_manages(store_url, "slack", TEAM)
        server.acts.command(server.general, "settings hear all", name="/parley")
        await server.until(lambda: any(one.text.startswith(SAID) for one in server.general.by(server.bot)), "told")
        [told] = server.general.by(server.bot)
        assert told.thread_ts in (None, "")
