"""What Slack sends, as events of ours; what is surely not for us becomes None (pure: no I/O, no clock)."""

from collections.abc import Mapping
from typing import Any, get_args

from adapters.slack.markup import readable
from bot.events import Action, Address, Conversation, MessageReceived, Person

_SPOKEN = (None, "file_share", "me_message", "thread_broadcast")


def received(body: Mapping[str, Any], bot: str) -> MessageReceived | None:
    """A message that a person wrote; the author's name is the id until names are looked up.

    One post with a mention comes as `message` and as `app_mention`, with the same channel and ts: either is enough.
    Each top-level message is the root of its own conversation and is answered in its thread.
    """
    event = body["event"]
    is_spoken = event["type"] in ("message", "app_mention") and event.get("subtype") in _SPOKEN
    if not is_spoken or event.get("bot_id") or event.get("user") in (None, bot, "USLACKBOT"):
        return None
    channel, root, text = event["channel"], event.get("thread_ts") or event["ts"], event.get("text") or ""
    return MessageReceived(
        id=event["ts"],
        conversation=Conversation(platform="slack", workspace=body["team_id"], channel=channel, thread=root),
        author=Person(id=event["user"], name=event["user"]),
        text=readable(text, bot),
        at=float(event["ts"]),
        address=Address(channel=channel, thread=root, reply_to=event["ts"], recipient=event["user"]),
        is_direct=event.get("channel_type") == "im",
        mentions_bot=f"<@{bot}>" in text or f"<@{bot}|" in text,
        replies_to_bot=event.get("parent_user_id") == bot,
    )


def pressed(control: Mapping[str, Any]) -> tuple[Action, str] | None:
    """Which action a control of an answer means, and for which turn; None where it is none of ours.

    A button has the id `parley:<action>` and its turn as the value. An overflow menu and the feedback buttons have one
    id for all they offer (`parley:more`, `parley:rate`), and the chosen value is `<action>:<turn>`.
    """
    ours, _, named = str(control.get("action_id", "")).partition(":")
    value = str((control.get("selected_option") or control).get("value", ""))
    action, _, turn = value.rpartition(":") if ":" in value else (named, "", value)
    known = next((one for one in get_args(Action) if one == action), None)
    return (known, turn) if ours == "parley" and known is not None else None
