"""What the people who run Parley decide about Discord, as plain data. Knows no part that uses it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from bot.commands import CommandSpec
from bot.events import Conversation
from bot.ports import Suggest

CDN = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
"""The only hosts that files are fetched from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`shards` are this process's of all `shard_count`; without them Discord says how many there are.

    `catch_up_s` is the age of the oldest message that is read back after an absence, 0 for none. In `workspaces` and
    `people` are ids of Discord: the guilds that are served (None: all), who may use a user install (empty: nobody).
    `opens_threads` tells where each question gets a thread of its own. `commands` are the table's, `suggest` gives
    values for their options. `silence_s` is after how long without a word from Discord a connection counts as dead.
    """

    shards: tuple[int, ...] = ()
    shard_count: int | None = None
    catch_up_s: float = 900.0
    opens_threads: Callable[[Conversation], Awaitable[bool]] | None = None
    ping_asker: bool = False
    workspaces: frozenset[str] | None = None
    people: frozenset[str] = field(default_factory=frozenset)
    commands: tuple[CommandSpec, ...] = ()
    suggest: Suggest | None = None
    file_hosts: frozenset[str] = CDN
    silence_s: float = 60.0

    def command(self, name: str) -> CommandSpec | None:
        """The command of this name."""
        return next((spec for spec in self.commands if spec.name == name), None)

    def serves(self, guild: int | None) -> bool:
        """Whether this guild is on the list; what is direct has none."""
        return guild is None or self.workspaces is None or str(guild) in self.workspaces


def proxy_for(address: str) -> str | None:
    """The proxy that HTTPS_PROXY (for http: HTTP_PROXY) names, unless NO_PROXY excepts this address."""
    url = URL(address)
    return None if proxy_bypass(url.host or "") else getproxies().get(url.scheme)
