"""What the contract suite needs of a platform: an adapter against its fake, a person who writes, a reader who looks.

Each module of `tests/contract/rigs` is one platform and defines

    open_rig() -> AbstractAsyncContextManager[Rig]    # a fresh platform with one channel; closes all on leaving
    EDITS: bool                                       # whether messages can be edited and deleted

New modules are found by themselves. The suite runs `rig.adapter.run` and closes it; the rig runs only its fake.
"""

import importlib
import pkgutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.events import Action
from bot.ports import Adapter
from tests.contract import rigs


class Rig(Protocol):
    """One platform under test, with one public channel in which the bot is a member."""

    @property
    def adapter(self) -> Adapter:
        """The real adapter, made against the fake, with a small cadence (about 0.01 s) and `call_s` of about 1 s."""
        ...

    @property
    def characters(self) -> int:
        """The longest message of the platform in UTF-16 code units, at least 120."""
        ...

    async def say(self, text: str, *, mention: bool = True, author: str = "ada") -> str:
        """A person writes in the channel (new top-level message), by default addressed to the bot.

        Returns the id that the event has (`MessageReceived.id`). The mention's markup is added by the rig; an author is
        a name, the same name is the same person. Where there is nothing but talk to the bot, `mention` has no meaning.
        """
        ...

    async def press(self, action: Action, turn: str, *, author: str = "ada") -> None:
        """A person uses the control of the turn's answer, which is shown."""
        ...

    async def seen(self) -> tuple[str, ...]:
        """The bot's messages as readers have them now, oldest first; deleted ones are gone, added markup is undone.

        On a platform without messages: what was printed, one entry for each answer.
        """
        ...

    async def pinged(self) -> tuple[str, ...]:
        """Whom the bot's messages notified by mass mentions ("everyone", "here", a role's name): must stay empty."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One module of `rigs`."""

    name: str
    open_rig: Callable[[], AbstractAsyncContextManager[Rig]]
    edits: bool


def platforms() -> tuple[Platform, ...]:
    """All platforms that have a rig, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(rigs.__path__))
    modules = ((name, importlib.import_module(f"{rigs.__name__}.{name}")) for name in names)
    return tuple(Platform(name=name, open_rig=module.open_rig, edits=module.EDITS) for name, module in modules)
