"""What discord.py and aiohttp raise, as errors of ours: nothing of theirs leaves the adapter."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import discord

from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable, SettingsInvalid

LONGEST_WAIT_S = 120.0
"""Longer waits that Discord asks for are asked for again after this time."""


class MissingAccess(ReplyUndeliverable):
    """We may not see this channel, or not write in it."""


class BadReference(ReplyUndeliverable):
    """Discord refuses what a message is to reply to."""


class ThreadExists(ReplyUndeliverable):
    """The message has its thread already."""


class ThreadArchived(ReplyUndeliverable):
    """The thread must be unarchived before anything in it changes."""

    notice = "This thread is archived, and I may not open it again."


class DeadToken(ReplyUndeliverable):
    """The interaction's token is void, answered by another, or too old."""


class TooOld(MessageGone):
    """A message of more than an hour takes no more edits."""


_BY_CODE: dict[int, type[BotError]] = {
    10008: MessageGone,
    10015: DeadToken,  # the webhook that an interaction's token stands for
    10062: DeadToken,
    20016: PlatformUnavailable,  # slow mode
    20028: PlatformUnavailable,  # the channel's own limit of writes
    30046: TooOld,
    40060: DeadToken,
    50001: MissingAccess,
    50013: MissingAccess,
    50027: DeadToken,
    50083: ThreadArchived,
    160002: BadReference,  # a reply needs the right to read the history
    160004: ThreadExists,
}
"""Discord's error codes (its page "Opcodes and Status Codes") that mean more than their HTTP status."""
_NEVER = (400, 403, 404, 405, 413)


@contextmanager
def errors_as_ours(*, with_token: bool = False) -> Iterator[None]:
    """Turn what is raised into PlatformUnavailable (again later) or a kind of ReplyUndeliverable (never).

    Where Discord does not let us in at all it becomes SettingsInvalid. `with_token`: the call is made with an
    interaction's token instead of ours, so a refusal of it means the token.
    """
    try:
        yield
    except (discord.LoginFailure, discord.PrivilegedIntentsRequired) as error:
        raise SettingsInvalid([f"DISCORD_TOKEN: {error}"]) from error
    except discord.RateLimited as error:
        raise PlatformUnavailable(str(error), retry_in_s=min(LONGEST_WAIT_S, error.retry_after)) from error
    except discord.HTTPException as error:
        raise _of_answer(error, with_token=with_token) from error
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        raise PlatformUnavailable(str(error)) from error


def _of_answer(error: discord.HTTPException, *, with_token: bool) -> BotError:
    if error.code == 50035 and "message_reference" in error.text:
        return BadReference(str(error))
    if kind := _BY_CODE.get(error.code):
        return kind(str(error))
    if with_token and error.status in (401, 404):
        return DeadToken(str(error))
    if error.status == 429:  # without `Via` it comes from Cloudflare, and discord.py does not wait
        asked = error.response.headers.get("Retry-After", "")
        wait_s = float(asked) if asked.replace(".", "", 1).isdigit() else 10.0
        return PlatformUnavailable(str(error), retry_in_s=min(LONGEST_WAIT_S, wait_s))
    return (ReplyUndeliverable if error.status in _NEVER else PlatformUnavailable)(str(error))
