"""What people do with commands, shortcuts, buttons and modals, as events of ours (pure: no I/O, no clock)."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from adapters.slack.markup import readable
from adapters.slack.translate import Known, Raw, Seat, address, place, titled
from bot.events import Action, ActionTaken, CommandInvoked, MessageReceived, Quote

_SUBJECT_CHARACTERS = 1_000
"""A modal carries 3,000 characters of ours, as JSON (docs.slack.dev/reference/views)."""
_PRIVATELY = re.compile(r"(^|\s)--private(?=\s|$)")


def pressed(control: Raw) -> tuple[Action, str] | None:
    """Which action a control of an answer means, and for which turn; None where it is none of ours.

    A button has the id `parley:<action>` and its turn as the value. An overflow menu and the feedback buttons have one
    id for all they offer (`parley:more`, `parley:rate`), and the chosen value is `<action>:<turn>`.
    """
    ours, _, named = str(control.get("action_id", "")).partition(":")
    value = str((control.get("selected_option") or control).get("value", ""))
    action, _, turn = value.rpartition(":") if ":" in value else (named, "", value)
    known = next((one for one in get_args(Action) if one == action), None)
    return (known, turn) if ours == "parley" and known is not None else None


def asked(body: Raw, seat: Seat, known: Known, *, root: str, now: float) -> CommandInvoked:
    """`/ask`. `root` is the message of ours that shows the question; without one the answer is the asker's alone."""
    channel, user, question = body["channel_id"], body["user_id"], question_of(body, seat, known)
    where, token = place(seat, channel, root, "" if root else user), "" if root else body["response_url"]
    to = address(seat.whom(user), channel, root, root, quote=titled(question), token=token, at=now)
    ours, asker = (("question", question),), known.person(user)
    return CommandInvoked(
        id=body["trigger_id"], conversation=where, author=asker, at=now, address=to, name="ask", options=ours
    )


def wants_privacy(body: Raw) -> bool:
    """Whether `--private` stands in the command."""
    return _PRIVATELY.search(str(body.get("text") or "")) is not None


def question_of(body: Raw, seat: Seat, known: Known) -> str:
    """The text of `/ask`, without its flag."""
    return readable(_PRIVATELY.sub("", str(body.get("text") or "")), seat.user, known.names(seat)).strip()


def invoked(
    body: Raw, seat: Seat, known: Known, name: str, options: Mapping[str, str], *, is_private: bool, now: float
) -> CommandInvoked:
    """`/parley NAME`, or its dialog sent off: answered to its user alone over the response_url, or to the channel."""
    channel, user = body["channel_id"], body["user_id"]
    where, token = place(seat, channel, "", user if is_private else ""), body["response_url"] if is_private else ""
    to, asker = address(seat.whom(user), channel, "", token=token, at=now), known.person(user)
    given = tuple(options.items())
    return CommandInvoked(
        id=body["trigger_id"], conversation=where, author=asker, at=now, address=to, name=name, options=given
    )


def exclaimed(event: MessageReceived, name: str, options: Mapping[str, str], *, is_private: bool) -> CommandInvoked:
    """`!name` in a thread, where Slack has no slash commands."""
    person = event.author.id if is_private else ""
    return CommandInvoked(
        id=event.id,
        conversation=replace(event.conversation, person=person),
        author=event.author,
        at=event.at,
        address=replace(event.address, is_private=is_private),
        name=name,
        options=tuple(options.items()),
    )


def summarised(body: Raw, seat: Seat, known: Known, *, now: float) -> CommandInvoked:
    """The shortcut `Summarise thread` of a message."""
    message, channel, user = body["message"], body["channel"]["id"], body["user"]["id"]
    root, asker, what = message.get("thread_ts") or message["ts"], known.person(user), (("from", "thread"),)
    where, to = place(seat, channel, root), address(seat.whom(user), channel, root, message["ts"])
    return CommandInvoked(
        id=body["trigger_id"], conversation=where, author=asker, at=now, address=to, name="summarise", options=what
    )


def subject(body: Raw, seat: Seat, known: Known) -> str:
    """What the modal of `Ask about this` carries: where the message is, who wrote it, and its beginning."""
    message = body["message"]
    text = readable(str(message.get("text") or ""), seat.user, known.names(seat))[:_SUBJECT_CHARACTERS]
    author = known.name(message["user"]) if message.get("user") else str(message.get("username") or "")
    root = message.get("thread_ts") or message["ts"]
    return json.dumps([body["channel"]["id"], root, message["ts"], author, text], ensure_ascii=False)


def asked_about(body: Raw, seat: Seat, known: Known, *, now: float) -> CommandInvoked:
    """The modal of `Ask about this`, sent off: a question with the message as its subject."""
    view, user = body["view"], body["user"]["id"]
    channel, root, ts, author, text = json.loads(view["private_metadata"])
    to, asker, what = address(seat.whom(user), channel, root, ts), known.person(user), (("question", written(body)),)
    where, about = place(seat, channel, root), (Quote(kind="subject", text=text, author=author, id=ts),)
    return CommandInvoked(
        id=view["id"], conversation=where, author=asker, at=now, address=to, name="ask", options=what, quotes=about
    )


def acted(body: Raw, seat: Seat, known: Known) -> ActionTaken | None:
    """A button, menu or thumb under an answer."""
    control = body["actions"][0]
    if (found := pressed(control)) is None:
        return None
    (action, turn), user, held = found, body["user"]["id"], body["container"]
    channel, id, at = held["channel_id"], control["action_ts"], float(control["action_ts"])
    is_private = bool(held.get("is_ephemeral"))
    root = "" if is_private else held.get("thread_ts") or held["message_ts"]
    where, who = place(seat, channel, root, user if is_private else ""), known.person(user)
    token = body["response_url"] if is_private else ""
    to = address(seat.whom(user), channel, root, held["message_ts"], token=token, at=at)
    return ActionTaken(id=id, conversation=where, author=who, at=at, address=to, action=action, turn=turn)


def rated(action: ActionTaken) -> str:
    """What the modal for a better answer carries of the thumb that opened it."""
    where, to = action.conversation, action.address
    return json.dumps([where.channel, to.thread, where.person, to.reply_to, action.turn])


def corrected(body: Raw, seat: Seat, known: Known, *, now: float) -> ActionTaken | None:
    """The modal for a better answer, sent off; None where nothing was written into it."""
    channel, root, person, ts, turn = json.loads(body["view"]["private_metadata"])
    if not (text := written(body)):
        return None
    id, user, where = body["view"]["id"], body["user"]["id"], place(seat, channel, root, person)
    to, who = address(seat.whom(user), channel, root, ts), known.person(user)
    return ActionTaken(id=id, conversation=where, author=who, at=now, address=to, action="down", turn=turn, text=text)


def fields(body: Raw) -> dict[str, str]:
    """What stands in the text fields of a modal, by their blocks."""
    values: Raw = body["view"]["state"]["values"]
    return {id: str(field.get("value") or "").strip() for id, block in values.items() for field in block.values()}


def written(body: Raw) -> str:
    """What stands in the one text field of a modal."""
    [block] = body["view"]["state"]["values"].values()
    [field] = block.values()
    return str(field.get("value") or "").strip()
