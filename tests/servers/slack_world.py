"""What exists in the fake Slack workspace, and its JSON: people, channels, messages with every text they have shown."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape

from tests.servers.common import Json

TEAM = "T0TEAM"
APP = "A0PARLEY"
BOT_ID = "B0PARLEY"
BOT_NAME = "Parley"
_LOUD = re.compile(r"<!(channel|here|everyone)(?:\|[^>]*)?>|<!subteam\^(\w+)(?:\|[^>]*)?>|<@([UW]\w+)(?:\|[^>]*)?>")


def escape(text: str) -> str:
    """Text as Slack stores what people type."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a bot; `name` is what others read. `team` is the workspace they belong to."""

    id: str
    name: str
    is_bot: bool = False
    is_admin: bool = False
    is_guest: bool = False
    team: str = TEAM

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def json(self) -> Json:
        profile = {"display_name": self.name, "real_name": self.name}
        return {
            "id": self.id,
            "team_id": self.team,
            "name": self.name.lower(),
            "real_name": self.name,
            "profile": profile,
            "is_admin": self.is_admin,
            "is_owner": False,
            "is_restricted": self.is_guest,
            "is_ultra_restricted": False,
            "is_bot": self.is_bot,
        }


@dataclass(slots=True, kw_only=True)
class Message:
    """A message as readers see it. `versions` holds every text it has shown, `pings` everybody it has notified."""

    ts: str
    channel: str
    author: User
    text: str
    thread_ts: str = ""
    parent: User | None = None
    """Who wrote the root of its thread."""
    blocks: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)
    versions: list[str] = field(default_factory=list)
    edited_ts: str = ""
    subtype: str = ""
    files: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    is_deleted: bool = False
    reactions: list[str] = field(default_factory=list)
    stream_ends_at: float = 0.0
    """When Slack ends its stream by itself; 0: it is none."""

    @property
    def shown(self) -> str:
        """What a reader sees: the blocks' text where there are any, else the text."""
        texts = [block["text"] for block in self.blocks if block["type"] == "markdown"]
        texts += [block["text"]["text"] for block in self.blocks if block["type"] == "section"]
        return "\n\n".join(texts) if texts else unescape(self.text)

    @property
    def pings(self) -> tuple[str, ...]:
        """Whom the text or its blocks notify: channel, here, everyone, groups, people."""
        raw = [self.text, *(str(block.get("text", "")) for block in self.blocks)]
        return tuple(dict.fromkeys(next(filter(None, found)) for text in raw for found in _LOUD.findall(text)))

    @property
    def buttons(self) -> dict[str, str]:
        """What can be pressed, and its value: `parley:<action>` also where it is a thumb or an entry of a menu."""
        found: dict[str, str] = {}
        for id, control in self.controls.items():
            chosen = control.get("selected_option") or control
            found[id] = chosen["value"].rpartition(":")[2] if control["type"] != "button" else chosen.get("value", "")
        return found

    @property
    def controls(self) -> dict[str, Json]:
        """The same as the action that pressing it sends."""
        rows = [block["elements"] for block in self.blocks if block["type"] in ("actions", "context_actions")]
        found: dict[str, Json] = {}
        for item in (item for row in rows for item in row):
            sent: Json = {"action_id": item["action_id"], "type": item["type"], "block_id": "b"}
            match item["type"]:
                case "feedback_buttons":
                    thumbs = (item["positive_button"]["value"], item["negative_button"]["value"])
                    found |= {f"parley:{value.partition(':')[0]}": sent | {"value": value} for value in thumbs}
                case "overflow":
                    for option in item["options"]:
                        found[f"parley:{option['value'].partition(':')[0]}"] = sent | {"selected_option": option}
                case _:
                    found[item["action_id"]] = sent | {"value": item.get("value", "")}
        return found

    def json(self, *, has_metadata: bool = False) -> Json:
        plain: Json = {"type": "message", "user": self.author.id, "ts": self.ts, "text": self.text}
        plain |= {"team": self.author.team}
        for name, told in (("subtype", self.subtype), ("files", self.files), ("attachments", self.attachments)):
            if told:
                plain[name] = told
        if self.thread_ts:
            plain["thread_ts"] = self.thread_ts
        if self.parent is not None:
            plain["parent_user_id"] = self.parent.id
        if self.blocks:
            plain["blocks"] = self.blocks
        if self.author.is_bot:
            is_ours = self.author.name == BOT_NAME
            plain |= {"bot_id": BOT_ID, "app_id": APP} if is_ours else {"bot_id": f"B{self.author.id}", "app_id": "A0"}
        if self.edited_ts:
            plain["edited"] = {"user": self.author.id, "ts": self.edited_ts}
        if has_metadata and self.metadata:
            plain["metadata"] = self.metadata
        return plain


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel or direct message. `messages` is what a reader sees, `everything` also what was deleted."""

    id: str
    name: str = ""
    user: User | None = None
    """With whom, in a direct message."""
    is_member: bool = True
    is_private: bool = False
    members: set[str] = field(default_factory=set)
    """Of a private channel: who is in it, besides the bot."""
    hints: list[tuple[str, str]] = field(default_factory=list)
    """Who was shown what alone."""
    everything: dict[str, Message] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    """By the thread's ts, what the bot shows as its status now."""
    sessions: dict[str, str] = field(default_factory=dict)
    """By the thread's ts, the status of the agent's session there."""
    titles: dict[str, str] = field(default_factory=dict)
    signs: list[str] = field(default_factory=list)
    """Every status that was set."""

    @property
    def type(self) -> str:
        return "im" if self.user is not None else "channel"

    @property
    def messages(self) -> list[Message]:
        return [message for message in self.everything.values() if not message.is_deleted]

    def json(self) -> Json:
        """As conversations.info tells it."""
        told = {"id": self.id, "is_member": self.is_member, "is_im": self.user is not None}
        return told | {"name": self.name, "is_channel": self.user is None, "is_private": self.is_private}

    def by(self, author: User) -> list[Message]:
        """What this author has written and a reader sees."""
        return [message for message in self.messages if message.author == author]

    def thread(self, ts: str) -> list[Message]:
        """The thread with this root, the root first."""
        return [message for message in self.messages if ts in (message.ts, message.thread_ts)]


