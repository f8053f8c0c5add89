"""What is typed becomes events. Pure: ids and times are given."""

from collections.abc import Mapping

from adapters.console.markup import clean
from bot.events import Action, ActionTaken, Address, CommandInvoked, Conversation, MessageReceived, Person

_CHANNEL = "main"
_PERSON = Person(id="local", name="You", is_admin=True)
_QUOTE_CHARACTERS = 80


def question(platform: str, text: str, id: str, at: float) -> MessageReceived:
    """A question that was typed or piped in."""
    text = clean(text).strip()
    quote = text.partition("\n")[0][:_QUOTE_CHARACTERS]
    to = Address(channel=_CHANNEL, reply_to=id, quote=quote if quote == text else f"{quote}…")
    return MessageReceived(
        id=id, conversation=_conversation(platform), author=_PERSON, text=text, at=at, address=to, is_direct=True
    )


def command(platform: str, name: str, options: Mapping[str, str], id: str, at: float) -> CommandInvoked:
    """A command that was typed, with its options."""
    to = Address(channel=_CHANNEL, reply_to=id, quote=f"/{name}")
    given = tuple(options.items())
    where = _conversation(platform)
    return CommandInvoked(
        id=id, conversation=where, author=_PERSON, name=name, options=given, at=at, address=to, is_direct=True
    )


def action(platform: str, name: Action, id: str, at: float) -> ActionTaken:
    """Ctrl-C while an answer is written, or `/retry`: about the running or the last answer."""
    to = Address(channel=_CHANNEL, reply_to=id, quote=f"/{name}")
    where = _conversation(platform)
    return ActionTaken(
        id=id, conversation=where, author=_PERSON, action=name, turn="", at=at, address=to, is_direct=True
    )


def _conversation(platform: str) -> Conversation:
    return Conversation(platform=platform, workspace="local", channel=_CHANNEL)
