"""What Slack sends, as events of ours; what is surely not for us becomes None (pure: no I/O, no clock)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
_SPOKEN = (None, "file_share", "me_message", "thread_broadcast")
_UNREADABLE = ("tombstone", "hidden_by_limit")
_LEADING = re.compile(r"\s*<(?:@|!subteam\^)(\w+)")
_TITLE_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who we are in one workspace. `has_one_session`: a direct message is one conversation, not one for each thread."""

    team: str
    user: str
    bot: str = ""
    name: str = ""
    has_one_session: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What Slack tells of a person. `team` is the workspace that they belong to, where Slack tells it."""

    name: str
    team: str = ""
    is_admin: bool = False
    is_guest: bool = False
    is_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Who and what is known by name, by id; what is missing stays an id."""

    people: Mapping[str, Profile] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)

    def names(self, seat: Seat) -> dict[str, str]:
        """The names of both, and our own, by id."""
        ours = {seat.user: seat.name} if seat.name else {}
        return ours | {id: profile.name for id, profile in self.people.items()} | dict(self.channels)

    def person(self, id: str) -> Person:
        """This person as an author."""
        profile = self.people.get(id) or Profile(name=id)
        return Person(id=id, name=profile.name, is_bot=profile.is_bot, is_admin=profile.is_admin)


def team_of(raw: Raw) -> str:
    """The workspace that an envelope is for: with Slack Connect that of the installation, not of who wrote."""
    seats = raw.get("authorizations") or [{}]
    team = raw.get("team") or {}
    found = seats[0].get("team_id") or raw.get("team_id") or (team.get("id") if isinstance(team, Mapping) else team)
    return str(found or raw.get("enterprise_id") or "")


def concerned(body: Raw, seat: Seat) -> tuple[str, ...]:
    """The ids whose names `happened` wants to know, the author's first."""
    event = body["event"]
    message = event.get("message") or event
    said = [str(message.get("text") or "")]
    said += [str(one.get("text") or "") for one in message.get("attachments") or ()]
    ids = dict.fromkeys([message.get("user") or "", *ids_in(" ".join(said))])
    return tuple(id for id in ids if id and id != seat.user)


def happened(
    body: Raw, seat: Seat, known: Known = Known()
) -> MessageReceived | MessageEdited | MessageDeleted | ActionTaken | None:
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
    channel, text = where["channel"], str(raw.get("text") or "")
    is_direct = where.get("channel_type") == "im" or channel.startswith("D")
    root = raw.get("thread_ts") or raw["ts"]
    is_ours = re.search(rf"<@{seat.user}(\||>)", text) is not None
    leading = _LEADING.match(text)
    read = readable(text, seat.user, known.names(seat))
    return MessageReceived(
        id=raw["ts"],
        conversation=place(seat, channel, root),
        author=known.person(user),
        text=read,
        at=float(raw["ts"]),
        address=Address(
            channel=channel,
            thread=root,
            reply_to=raw["ts"],
            recipient=f"{home_of(raw, known) or seat.team}/{user}",
            quote=titled(read) if root == raw["ts"] else "",
        ),
        is_direct=is_direct,
        mentions_bot=is_ours,
        replies_to_bot=raw.get("parent_user_id") == seat.user,
        to_others=leading is not None and leading[1] != seat.user,
        quotes=tuple(_forwarded(raw, seat, known)),
        attachments=tuple(_files(raw)),
    )


def place(seat: Seat, channel: str, root: str, person: str = "") -> Conversation:
    """The conversation of a thread, of a direct message that is one session, or of one person's private answers."""
    is_one = bool(person) or (seat.has_one_session and channel.startswith("D"))
    thread = "" if is_one else root
    return Conversation(platform="slack", workspace=seat.team, channel=channel, thread=thread, person=person)


def home_of(raw: Raw, known: Known) -> str:
    """The workspace of who wrote, which with Slack Connect may be another one; empty where nothing tells it."""
    profile = known.people.get(str(raw.get("user")))
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
    where = f"the channel #{known.channels.get(channel, channel)}"
    if isinstance(value, Mapping):
        return Quote(kind="view", text=f"a message in {where}", id=str(value.get("message_ts") or channel))
    kind = str(entity.get("type")).rpartition("/")[2].partition("_")[0]
    return Quote(kind="view", text=where if channel else f"a {kind}", id=str(value or ""))


def titled(text: str) -> str:
    """The beginning of a question, as its session is called."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= _TITLE_CHARACTERS else f"{line[:_TITLE_CHARACTERS].rstrip()}…"


def _forwarded(raw: Raw, seat: Seat, known: Known) -> Iterator[Quote]:
    for one in raw.get("attachments") or ():
        if one.get("is_share") or one.get("is_msg_unfurl"):
            text = readable(str(one.get("text") or one.get("fallback") or ""), seat.user, known.names(seat))
            yield Quote(
                kind="forward", text=text, author=str(one.get("author_name") or ""), id=str(one.get("ts") or "")
            )


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
    channel, root, user = event["channel"], event["thread_ts"], event["user"]
    return ActionTaken(
        id=event["event_ts"],
        conversation=place(seat, channel, root),
        author=known.person(user),
        at=float(event["event_ts"]),
        address=Address(channel=channel, thread=root, recipient=f"{seat.team}/{user}"),
        action="stop",
        turn="",
    )
