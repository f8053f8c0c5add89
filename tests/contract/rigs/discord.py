"""The Discord adapter against the fake of Discord."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.discord.client import DiscordAdapter
from adapters.discord.markup import custom_id
from bot.events import Action
from bot.pacing import Limits
from tests.fakes.shelf import FakeShelf
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import User

EDITS = True
LIMITS = Limits(characters=1990, cadence_s=0.01, sign_every_s=8.0, first_characters=1, first_s=0.01)


class DiscordRig:
    """See `tests.contract.rig.Rig`."""

    characters = LIMITS.characters

    def __init__(self, server: DiscordServer) -> None:
        self.server = server
        self.adapter = DiscordAdapter(server.token, FakeShelf(), server.api_base, call_s=1.0, limits=LIMITS)

    async def say(self, text: str, *, mention: bool = True, author: str = "ada") -> str:
        tell = self.server.ask if mention else self.server.say
        return tell(self.server.general, text, author=self._person(author)).id

    async def press(self, action: Action, turn: str, *, author: str = "ada") -> None:
        control = custom_id(action, turn)
        shown = next(message for message in self.server.general.messages if control in message.buttons)
        self.server.click(shown, control, user=self._person(author))

    async def seen(self) -> tuple[str, ...]:
        return tuple(message.content for message in self.server.general.by(self.server.bot))

    async def pinged(self) -> tuple[str, ...]:
        return tuple(name for message in self.server.general.by(self.server.bot) for name in message.pings)

    def _person(self, name: str) -> User:
        world = self.server.world
        return next((user for user in world.users.values() if user.name == name), None) or world.add_user(name)


@asynccontextmanager
async def open_rig() -> AsyncIterator[DiscordRig]:
    async with DiscordServer() as server:
        yield DiscordRig(server)
