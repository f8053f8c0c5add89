"""What Slack sends, as events of ours; what is surely not for us becomes None (pure: no I/O, no clock)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.slack.markup import ids_in, readable
from bot.events import (
    ActionTaken,
    Address,
    Attachment,
    Conversation,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Person,
    Quote,
)

Raw = Mapping[str, Any]
Told = MessageReceived | MessageEdited | MessageDeleted | ActionTaken
_SPOKEN = (None, "file_share", "me_message", "thread_broadcast")
_UNREADABLE = ("tombstone", "hidden_by_limit")
_LEADING = re.compile(r"\s*<(?:@|!subteam\^)(\w+)")
_TITLE_CHARACTERS = 60
RESPONSE_URL_S = 1_800.0
"""A response_url is good for half an hour (docs.slack.dev/interactivity/handling-user-interaction)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who we are in one workspace. `has_one_session`: a direct message is one conversation, not one for each thread."""

    team: str
    user: str
    bot: str = ""
    name: str = ""
    has_one_session: bool = False

    def whom(self, user: str, home: str = "") -> str:
        """A recipient as a stream wants one: the workspace that they belong to (ours, or `home`) and their id."""
        return f"{home or self.team}/{user}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What Slack tells of a person, or of a channel. `team` is the workspace of a person, where Slack tells it."""

    name: str
    team: str = ""
    is_admin: bool = False
    is_guest: bool = False
    is_bot: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """People and channels of whom Slack has told us more than the id, by id."""

    by_id: Mapping[str, Profile] = field(default_factory=dict)

    def name(self, id: str) -> str:
        """What others read; of somebody who is not known, the id."""
        return self.by_id[id].name if id in self.by_id else id

    def names(self, seat: Seat) -> dict[str, str]:
        """All names, and our own, by id."""
        ours = {seat.user: seat.name} if seat.name else {}
        return ours | {id: profile.name for id, profile in self.by_id.items()}

    def person(self, id: str) -> Person:
        """This person as an author."""
        profile = self.by_id.get(id) or Profile(name=id)
        return Person(id=id, name=profile.name, is_bot=profile.is_bot, is_admin=profile.is_admin)


def concerned(body: Raw, seat: Seat) -> tuple[str, ...]:
    """The ids whose names `happened` wants to know, the author's first."""
    event = body["event"]
    message = event.get("message") or event
    said = [str(message.get("text") or "")]
    said += [str(one.get("text") or "") for one in message.get("attachments") or ()]
    ids = dict.fromkeys([message.get("user") or "", *ids_in(" ".join(said))])
    return tuple(id for id in ids if id and id != seat.user)


def happened(body: Raw, seat: Seat, known: Known = Known()) -> Told | None:
    """What an event of the Events API means.

    One post with a mention comes as `message` and as `app_mention`, with the same channel and ts: either is enough.
    A mention that was added by an edit comes as an app_mention with `edited`, and as message_changed.
    """
    event = body["event"]
    match event.get("type"), event.get("subtype"):
        case "agent_session_stopped", _:
            return _stopped(event, seat, known)
        case "message", "message_changed":
            return _changed(event, seat, known)
        case "message", "message_deleted":
            return _deleted(event, event.get("previous_message") or {}, seat)
        case "message" | "app_mention", subtype if subtype in _SPOKEN:
            message = said(event, event, seat, known)
            return MessageEdited(message=message) if message and event.get("edited") else message
    return None


def said(raw: Raw, where: Raw, seat: Seat, known: Known) -> MessageReceived | None:
    """A message that a person wrote. `where` names its channel, which a message inside another event does not.

    Each top-level message is the root of its own conversation and is answered in its thread.
    """
    user = raw.get("user")
    if raw.get("bot_id") or raw.get("bot_profile") or user in (None, seat.user, "USLACKBOT"):
        return None
    channel, text, ts, names = where["channel"], str(raw.get("text") or ""), raw["ts"], known.names(seat)
    root, read, leading = raw.get("thread_ts") or ts, readable(text, seat.user, names), _LEADING.match(text)
    title = titled(read) if root == ts else ""
    return MessageReceived(
        id=ts,
        conversation=place(seat, channel, root),
        author=known.person(user),
        text=read,
        at=float(ts),
        address=address(seat.whom(user, home_of(raw, known)), channel, root, ts, quote=title),
        is_direct=where.get("channel_type") == "im" or channel.startswith("D"),
        mentions_bot=re.search(rf"<@{seat.user}(\||>)", text) is not None,
        replies_to_bot=raw.get("parent_user_id") == seat.user,
        to_others=leading is not None and leading[1] != seat.user,
        quotes=tuple(_forwarded(raw, seat, names)),
        attachments=tuple(_files(raw)),
    )


