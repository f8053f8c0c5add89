"""What exists on the fake Discord, and its JSON: people, guilds, channels, messages with every text they have shown."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.servers.common import Json

EPOCH_S = 1420070400.0
TEXT, DIRECT, THREAD, PRIVATE_THREAD, FORUM = 0, 1, 11, 12, 15
VIEW, SEND, HISTORY, SEND_IN_THREADS, CREATE_THREADS = 1 << 10, 1 << 11, 1 << 16, 1 << 38, 1 << 35
ATTACH = 1 << 15
EVERYONE = VIEW | SEND | HISTORY | SEND_IN_THREADS | CREATE_THREADS | ATTACH
"""What @everyone may do in a guild to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a bot; `name` is what others read."""

    id: str
    name: str
    is_bot: bool = False

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def json(self) -> Json:
        return {
            "id": self.id,
            "username": self.name.lower(),
            "global_name": self.name,
            "discriminator": "0",
            "avatar": None,
            "bot": self.is_bot,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What hangs at a message. Its address is good for one look: each time the message is read it is another one."""

    id: str
    name: str
    media_type: str
    data: bytes

    def json(self, address: str) -> Json:
        url = f"{address}/cdn/{self.id}/{self.name}"
        told: Json = {"id": self.id, "filename": self.name, "content_type": self.media_type, "size": len(self.data)}
        return told | {"url": url, "proxy_url": url}