class World:
    """One workspace with one channel to begin with; `bot` is who the token belongs to."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._serial = 0
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.bot = self.add_user(BOT_NAME, is_bot=True)
        self.alice = self.add_user("Alice")
        self.general = self.add_channel("general")

    def stamp(self) -> str:
        """A new ts: the clock's seconds and a serial number, so no two are alike."""
        self._serial += 1
        return f"{int(self.clock())}.{self._serial:06d}"

    def add_user(
        self, name: str, *, is_bot: bool = False, is_admin: bool = False, is_guest: bool = False, team: str = TEAM
    ) -> User:
        user = User(id=f"U0{name.upper()}", name=name, is_bot=is_bot, is_admin=is_admin, is_guest=is_guest, team=team)
        self.users[user.id] = user
        return user

    def add_channel(self, name: str, *, is_member: bool = True, is_private: bool = False) -> Channel:
        channel = Channel(id=f"C0{name.upper()}", name=name, is_member=is_member, is_private=is_private)
        self.channels[channel.id] = channel
        return channel

    def add_direct(self, user: User) -> Channel:
        """The direct message with this person."""
        return self.channels.setdefault(f"D{user.id}", Channel(id=f"D{user.id}", user=user))

    def add_message(self, channel: Channel, author: User, text: str, *, thread_ts: str = "") -> Message:
        message = Message(ts=self.stamp(), channel=channel.id, author=author, text=text, thread_ts=thread_ts)
        root = channel.everything.get(thread_ts)
        message.parent = None if root is None else root.author
        channel.everything[message.ts] = message
        return message
