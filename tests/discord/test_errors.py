"""What Discord refuses, over the wire and through discord.py: each refusal is an error of ours with its meaning."""

import discord
import pytest

from adapters.discord.desk import Desk
from adapters.discord.errors import LONGEST_WAIT_S, DeadToken, MissingAccess, ThreadExists, errors_as_ours
from adapters.discord.reply import DiscordSurface
from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable
from bot.events import Address
from tests.discord.conftest import LIMITS
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Fault
from tests.servers.discord import DiscordServer

EDIT, THREADS = "PATCH /channels/*/messages/*", "POST /channels/*/messages/*/threads"


def refusal(status: int, code: int, **headers: str) -> Fault:
    return Fault(match=EDIT, status=status, body={"code": code, "message": "scripted"}, headers=headers)


async def edit_under(server: DiscordServer, client: discord.Client, fault: Fault) -> BotError:
    """What an edit raises under this fault."""
    desk = Desk(client=lambda: client, shelf=FakeShelf(), limits=LIMITS, clock=server.clock)
    asked = server.ask(server.general, "well?")
    surface = DiscordSurface(desk, Address(channel=server.general.id, reply_to=asked.id), "f00d")
    ref = await surface.create(0, "here", ())
    server.faults.append(fault)
    with pytest.raises(BotError) as caught:
        await surface.edit(ref, "there", ())
    assert server.general.by(server.bot)[-1].content == "here"
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, 50013, MissingAccess),
        (403, 50001, MissingAccess),
        (404, 10003, ReplyUndeliverable),
        (404, 10008, MessageGone),
        (400, 50035, ReplyUndeliverable),
        (400, 50006, ReplyUndeliverable),
        (413, 40005, ReplyUndeliverable),
        (404, 10062, DeadToken),
        (400, 40060, DeadToken),
        (401, 50027, DeadToken),
        (400, 20028, PlatformUnavailable),
        (400, 20016, PlatformUnavailable),
        (401, 0, PlatformUnavailable),
        (503, 0, PlatformUnavailable),
        (520, 0, PlatformUnavailable),
        (0, 0, PlatformUnavailable),
    ],
)
async def test_a_refusal_has_its_meaning(
    server: DiscordServer, client: discord.Client, status: int, code: int, error: type[BotError]
) -> None:
    """What can help later is PlatformUnavailable, what cannot is a kind of ReplyUndeliverable; nothing else leaves."""
    assert type(await edit_under(server, client, refusal(status, code))) is error


async def test_a_connection_that_is_reset_is_tried_again(server: DiscordServer, client: discord.Client) -> None:
    """Linux says 104 for it, which discord.py does not try again."""
    with pytest.raises(PlatformUnavailable):
        with errors_as_ours():
            raise ConnectionResetError(104, "Connection reset by peer")


@pytest.mark.parametrize(("asked", "waits_s"), [("7", 7.0), ("90000", LONGEST_WAIT_S), ("soon", 10.0)])
async def test_cloudflares_refusal_is_waited_for(
    server: DiscordServer, client: discord.Client, asked: str, waits_s: float
) -> None:
    """A 429 without `Via` is raised by discord.py at once: it is tried again when its header says."""
    headers = {"Via": "", "Retry-After": asked}
    error = await edit_under(server, client, refusal(429, 0, **headers))
    assert (type(error), error.retry_in_s) == (PlatformUnavailable, waits_s)


async def test_a_wait_of_minutes_is_not_slept_through(server: DiscordServer, client: discord.Client) -> None:
    """discord.py gives up a longer wait than its `max_ratelimit_timeout`; the time that it names is kept."""
    with pytest.raises(PlatformUnavailable) as caught:
        with errors_as_ours():
            raise discord.RateLimited(95.0)
    assert caught.value.retry_in_s == 95.0


async def test_a_thread_that_exists_is_told_apart(server: DiscordServer, client: discord.Client) -> None:
    """Who opens a thread a second time hears that there is one."""
    asked = server.ask(server.general, "well?")
    server.add_thread(server.general, asked)
    channel = await client.fetch_channel(int(server.general.id))
    assert isinstance(channel, discord.TextChannel)
    with pytest.raises(ThreadExists):
        with errors_as_ours():
            await channel.get_partial_message(int(asked.id)).create_thread(name="again")


async def test_only_a_call_with_a_token_blames_the_token(server: DiscordServer, client: discord.Client) -> None:
    """With an interaction's token a 401 or 404 means that it is dead, but for an unknown message."""
    hook = discord.Webhook.partial(int(server.bot.id), "no-such-token", client=client)
    with pytest.raises(DeadToken):
        with errors_as_ours(with_token=True):
            await hook.edit_message(1, content="x")
    server.faults.append(Fault(match="PATCH /webhooks/*", status=404, body={"code": 0, "message": "404: Not Found"}))
    with pytest.raises(DeadToken):
        with errors_as_ours(with_token=True):
            await hook.edit_message(1, content="x")
