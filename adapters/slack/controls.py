"""What people do with commands, shortcuts, buttons and modals, as events of ours (pure: no I/O, no clock)."""

import json
import re
from collections.abc import Iterator
from typing import get_args

from adapters.slack.markup import readable
from adapters.slack.translate import Known, Raw, Seat, place, titled
from bot.events import Action, ActionTaken, Address, CommandInvoked, Quote

RESPONSE_URL_S = 1_800.0
"""A response_url is good for half an hour (docs.slack.dev/interactivity/handling-user-interaction)."""
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
    token = "" if root else body["response_url"]
    return CommandInvoked(
        id=body["trigger_id"],
        conversation=place(seat, channel, root, "" if root else user),
        author=known.person(user),
        at=now,
        address=Address(
            channel=channel,
            thread=root,
            reply_to=root,
            recipient=f"{seat.team}/{user}",
            quote=titled(question),
            token=token,
            expires_at=now + RESPONSE_URL_S if token else 0.0,
            is_private=not root,
        ),
        name="ask",
        options=(("question", question),),
    )


def wants_privacy(body: Raw) -> bool:
    """Whether `--private` stands in the command."""
    return _PRIVATELY.search(str(body.get("text") or "")) is not None


def question_of(body: Raw, seat: Seat, known: Known) -> str:
    """The text of `/ask`, without its flag."""
    return readable(_PRIVATELY.sub("", str(body.get("text") or "")), seat.user, known.names(seat)).strip()


def summarised(body: Raw, seat: Seat, known: Known, *, now: float) -> CommandInvoked:
    """The shortcut `Summarise thread` of a message."""
    message, channel, user = body["message"], body["channel"]["id"], body["user"]["id"]
    root = message.get("thread_ts") or message["ts"]
    return CommandInvoked(
        id=body["trigger_id"],
        conversation=place(seat, channel, root),
        author=known.person(user),
        at=now,
        address=Address(channel=channel, thread=root, reply_to=message["ts"], recipient=f"{seat.team}/{user}"),
        name="summarise",
        options=(("from", "thread"),),
    )


def subject(body: Raw, seat: Seat, known: Known) -> str:
    """What the modal of `Ask about this` carries: where the message is, who wrote it, and its beginning."""
    message = body["message"]
    text = readable(str(message.get("text") or ""), seat.user, known.names(seat))[:_SUBJECT_CHARACTERS]
    author = known.person(message["user"]).name if message.get("user") else str(message.get("username") or "")
    root = message.get("thread_ts") or message["ts"]
    return json.dumps([body["channel"]["id"], root, message["ts"], author, text], ensure_ascii=False)


def asked_about(body: Raw, seat: Seat, known: Known, *, now: float) -> CommandInvoked:
    """The modal of `Ask about this`, sent off: a question with the message as its subject."""
    channel, root, ts, author, text = json.loads(body["view"]["private_metadata"])
    user = body["user"]["id"]
    return CommandInvoked(
        id=body["view"]["id"],
        conversation=place(seat, channel, root),
        author=known.person(user),
        at=now,
        address=Address(channel=channel, thread=root, reply_to=ts, recipient=f"{seat.team}/{user}"),
        name="ask",
        options=(("question", written(body)),),
        quotes=(Quote(kind="subject", text=text, author=author, id=ts),),
    )


def acted(body: Raw, seat: Seat, known: Known) -> ActionTaken | None:
    """A button, menu or thumb under an answer."""
    control = body["actions"][0]
    if (found := pressed(control)) is None:
        return None
    (action, turn), user, held = found, body["user"]["id"], body["container"]
    channel, shown = held["channel_id"], body.get("message") or {}
    root = held.get("thread_ts") or shown.get("thread_ts") or held["message_ts"]
    is_private = bool(held.get("is_ephemeral"))
    return ActionTaken(
        id=control["action_ts"],
        conversation=place(seat, channel, root, user if is_private else ""),
        author=known.person(user),
        at=float(control["action_ts"]),
        address=Address(
            channel=channel,
            thread="" if is_private else root,
            reply_to=held["message_ts"],
            recipient=f"{seat.team}/{user}",
            token=body["response_url"] if is_private else "",
            expires_at=float(control["action_ts"]) + RESPONSE_URL_S if is_private else 0.0,
            is_private=is_private,
        ),
        action=action,
        turn=turn,
    )


def rated(action: ActionTaken) -> str:
    """What the modal for a better answer carries of the thumb that opened it."""
    where, to = action.conversation, action.address
    return json.dumps([where.key, to.channel, to.thread, to.reply_to, action.turn])


def corrected(body: Raw, seat: Seat, known: Known, *, now: float) -> ActionTaken | None:
    """The modal for a better answer, sent off; None where nothing was written into it."""
    key, channel, thread, reply_to, turn = json.loads(body["view"]["private_metadata"])
    user = body["user"]["id"]
    if not (text := written(body)):
        return None
    _, _, _, root, person = [*key.split(":"), ""][:5]
    return ActionTaken(
        id=body["view"]["id"],
        conversation=place(seat, channel, root, person),
        author=known.person(user),
        at=now,
        address=Address(
            channel=channel, thread=thread, reply_to=reply_to, recipient=f"{seat.team}/{user}", is_private=bool(person)
        ),
        action="down",
        turn=turn,
        text=text,
    )


def written(body: Raw) -> str:
    """What stands in the one text field of a modal."""
    return "".join(_fields(body)).strip()


def _fields(body: Raw) -> Iterator[str]:
    for block in body["view"]["state"]["values"].values():
        for field in block.values():
            yield field.get("value") or ""
