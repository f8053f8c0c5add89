"""Which channels to read back after an absence: those in which something newer was said than we have seen."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

import discord

MOST = 200
"""Messages that are read back in one channel; discord.py asks for 100 at a time."""
_CHANNELS = 100

Talked = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
Place = Talked | discord.PartialMessageable


def newer(client: discord.Client, shard: int, since: datetime, directs: Sequence[int]) -> list[Place]:
    """Channels and threads of the shard with a message since then, and the direct ones, at most a hundred.

    Discord tells the last message of each channel as it connects, but of direct ones nothing at all.
    """
    after = discord.utils.time_snowflake(since)
    guilds = (guild for guild in client.guilds if guild.shard_id == shard)
    found = (place for guild in guilds for place in _readable(guild, client) if (place.last_message_id or 0) >= after)
    direct = (client.get_partial_messageable(id, type=discord.ChannelType.private) for id in directs)
    return list(islice((*found, *direct), _CHANNELS))


def _readable(guild: discord.Guild, client: discord.Client) -> Iterable[Talked]:
    talked: tuple[Talked, ...] = (*guild.text_channels, *guild.voice_channels, *guild.stage_channels, *guild.threads)
    me = guild.get_member(client.user.id) if client.user else None
    for place in talked:
        is_orphan = isinstance(place, discord.Thread) and place.parent is None
        may = place.permissions_for(me) if me and not is_orphan else None
        if may is None or (may.view_channel and may.read_message_history):
            yield place
