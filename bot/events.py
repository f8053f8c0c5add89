"""What platforms tell us: frozen dataclasses and one closed, versioned union, `Event`. Imports nothing of ours."""

from dataclasses import dataclass
from typing import Literal

EVENT_VERSION = 2
"""Stored with each event. A worker that meets a higher version leaves the event for a newer worker."""

Action = Literal["stop", "retry", "continue", "delete", "up", "down", "why"]
"""What a person can do with an answer: stop it while it comes, have another version, have it go on, delete it, rate it,
ask what went into it."""

_RESERVED = frozenset(":|{} \n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Where one transcript lives. `person` is set only for what its asker alone may see (a private conversation)."""

    platform: str
    workspace: str
    channel: str
    thread: str = ""
    person: str = ""

    def __post_init__(self) -> None:
        for part in (self.platform, self.workspace, self.channel, self.thread, self.person):
            if not _RESERVED.isdisjoint(part):
                raise ValueError(f"an id in a conversation must not contain any of ':|{{}}' or white space: {part!r}")

    @property
    def key(self) -> str:
        """`platform:workspace:channel:thread`, with `:person` behind it in a private conversation."""
        key = f"{self.platform}:{self.workspace}:{self.channel}:{self.thread}"
        return f"{key}:{self.person}" if self.person else key

    @property
    def channel_key(self) -> str:
        """`platform:workspace:channel`: what decides the shard; threads share their channel's."""
        return f"{self.platform}:{self.workspace}:{self.channel}"

    @property
    def workspace_key(self) -> str:
        """`platform:workspace`: what limits, settings and spending are keyed by."""
        return f"{self.platform}:{self.workspace}"

    @classmethod
    def parse(cls, key: str) -> "Conversation":
        """The conversation whose `key` this is; ValueError where it is none."""
        platform, workspace, channel, thread, *person = key.split(":")
        return cls(platform=platform, workspace=workspace, channel=channel, thread=thread, person=":".join(person))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody on a platform. `id` is the platform's own; `name` is what others read.

    `is_admin`: the platform lets this person manage the workspace or the channel.
    """

    id: str
    name: str
    is_bot: bool = False
    is_admin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a question points at: the message it replies to, forwards or is about, or what the person is viewing.

    `author` is the name that others read, empty where it is not known; for the model a quote is data, no request.
    """

    kind: Literal["reply", "forward", "subject", "view"]
    text: str
    author: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that hangs at a question. `id` is what its adapter reads it by (never an address, which expires).

    `media_type` as the platform tells it (`image/png`), empty where it does not; `size` in bytes.
    """

    id: str
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a reply goes, as plain data, so that any worker can take over. What a platform does not have stays empty.

    `quote` is the question's beginning, for a platform whose replies cannot point at a message. `token` is an
    interaction's, good until `expires_at` (seconds since the epoch); `is_private`: only the asker may see the reply.
    """

    channel: str
    thread: str = ""
    reply_to: str = ""
    recipient: str = ""
    quote: str = ""
    token: str = ""
    expires_at: float = 0.0
    is_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRef:
    """The platform's id of one message, enough to edit or delete it."""

    channel: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _FromPerson:
    """What a person did, and where the reply goes. `id` is unique in its channel, `at` in seconds since the epoch.

    `is_direct`: in a direct message.
    """

    id: str
    conversation: Conversation
    author: Person
    at: float
    address: Address
    is_direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(_FromPerson):
    """A person wrote something that we can see. `to_others`: it is a reply to, or begins by naming, somebody else."""

    text: str
    mentions_bot: bool = False
    replies_to_bot: bool = False
    to_others: bool = False
    quotes: tuple[Quote, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    type: Literal["message"] = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEdited:
    """A message as it stands after an edit; its `at` is still the time when it was written."""

    message: MessageReceived
    type: Literal["edit"] = "edit"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted:
    """A message is gone. Platforms seldom tell who wrote it."""

    id: str
    conversation: Conversation
    at: float
    type: Literal["delete"] = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandInvoked(_FromPerson):
    """A command of the table in `handlers`, with its options by name. `id` is the interaction's."""

    name: str
    options: tuple[tuple[str, str], ...]
    quotes: tuple[Quote, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    type: Literal["command"] = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTaken(_FromPerson):
    """A person used a control of an answer (a button, Ctrl-C). `turn` is the answer's, empty for the running one.

    `text` is what they wrote with it, such as a better answer.
    """

    action: Action
    turn: str
    text: str = ""
    type: Literal["action"] = "action"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyLapsed:
    """A worker wrote to the reply of turn `id` after its lease had ended: what is shown may be old; it is sent anew."""

    id: str
    conversation: Conversation
    address: Address
    type: Literal["lapse"] = "lapse"


Event = MessageReceived | MessageEdited | MessageDeleted | CommandInvoked | ActionTaken | ReplyLapsed
Question = MessageReceived | CommandInvoked | ActionTaken | ReplyLapsed
"""The events that wait in a lane."""


def lane_of(event: Question) -> str:
    """The lane that a question waits in: one author's in one conversation; a direct message has one lane.

    What needs no model waits behind nobody: it has a lane of its own.
    """
    is_quick = isinstance(event, CommandInvoked) and event.name not in ("ask", "summarise")
    if is_quick or isinstance(event, ReplyLapsed) or (isinstance(event, ActionTaken) and event.action == "why"):
        return f"{event.conversation.key}|!{event.id}"
    return f"{event.conversation.key}|{'' if event.is_direct else event.author.id}"
