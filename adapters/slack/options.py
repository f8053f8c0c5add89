"""What the people who run Parley decide about Slack, as the adapter takes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from bot.commands import CommandSpec
from bot.events import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """With an `app_token` Slack is heard over `sockets` sockets; else over HTTP, where `signing_secret` must be given.

    `strangers` are the workspaces and people of other companies who are answered, `prompts` what is suggested in the
    Messages tab, `facts` what the App Home tells, one line each. `silent_s`: after how long a socket is replaced.
    `commands` are the table's; `takes_part` tells whether a thread is one of ours, where `!name` is a command.
    `channels`: how answers grow in channels; `people_ring`: whether people whom an answer names are notified.
    """

    bot_token: str = field(repr=False)
    app_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    api_url: str = "https://slack.com/api/"
    http_host: str = "127.0.0.1"
    http_port: int = 3000
    sockets: int = 1
    silent_s: float = 45.0
    channels: Literal["native", "edit"] = "native"
    people_ring: bool = False
    has_one_session: bool = False
    guests: bool = False
    strangers: frozenset[str] = frozenset()
    prompts: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    commands: tuple[CommandSpec, ...] = ()
    takes_part: Callable[[Conversation], Awaitable[bool]] | None = None

    def command(self, name: str) -> CommandSpec | None:
        """The command of this name."""
        return next((spec for spec in self.commands if spec.name == name), None)
