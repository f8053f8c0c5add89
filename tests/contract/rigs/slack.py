"""The Slack adapter against the fake of Slack, with answers that are streamed natively."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from adapters.slack.client import SlackAdapter
from adapters.slack.options import Options
from adapters.slack.reply import Channels
from bot.events import Action
from bot.pacing import Limits
from tests.fakes.shelf import FakeShelf
from tests.servers.slack import SIGNING_SECRET, SlackServer
from tests.servers.slack_world import User

EDITS = True
LIMITS = Limits(characters=11_000, cadence_s=0.01, sign_every_s=60.0, first_characters=1, first_s=0.01)


class SlackRig:
    """See `tests.contract.rig.Rig`."""

    characters = LIMITS.characters

    def __init__(self, server: SlackServer, channels: Channels, http_port: int) -> None:
        self.server = server
        options = Options(bot_token=server.bot_token, api_url=server.api_url, channels=channels)
        if http_port:
            server.http_url = f"http://127.0.0.1:{http_port}/slack/events"
            options = replace(options, signing_secret=SIGNING_SECRET, http_port=http_port)
        else:
            options = replace(options, app_token=server.app_token)
        self.adapter = SlackAdapter(options, FakeShelf(), call_s=1.0, limits=LIMITS)

    async def say(self, text: str, *, mention: bool = True, author: str = "ada") -> str:
        tell = self.server.ask if mention else self.server.say
        return tell(self.server.general, text, author=self._person(author)).ts

    async def press(self, action: Action, turn: str, *, author: str = "ada") -> None:
        id = f"parley:{action}"
        shown = next(message for message in self.server.general.messages if message.buttons.get(id) == turn)
        self.server.press(shown, id, user=self._person(author))

    async def seen(self) -> tuple[str, ...]:
        shown = (message.shown for message in self.server.general.by(self.server.bot))
        return tuple(text.replace("\u200b", "") for text in shown)

    async def pinged(self) -> tuple[str, ...]:
        return tuple(name for message in self.server.general.by(self.server.bot) for name in message.pings)

    def _person(self, name: str) -> User:
        world = self.server.world
        return next((user for user in world.users.values() if user.name == name), None) or world.add_user(name)


@asynccontextmanager
async def open_rig(channels: Channels = "native", http_port: int = 0) -> AsyncIterator[SlackRig]:
    async with SlackServer() as server:
        yield SlackRig(server, channels, http_port)
