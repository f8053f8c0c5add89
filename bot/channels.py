"""What people decide for a thread, a channel or a workspace while Parley runs; read from a cache."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import TypeAdapter, ValidationError

from bot.errors import BotError, StoreUnavailable, texts
from bot.events import Conversation
from bot.settings import Settings
from bot.store import Store

VERSION_KEY = "parley:{meta}:channels"
"""Counts the changes of all workspaces: who has cached any looks at it twice a second."""
LOOK_EVERY_S = 0.5
AUDIT_ENTRIES = 1000
KNOWN = 1000
"""What holds is kept in memory for so many conversations of a workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """What holds for one conversation. `follow_up_s`: so long after an answer its asker needs no mention.

    `answer` says when a message of people is a question: when it addresses us; that, and all in threads that we take
    part in; everything; nothing. `managers` are who may change this: the platform's admins, or everybody.
    """

    answer: Literal["mention", "threads", "always", "never"] = "threads"
    follow_up_s: int = 0
    hear: Literal["off", "threads", "all"] = "threads"
    persona: str = ""
    model: str = ""
    effort: Literal["", "minimal", "low", "medium", "high"] = ""
    temperature: float | None = None
    thread_per_question: bool = False
    footer: bool = False
    time_zone: str = "UTC"
    managers: Literal["admins", "everyone"] = "admins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of a workspace's audit list. `scope` is empty for the workspace, else `channel` or `channel/thread`."""

    who: str
    at: float
    scope: str
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Somebody for the model to be: its system prompt, and optionally a model and a temperature of its own."""

    name: str
    prompt: str
    model: str = ""
    temperature: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """All that people decided in one workspace; `known` is what follows from it for each conversation."""

    values: Mapping[str, str]
    personas: dict[str, Persona]
    opted_out: frozenset[str]
    known: dict[str, ChannelSettings] = field(default_factory=dict)


NAMES = tuple(one.name for one in fields(ChannelSettings))
_CHECK = TypeAdapter(ChannelSettings)
_PERSONA = TypeAdapter(Persona)
_CHANGE = TypeAdapter(Change)


class WrongValue(BotError):
    """A channel setting that does not exist, or a value that it cannot have; the notice says which it can."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}", notice=texts()["WrongValue"].format(name=name[:40], why=why))