def address(
    whom: str, channel: str, root: str, reply_to: str = "", *, quote: str = "", token: str = "", at: float = 0.0
) -> Address:
    """Where a reply goes; by a response_url (`token`, taken at `at`) it is the asker's alone."""
    to = Address(channel=channel, thread=root, reply_to=reply_to, recipient=whom, quote=quote)
    return replace(to, token=token, expires_at=at + RESPONSE_URL_S, is_private=True) if token else to


def place(seat: Seat, channel: str, root: str, person: str = "") -> Conversation:
    """The conversation of a thread, of a direct message that is one session, or of one person's private answers."""
    is_one = bool(person) or (seat.has_one_session and channel.startswith("D"))
    thread = "" if is_one else root
    return Conversation(platform="slack", workspace=seat.team, channel=channel, thread=thread, person=person)


def home_of(raw: Raw, known: Known) -> str:
    """The workspace of who wrote, which with Slack Connect may be another one; empty where nothing tells it."""
    profile = known.by_id.get(str(raw.get("user")))
    return str(raw.get("user_team") or raw.get("team") or (profile.team if profile else ""))


def viewed_channel(entity: Raw) -> str:
    """The channel of what somebody is viewing; empty where it is in none."""
    value = entity.get("value")
    if isinstance(value, Mapping):
        return str(value.get("channel_id") or "")
    return str(value or "") if str(entity.get("type")).endswith("/channel_id") else ""


def viewed(entity: Raw, known: Known) -> Quote:
    """What somebody is viewing: where it is, never what stands there.

    The entities are those of docs.slack.dev/reference/events/app_context_changed.
    """
    channel, value = viewed_channel(entity), entity.get("value")
    where = f"the channel #{known.name(channel)}"
    if isinstance(value, Mapping):
        return Quote(kind="view", text=f"a message in {where}", id=str(value.get("message_ts") or channel))
    kind = str(entity.get("type")).rpartition("/")[2].partition("_")[0]
    return Quote(kind="view", text=where if channel else f"a {kind}", id=str(value or ""))


def titled(text: str) -> str:
    """The beginning of a question, as its session is called."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _TITLE_CHARACTERS else f"{line[:_TITLE_CHARACTERS].rstrip()}…"


def _forwarded(raw: Raw, seat: Seat, names: Mapping[str, str]) -> Iterator[Quote]:
    for one in raw.get("attachments") or ():
        if one.get("is_share") or one.get("is_msg_unfurl"):
            text = readable(str(one.get("text") or one.get("fallback") or ""), seat.user, names)
            author, id = str(one.get("author_name") or ""), str(one.get("ts") or "")
            yield Quote(kind="forward", text=text, author=author, id=id)


def _files(raw: Raw) -> Iterator[Attachment]:
    for one in raw.get("files") or ():
        if one.get("mode") not in _UNREADABLE:
            name, kind = one.get("name") or one.get("title") or one["id"], one.get("mimetype") or ""
            yield Attachment(id=one["id"], name=name, media_type=kind, size=int(one.get("size") or 0))


def _changed(event: Raw, seat: Seat, known: Known) -> MessageEdited | MessageDeleted | None:
    """An edit of the text. Links that unfold, replies that are counted and our own edits change no text.

    A root that is deleted while it has answers becomes a tombstone.
    """
    new, old = event["message"], event.get("previous_message") or {}
    if new.get("subtype") == "tombstone":
        return _deleted(event, old or new, seat)
    if new.get("subtype") not in _SPOKEN or new.get("text") == old.get("text"):
        return None
    message = said(new, event, seat, known)
    return None if message is None else MessageEdited(message=message)


def _deleted(event: Raw, old: Raw, seat: Seat) -> MessageDeleted | None:
    if old.get("bot_id") or old.get("user") == seat.user:
        return None
    ts = event.get("deleted_ts") or old["ts"]
    where = place(seat, event["channel"], old.get("thread_ts") or ts)
    return MessageDeleted(id=ts, conversation=where, at=float(event.get("event_ts") or event["ts"]))


def _stopped(event: Raw, seat: Seat, known: Known) -> ActionTaken:
    """Slack's own Stop button: which turn runs in the thread is for the core to know."""
    channel, root, user, id = event["channel"], event["thread_ts"], event["user"], event["event_ts"]
    where, who, to = place(seat, channel, root), known.person(user), address(seat.whom(user), channel, root)
    return ActionTaken(id=id, conversation=where, author=who, at=float(id), address=to, action="stop", turn="")
