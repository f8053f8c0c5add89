"""What discord.py tells us, as events of ours; what is surely not for us becomes None (pure: no I/O, no clock)."""

import discord

from adapters.discord.markup import readable
from bot.events import Address, Conversation, MessageReceived, Person

_SPOKEN = (discord.MessageType.default, discord.MessageType.reply)


def received(message: discord.Message, bot: int) -> MessageReceived | None:
    """A message that a person wrote. Direct messages share the workspace `@me`, as in Discord's own links."""
    author, channel, target = message.author, message.channel, message.reference and message.reference.resolved
    if author.bot or message.webhook_id or message.type not in _SPOKEN:
        return None
    guild_id = message.guild.id if message.guild else getattr(channel, "guild_id", None)
    parent, thread = (channel.parent_id, str(channel.id)) if isinstance(channel, discord.Thread) else (channel.id, "")
    where = Conversation(platform="discord", workspace=str(guild_id or "@me"), channel=str(parent), thread=thread)
    return MessageReceived(
        id=str(message.id),
        conversation=where,
        author=Person(id=str(author.id), name=author.display_name),
        text=readable(message.content, bot, {user.id: user.display_name for user in message.mentions}),
        at=message.created_at.timestamp(),
        address=Address(channel=str(channel.id), reply_to=str(message.id), recipient=str(author.id)),
        is_direct=guild_id is None,
        mentions_bot=bot in message.raw_mentions,
        replies_to_bot=isinstance(target, discord.Message) and target.author.id == bot,
    )
