"""Questions and entries as data, for the tests of the pipeline."""

from bot.events import Address, Conversation, MessageReceived, Person
from bot.settings import Settings
from bot.stored import Entry

AT = 1_700_000_000.0


def place(channel: str = "C1", thread: str = "") -> Conversation:
    """A conversation on a platform that exists only here."""
    return Conversation(platform="test", workspace="W1", channel=channel, thread=thread)


def question(
    id: str, text: str = "?", *, who: str = "ana", channel: str = "C1", thread: str = "", is_direct: bool = False
) -> MessageReceived:
    """A question that mentions the bot."""
    return MessageReceived(
        id=id,
        conversation=place(channel, thread),
        author=Person(id=who, name=who.title()),
        text=text,
        at=AT,
        address=Address(channel=channel, thread=thread, reply_to=id),
        is_direct=is_direct,
        mentions_bot=True,
    )


def entry(event: MessageReceived, kind: str = "asked") -> Entry:
    """The transcript entry of a message."""
    assert kind in ("asked", "heard")
    return Entry(
        id=event.id,
        kind="asked" if kind == "asked" else "heard",
        text=event.text,
        at=event.at,
        author=event.author.id,
        name=event.author.name,
        stamp="Tue 2023-11-14 22:13",
    )


def answer(id: str, text: str, *questions: str, turn: str = "t") -> Entry:
    """The transcript entry of an answer."""
    return Entry(id=id, kind="answer", text=text, at=AT, questions=questions, turn=turn, parts=(id,))


def settings(**changes: object) -> Settings:
    """The default settings but for these, which are not checked (a lease of 0 ends at once)."""
    return Settings().model_copy(update=changes)