@dataclass(slots=True, kw_only=True)
class Message:
    """A message as readers see it. `versions` holds every text it has shown, oldest first; `pings` whom it notified."""

    id: str
    channel: str
    author: User
    at: float
    versions: list[str]
    guild: str = ""
    type: int = 0
    reply_to: str = ""
    nonce: str = ""
    components: list[Json] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    pings: tuple[str, ...] = ()
    flags: int = 0
    edited_at: float = 0.0
    is_deleted: bool = False
    webhook: str = ""
    interaction: str = ""
    reactions: list[str] = field(default_factory=list)
    attachments: list[File] = field(default_factory=list)
    snapshots: list[Json] = field(default_factory=list)
    forwards: str = ""

    @property
    def content(self) -> str:
        return self.versions[-1]

    @property
    def buttons(self) -> list[str]:
        """The custom ids of its buttons."""
        return [
            item["custom_id"] for row in self.components for item in row.get("components", ()) if "custom_id" in item
        ]


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel, thread or direct message. `messages` is what a reader sees, `everything` also what was deleted."""

    id: str
    guild: str = ""
    name: str = ""
    type: int = TEXT
    parent: str = ""
    recipient: User | None = None
    overwrites: list[Json] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    everything: dict[str, Message] = field(default_factory=dict)
    typed: list[float] = field(default_factory=list)
    denied: int = 0
    """The permissions that nobody has here."""
    is_archived: bool = False

    @property
    def messages(self) -> list[Message]:
        return [message for message in self.everything.values() if not message.is_deleted]

    def by(self, author: User) -> list[Message]:
        """What this author has written and a reader sees."""
        return [message for message in self.messages if message.author == author]

    def json(self) -> Json:
        plain: Json = {"id": self.id, "type": self.type, "last_message_id": next(reversed(self.everything), None)}
        if self.recipient is not None:
            return plain | {"recipients": [self.recipient.json()]}
        denial = {"id": self.guild, "type": 0, "allow": "0", "deny": str(self.denied)}
        plain |= {"guild_id": self.guild, "name": self.name, "position": 0, "nsfw": False}
        plain |= {"permission_overwrites": [*self.overwrites, *([denial] if self.denied else [])]}
        if not self.parent:
            return plain | {"parent_id": None, "topic": None, "available_tags": []}
        archive: Json = {"archived": self.is_archived, "auto_archive_duration": 1440, "locked": False}
        archive |= {"archive_timestamp": stamp(0.0)}
        return plain | {
            "parent_id": self.parent,
            "owner_id": "1",
            "message_count": len(self.messages),
            "member_count": 1,
            "thread_metadata": archive,
        }


class World:
    """One guild with one channel to begin with; `bot` is who the token belongs to."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._serial = 0
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.guilds: dict[str, str] = {}
        self.address = ""
        self.everyone: dict[str, int] = {}
        self.roles: dict[str, tuple[str, int]] = {}
        """A role's guild and permissions by its id."""
        self.roles_of: dict[str, list[str]] = {}
        self.bot = self.add_user("Parley", is_bot=True)
        self.alice = self.add_user("Alice")
        self.guild = self.add_guild("Guild")
        self.general = self.add_channel("general")

    def snowflake(self) -> str:
        """A new id that carries the clock's time, as Discord's do."""
        self._serial += 1
        return str((int((self.clock() - EPOCH_S) * 1000) << 22) | (self._serial & 0x3FFFFF))

    def add_user(self, name: str, *, is_bot: bool = False) -> User:
        user = User(id=self.snowflake(), name=name, is_bot=is_bot)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str) -> str:
        guild = self.snowflake()
        self.guilds[guild], self.everyone[guild] = name, EVERYONE
        return guild

    def grant(self, user: User, permissions: int, guild: str = "") -> None:
        """A role of a guild with these permissions, for one member."""
        role = self.snowflake()
        self.roles[role] = (guild or self.guild, permissions)
        self.roles_of.setdefault(user.id, []).append(role)

    def member_json(self, user: User) -> Json:
        plain: Json = {"joined_at": stamp(0.0), "deaf": False, "mute": False, "flags": 0}
        return plain | {"roles": self.roles_of.get(user.id, []), "user": user.json()}

    def attach(self, message: Message, name: str, media_type: str, data: bytes) -> File:
        """Hang a file at a message."""
        file = File(id=self.snowflake(), name=name, media_type=media_type, data=data)
        message.attachments.append(file)
        return file

    def file(self, id: str) -> File | None:
        told = (message for channel in self.channels.values() for message in channel.everything.values())
        return next((file for message in told for file in message.attachments if file.id == id), None)

    def add_channel(self, name: str, *, guild: str = "", type: int = TEXT, parent: str = "", id: str = "") -> Channel:
        channel = Channel(id=id or self.snowflake(), guild=guild or self.guild, name=name, type=type, parent=parent)
        self.channels[channel.id] = channel
        return channel

    def add_direct(self, user: User) -> Channel:
        known = (channel for channel in self.channels.values() if channel.recipient == user)
        channel = next(known, None) or Channel(id=self.snowflake(), type=DIRECT, recipient=user)
        self.channels[channel.id] = channel
        return channel

    def find(self, message_id: str) -> Message | None:
        """The message with this id, whichever channel it is in, unless it was deleted."""
        found = (channel.everything.get(message_id) for channel in self.channels.values())
        return next((message for message in found if message is not None and not message.is_deleted), None)

    def add_message(self, channel: Channel, author: User, text: str, *, reply_to: str = "", nonce: str = "") -> Message:
        message = Message(
            id=self.snowflake(),
            channel=channel.id,
            guild=channel.guild,
            author=author,
            at=self.clock(),
            versions=[text.strip()],
            reply_to=reply_to,
            nonce=nonce,
            type=19 if reply_to else 0,
        )
        channel.everything[message.id] = message
        return message

    def mentioned(self, text: str) -> list[User]:
        ids = dict.fromkeys(re.findall(r"<@!?(\d+)>", text))
        return [self.users[user_id] for user_id in ids if user_id in self.users]

    def pings(self, message: Message, allowed: Json | None) -> tuple[str, ...]:
        """Whom a new message notifies, by Discord's allowed_mentions."""
        parse: Sequence[str] = ("everyone", "users", "roles") if allowed is None else allowed.get("parse", ())
        listed = () if allowed is None else [str(id) for id in allowed.get("users", ())]
        named = [user.id for user in self.mentioned(message.content) if "users" in parse or user.id in listed]
        loud = [word for word in ("@everyone", "@here") if word in message.content and "everyone" in parse]
        loud += re.findall(r"<@&(\d+)>", message.content) if "roles" in parse else []
        target = self.find(message.reply_to) if message.reply_to else None
        is_replied = target is not None and (allowed is None or allowed.get("replied_user", False))
        replied = [target.author.id] if target is not None and is_replied else []
        return tuple(dict.fromkeys([*loud, *named, *replied]))

    def json(self, message: Message, *, is_event: bool = False, is_inner: bool = False) -> Json:
        """A message as REST tells it, or as the gateway does (with guild, member and, to its author, the nonce)."""
        target = self.find(message.reply_to) if message.reply_to else None
        mentions = self.mentioned(message.content)
        if target is not None and target.author not in mentions and target.author.id in message.pings:
            mentions.append(target.author)
        plain: Json = {
            "id": message.id,
            "channel_id": message.channel,
            "type": message.type,
            "content": message.content,
            "author": message.author.json(),
            "timestamp": stamp(message.at),
            "edited_timestamp": stamp(message.edited_at) if message.edited_at else None,
            "tts": False,
            "mention_everyone": "@everyone" in message.content,
            "mentions": [user.json() for user in mentions],
            "mention_roles": [],
            "attachments": [file.json(self.address) for file in message.attachments],
            "embeds": message.embeds,
            "components": message.components,
            "pinned": False,
            "flags": message.flags,
        }
        if message.webhook:
            plain["webhook_id"] = message.webhook
        if message.snapshots:
            plain["message_snapshots"] = [{"message": snapshot} for snapshot in message.snapshots]
            plain["message_reference"] = {"type": 1, "message_id": message.forwards, "channel_id": message.channel}
        if message.reply_to:
            plain["message_reference"] = {"type": 0, "message_id": message.reply_to, "channel_id": message.channel}
            if not is_inner:
                plain["referenced_message"] = None if target is None else self.json(target, is_inner=True)
        if is_event and message.guild:
            plain["guild_id"] = message.guild
            plain["member"] = {key: value for key, value in self.member_json(message.author).items() if key != "user"}
        if is_event and message.nonce:
            plain["nonce"] = message.nonce
        return plain

    def guild_json(self, guild: str) -> Json:
        mine = [channel for channel in self.channels.values() if channel.guild == guild]
        return {
            "id": guild,
            "name": self.guilds[guild],
            "owner_id": self.alice.id,
            "member_count": len(self.users),
            "unavailable": False,
            "roles": [role_json(guild, self.everyone[guild])]
            + [role_json(role, may) for role, (where, may) in self.roles.items() if where == guild],
            "channels": [channel.json() for channel in mine if not channel.parent],
            "threads": [channel.json() for channel in mine if channel.parent],
            "members": [self.member_json(self.bot)],
            "emojis": [],
            "features": [],
        }

    def history(self, channel: Channel, *, after: int, before: int, limit: int) -> Iterator[Message]:
        """Newest first, as Discord answers: the oldest `limit` after an id, or else the newest before one."""
        fitting = [m for m in channel.messages if int(m.id) > after and (not before or int(m.id) < before)]
        return reversed(fitting[:limit] if after else fitting[-limit:])


def role_json(id: str, permissions: int) -> Json:
    plain = {"id": id, "name": id, "permissions": str(permissions), "position": 1, "color": 0, "colors": {}}
    return plain | {"hoist": False, "managed": False, "mentionable": False, "flags": 0}


def stamp(at: float) -> str:
    """A time as Discord writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat()