class Channels:
    """The channel settings of all workspaces. Raises StoreUnavailable where the store is away and nothing is cached."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.defaults = ChannelSettings(
            answer=settings.answer,
            follow_up_s=settings.follow_up_s,
            hear=settings.hear,
            temperature=settings.temperature,
            thread_per_question=settings.thread_per_question,
        )
        self._cache: dict[str, _Chosen] = {}
        self._version = ""

    async def of(self, conversation: Conversation) -> ChannelSettings:
        """What holds here: the thread's value, else the channel's, else the workspace's, else the default."""
        chosen = await self._chosen(conversation)
        if (known := chosen.known.get(conversation.key)) is None:
            values: dict[str, Any] = {}
            for scope in scopes_of(conversation):
                found = {name: text for name in NAMES if (text := chosen.values.get(f"{scope}|{name}"))}
                values |= {name: json.loads(text) for name, text in found.items()}
            if len(chosen.known) >= KNOWN:
                chosen.known.clear()
            known = chosen.known[conversation.key] = replace(self.defaults, **values)
        return known

    async def opens_threads(self, conversation: Conversation) -> bool:
        """Whether a question there gets a thread of its own, where the platform can."""
        return (await self.of(conversation)).thread_per_question

    async def personas(self, conversation: Conversation) -> dict[str, Persona]:
        """The personas of this workspace, by name."""
        return (await self._chosen(conversation)).personas

    async def hears(self, conversation: Conversation, person: str) -> bool:
        """Whether this person has not opted out of being heard."""
        return person not in (await self._chosen(conversation)).opted_out

    async def change(
        self, conversation: Conversation, scope: str, name: str, value: str, *, who: str, at: float
    ) -> str | None:
        """Set one value in a scope (empty text takes it back), with an entry of the audit list: what was there before.

        None where it was the same (a command that is done once more, too). Raises WrongValue.
        """
        return await self._write(conversation, scope, name, checked(name, value) if value else "", who, at)

    async def put_persona(
        self, conversation: Conversation, name: str, persona: Persona | None, *, who: str, at: float
    ) -> None:
        """Keep a persona in place of the one of that name (None: it is gone)."""
        text = json.dumps(asdict(persona)) if persona else ""
        await self._write(conversation, "persona", name, text, who, at)

    async def opt_out(self, conversation: Conversation, person: str, *, is_out: bool) -> None:
        """Whether this person's talk may be kept where they address nobody of us. No audit list tells of it."""
        await self.store.call("optout", self._prefix(conversation), person, int(is_out))
        await self._changed()

    async def audit(self, conversation: Conversation, newest: int = 20) -> list[Change]:
        """The newest changes in this workspace, newest first."""
        raw = await self.store.command("LRANGE", self._prefix(conversation) + "audit", -newest, -1)
        return [_CHANGE.validate_json(one) for one in reversed(raw)]

    async def watch(self) -> None:
        """Drop the cache within a second after anybody changed anything. Runs until cancelled."""
        while True:
            # While the store is away what we know is still the best guess, and a turn can end with it.
            with contextlib.suppress(StoreUnavailable):
                version = str(await self.store.command("GET", VERSION_KEY) or "")
                if version != self._version:
                    self._version = version
                    self._cache.clear()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _chosen(self, conversation: Conversation) -> _Chosen:
        version, workspace = self._version, conversation.workspace_key
        if (chosen := self._cache.get(workspace)) is None:
            prefix = self._prefix(conversation)
            values: dict[str, str] = await self.store.command("HGETALL", prefix + "channels")
            personas = [_PERSONA.validate_json(values[key]) for key in sorted(values) if key.startswith("persona|")]
            opted_out = frozenset(await self.store.command("SMEMBERS", prefix + "optouts"))
            chosen = _Chosen(values=values, personas={one.name: one for one in personas}, opted_out=opted_out)
            if version == self._version:  # else it was changed while we read
                self._cache[workspace] = chosen
        return chosen

    async def _write(self, place: Conversation, scope: str, name: str, text: str, who: str, at: float) -> str | None:
        change = json.dumps(asdict(Change(who=who, at=at, scope=scope, name=name, before="", after=text)))
        what = (f"{scope}|{name}", text, change, AUDIT_ENTRIES)
        before: str | None = await self.store.call("choose", self._prefix(place), *what)
        await self._changed()
        return before

    async def _changed(self) -> None:
        self._version = str(await self.store.command("INCR", VERSION_KEY))
        self._cache.clear()

    def _prefix(self, conversation: Conversation) -> str:
        return self.store.workspace(conversation.workspace_key)


def scopes_of(conversation: Conversation) -> list[str]:
    """The scopes that hold for a conversation, the widest first: workspace, channel, thread."""
    channel = conversation.channel
    return ["", channel, *([f"{channel}/{conversation.thread}"] if conversation.thread else [])]


def checked(name: str, value: str) -> str:
    """The JSON of a value that somebody typed. Raises WrongValue with what is possible."""
    if name not in NAMES:
        raise WrongValue(name, f"there is no such setting; there are {', '.join(NAMES)}")
    if name == "time_zone" and value not in available_timezones():
        raise WrongValue(name, "it is no time zone, such as Europe/Berlin")
    wanted = {"on": True, "off": False}.get(value, value) if name in ("footer", "thread_per_question") else value
    try:
        settings = _CHECK.validate_python({name: wanted})
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise WrongValue(name, f"{said[0].lower()}{said[1:]}") from None
    if not 0 <= settings.follow_up_s <= 3600 or not 0 <= (settings.temperature or 0) <= 2:
        raise WrongValue(name, "it is out of range (follow_up_s 0 to 3600, temperature 0 to 2)")
    return json.dumps(getattr(settings, name))
