"""Reads what lies at Discord: the files of a question, and what was said in a channel, for who may read there."""

import asyncio

import aiohttp
import discord
from yarl import URL

from adapters.discord.errors import errors_as_ours
from adapters.discord.options import Options
from adapters.discord.texts import TEXTS
from adapters.discord.translate import attachment_of, received
from bot.errors import FileUnreadable, NotAllowed, PlatformUnavailable, ReplyUndeliverable
from bot.events import Attachment, Conversation, MessageReceived, Person
from bot.ports import Shelf

_FILE_S = 30.0
_CHUNK = 65_536
Place = discord.Thread | discord.abc.GuildChannel
_LOOKED_AT = 5
"""How many messages are looked at for each one that is wanted: bots and systems write too."""


async def read(client: discord.Client, shelf: Shelf, options: Options, file: Attachment, most: int) -> bytes:
    """The port `bot.ports.Files`. The address is asked for anew: it expires within a day."""
    if file.size > most:
        raise FileUnreadable(file.name, f"it is too large ({file.size:,} bytes; I read {most:,})")
    try:
        with errors_as_ours():
            async with asyncio.timeout(_FILE_S):
                address = URL(await _address(client, shelf, file))
                if address.host not in options.file_hosts:
                    raise FileUnreadable(file.name, "it is not at Discord")
                return await _fetched(address, file, most)
    except ReplyUndeliverable as error:
        raise FileUnreadable(file.name, "it is gone, or I may not see it") from error


async def _address(client: discord.Client, shelf: Shelf, file: Attachment) -> str:
    channel, message_id, _ = file.id.split("/")
    if channel == "interaction":
        known = await shelf.get(f"file:{file.id}")
    else:
        message = await client.get_partial_messageable(int(channel)).fetch_message(int(message_id))
        copies = [one for copy in message.message_snapshots for one in copy.attachments]
        ids = {attachment_of(one, int(channel), message.id).id: one.url for one in (*message.attachments, *copies)}
        known = ids.get(file.id)
    if known is None:
        raise FileUnreadable(file.name, "it is not there any more")
    return known


async def _fetched(address: URL, file: Attachment, most: int) -> bytes:
    async with (
        aiohttp.ClientSession(trust_env=True) as session,
        session.get(address, allow_redirects=False) as answer,
    ):
        if answer.status >= 500:
            raise PlatformUnavailable(f"{file.name}: status {answer.status}")
        if answer.status != 200:
            raise FileUnreadable(file.name, "it is gone")
        data = bytearray()
        async for chunk in answer.content.iter_chunked(_CHUNK):
            data += chunk
            if len(data) > most:
                raise FileUnreadable(file.name, f"it is too large (more than {most:,} bytes)")
        return bytes(data)


async def since(
    client: discord.Client, place: Conversation, reader: Person, after: str, most: int
) -> list[MessageReceived]:
    """The port `bot.ports.Scrollback`: for a reader who may see the channel and read its history at this moment."""
    found: list[MessageReceived] = []
    with errors_as_ours():
        channel = await client.fetch_channel(int(place.thread or place.channel))
        if not await _may_read(client, channel, int(reader.id)):
            raise NotAllowed(place.key, notice=TEXTS["unreadable"])
        first = discord.Object(int(after) - 1) if after else None
        if isinstance(channel, discord.abc.Messageable):
            async for message in channel.history(limit=most * _LOOKED_AT, after=first, oldest_first=False):
                if len(found) < most and (event := received(message, client.user.id if client.user else 0)):
                    found.append(event)
    return found[::-1]


def may_read_content(client: discord.Client) -> bool:
    """Whether the application has the privileged intent, granted or (below the size for which one asks) switched on."""
    flags = client.application.flags if client.application else discord.ApplicationFlags()
    return flags.gateway_message_content or flags.gateway_message_content_limited


async def rights(client: discord.Client, channel: Place, person: int) -> discord.Permissions:
    """What a person may do there now, asked of Discord each time: no cache of members is kept. A thread's are its
    channel's. Raises what discord.py raises: NotFound where they are not in the guild."""
    guild = await client.fetch_guild(channel.guild.id, with_counts=False)
    member = await guild.fetch_member(person)
    ruling = await guild.fetch_channel(channel.parent_id if isinstance(channel, discord.Thread) else channel.id)
    return discord.Permissions.none() if isinstance(ruling, discord.Thread) else ruling.permissions_for(member)


async def _may_read(client: discord.Client, channel: object, reader: int) -> bool:
    if isinstance(channel, discord.DMChannel):
        return any(person.id == reader for person in channel.recipients)
    if not isinstance(channel, Place):
        return False
    try:
        may = await rights(client, channel, reader)
        if isinstance(channel, discord.Thread) and channel.is_private() and not may.manage_threads:
            await channel.fetch_member(reader)
    except discord.NotFound:
        return False
    return may.view_channel and may.read_message_history
