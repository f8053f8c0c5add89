"""What discord.py tells us of messages, as events of ours; what is surely not for us becomes None (pure)."""

from collections.abc import Iterable, Iterator

import discord

from adapters.discord.markup import named_first, readable
from bot.events import Address, Attachment, Conversation, MessageDeleted, MessageReceived, Person, Quote

_SPOKEN = (discord.MessageType.default, discord.MessageType.reply)
DIRECT = "@me"
"""The workspace of what is direct."""
_QUOTED, _CHAIN = 100, 4
"""Characters of a question that name its thread, and messages of a chain of replies that are quoted, at most."""


def received(message: discord.Message, bot: int, *, opens_threads: bool = False) -> MessageReceived | None:
    """A message that a person wrote. With `opens_threads` a question in a text channel belongs to a thread of its own.

    Stickers and embeds are no words: a message of nothing else is none, and so is one whose text is kept from us.
    """
    author, channel = message.author, message.channel
    if author.bot or message.webhook_id or message.type not in _SPOKEN:
        return None
    targets, forwarded = replied_to(message, bot), tuple(_forwarded(message))
    mentions_bot, first = bot in message.raw_mentions, named_first(message.content)
    replies_to_bot = bool(targets) and targets[0].author.id == bot
    text, files = _read(message, bot), tuple(_files(message))
    if not (text.strip() or files or forwarded or mentions_bot):
        return None
    is_own_thread = opens_threads and (mentions_bot or replies_to_bot) and isinstance(channel, discord.TextChannel)
    id, guild = str(message.id), guild_of(message)
    thread, quote = (id, text[:_QUOTED]) if is_own_thread else ("", "")
    may = author.guild_permissions if isinstance(author, discord.Member) else None
    return MessageReceived(
        id=id,
        conversation=conversation_of(channel, guild, thread=thread),
        author=person_of(author, may),
        text=text,
        at=message.created_at.timestamp(),
        address=Address(channel=str(channel.id), thread=thread, reply_to=id, recipient=str(author.id), quote=quote),
        is_direct=guild is None,
        mentions_bot=mentions_bot,
        replies_to_bot=replies_to_bot,
        to_others=first not in (None, bot) or (bool(targets) and not replies_to_bot),
        quotes=(*(_quoted(target, bot) for target in reversed(targets)), *forwarded),
        attachments=files,
    )


def deleted(
    ids: Iterable[int], channel: discord.abc.Snowflake, guild: int | None, at: float, *, opens_threads: bool = False
) -> Iterator[MessageDeleted]:
    """Messages are gone. Where questions open threads nobody tells whether one of these did: so it is told of both."""
    for id in ids:
        for thread in ("", str(id)) if opens_threads and isinstance(channel, discord.TextChannel) else ("",):
            yield MessageDeleted(id=str(id), conversation=conversation_of(channel, guild, thread=thread), at=at)


def conversation_of(
    channel: discord.abc.Snowflake, guild: int | None, *, thread: str = "", person: str = ""
) -> Conversation:
    """Where a transcript lives: a thread in its parent channel. What is direct shares a workspace."""
    home, workspace = str(channel.id), str(guild or DIRECT)
    if isinstance(channel, discord.Thread):
        home, thread = str(channel.parent_id), home
    return Conversation(platform="discord", workspace=workspace, channel=home, thread=thread, person=person)


def guild_of(message: discord.Message) -> int | None:
    """The guild, also where it is unavailable now; None for what is direct."""
    guild: int | None = message.guild.id if message.guild else getattr(message.channel, "guild_id", None)
    return guild


def person_of(user: discord.User | discord.Member, permissions: discord.Permissions | None) -> Person:
    """A person by the name that others read there; who may manage guild or channels is an admin."""
    may = permissions or discord.Permissions.none()
    is_admin = may.administrator or may.manage_guild or may.manage_channels
    return Person(id=str(user.id), name=user.display_name, is_bot=user.bot, is_admin=is_admin)


def replied_to(message: discord.Message, bot: int) -> list[discord.Message]:
    """The chain of messages that this one replies to, as far as it is known, the nearest first.

    Our own messages end it: the transcript knows what stood before them.
    """
    chain: list[discord.Message] = []
    while (link := message.reference) and link.type is discord.MessageReferenceType.reply and len(chain) < _CHAIN:
        if not isinstance(link.resolved, discord.Message) or message.author.id == bot:
            break
        message = link.resolved
        chain.append(message)
    return chain


def text_of(message: discord.Message | discord.MessageSnapshot) -> str:
    """The words of a message, also of one that is made of components."""
    return "\n\n".join(filter(None, (message.content, *_displayed(message.components))))


def attachment_of(file: discord.Attachment, channel: int, message: int) -> Attachment:
    """A file by the message that it hangs at: its address expires, the message gives a fresh one."""
    id, kind = f"{channel}/{message}/{file.id}", file.content_type or ""
    return Attachment(id=id, name=file.filename, media_type=kind.partition(";")[0], size=file.size)


def _read(message: discord.Message, bot: int) -> str:
    return readable(text_of(message), bot, {user.id: user.display_name for user in message.mentions})


def _quoted(message: discord.Message, bot: int) -> Quote:
    return Quote(kind="reply", text=_read(message, bot), author=message.author.display_name, id=str(message.id))


def _forwarded(message: discord.Message) -> Iterator[Quote]:
    origin = message.reference and message.reference.message_id
    for snapshot in message.message_snapshots:
        yield Quote(kind="forward", text=text_of(snapshot), id=str(origin or ""))


def _files(message: discord.Message) -> Iterator[Attachment]:
    holders: tuple[discord.Message | discord.MessageSnapshot, ...] = (message, *message.message_snapshots)
    for file in (file for holder in holders for file in holder.attachments):
        yield attachment_of(file, message.channel.id, message.id)


def _displayed(components: Iterable[discord.Component]) -> Iterator[str]:
    for component in components:
        if isinstance(component, discord.TextDisplay):
            yield component.content
        elif isinstance(component, discord.Container | discord.SectionComponent):
            yield from _displayed(component.children)
