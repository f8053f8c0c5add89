"""Answers to commands: in the response that Discord waits for, and behind it; nothing private in public."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import discord
import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.direct import OriginalSurface
from bot.errors import LeaseLost, MessageGone, ReplyUndeliverable
from bot.events import Address, MessageRef
from bot.ports import Button
from tests.fakes.reply import FakeDraft
from tests.servers.common import Clock, Fault
from tests.servers.discord import DiscordServer, Interaction
from tests.servers.harness import Heard, running

TURN = "f00d" * 8
LONG = "\n\n".join(f"{number}. " + "word " * 100 for number in range(12))
PATCH_ORIGINAL = "PATCH /webhooks/*"


@pytest.fixture
async def life(server: DiscordServer, adapter: DiscordAdapter) -> AsyncIterator[DiscordAdapter]:
    """The adapter, connected: it knows the channels in which it is a member. Its time is the server's."""
    adapter._desk = replace(adapter._desk, clock=server.clock)
    async with running(adapter, Heard()):
        yield adapter


async def deferred(server: DiscordServer, *, is_private: bool = False) -> Interaction:
    """A command that was used some seconds ago, and that we have said we think about."""
    used = server.command(server.general, "no-such-command", {})
    server._callback(used.id, used.token, {"type": 5, "data": {"flags": 64 if is_private else 0}})
    if isinstance(server.clock, Clock):
        server.clock.advance(10.0)
    return used


def address_of(server: DiscordServer, used: Interaction) -> Address:
    return Address(
        channel=used.channel,
        recipient=server.alice.id,
        token=used.token,
        expires_at=server.clock() + 890.0,
        is_private=used.is_private,
    )


def surface_of(server: DiscordServer, adapter: DiscordAdapter, used: Interaction, turn: str = TURN) -> OriginalSurface:
    return OriginalSurface(adapter._desk, address_of(server, used), turn)


def shown(server: DiscordServer) -> list[str]:
    return [message.content for message in server.general.by(server.bot)]


@pytest.mark.parametrize("is_private", [False, True])
async def test_the_answer_grows_in_the_response(server: DiscordServer, life: DiscordAdapter, is_private: bool) -> None:
    """No further message: the response that was deferred becomes the answer, with Stop while it grows."""
    used = await deferred(server, is_private=is_private)
    draft = FakeDraft(TURN)
    async with life.reply(address_of(server, used), draft) as reply:
        reply.show("One. ")
        await server.until(lambda: shown(server) == ["One."], "a first text")
        words = ":private" if is_private else ""
        assert server.general.by(server.bot)[0].buttons == [f"parley:stop:{TURN}{words}"]
        await reply.finish("One. Two.")
    assert shown(server) == ["One. Two."]
    assert draft.refs == {0: MessageRef(channel=server.general.id, id=used.message)}
    assert server.named("POST /channels/*") == []


async def test_a_long_public_answer_goes_on_in_the_channel(server: DiscordServer, life: DiscordAdapter) -> None:
    """What does not fit into the response are ordinary messages that reply to it."""
    used = await deferred(server)
    async with life.reply(address_of(server, used), FakeDraft(TURN)) as reply:
        await reply.finish(LONG)
    assert "".join("".join(shown(server)).split()) == "".join(LONG.split())
    assert [message.reply_to for message in server.general.by(server.bot)[1:]] == [used.message] * (
        len(shown(server)) - 1
    )


async def test_a_long_private_answer_is_attached_to_its_response(server: DiscordServer, life: DiscordAdapter) -> None:
    """Discord cannot find follow-ups again, so there are none: the response carries the whole."""
    used = await deferred(server, is_private=True)
    async with life.reply(address_of(server, used), FakeDraft(TURN)) as reply:
        reply.show(LONG[:3000])
        await asyncio.sleep(0.05)
        await reply.finish(LONG)
    [message] = server.general.by(server.bot)
    assert message.files == [LONG]
    assert message.content.endswith("in the file.)*")
    assert {call.name.split()[0] for call in server.named("*/webhooks/*")} == {"PATCH"}


async def test_where_we_may_not_write_only_the_response_is_written(server: DiscordServer, life: DiscordAdapter) -> None:
    """The response needs no rights, so a long answer is attached to it; nobody is told of the channel."""
    used, draft = await deferred(server), FakeDraft(TURN)
    refusal = {"code": 50013, "message": "Missing Permissions"}
    server.faults.append(Fault(match="POST /channels/*/messages", status=403, body=refusal, times=9))
    async with life.reply(address_of(server, used), draft) as reply:
        await reply.finish(LONG)
    assert [message.files for message in server.general.by(server.bot)] == [[LONG]]
    assert [ref.id for ref in draft.refs.values() if ref] == [used.message]
    assert server.named("POST /users/@me/channels") == []


# ---- when the token ends


async def test_past_fourteen_minutes_the_answer_goes_on_as_ordinary_messages(
    server: DiscordServer, life: DiscordAdapter, clock: Clock
) -> None:
    """Its response is then edited like any message of ours, and the rest follows in the channel."""
    used, draft = await deferred(server), FakeDraft(TURN)
    address = address_of(server, used)
    async with life.reply(address, draft) as reply:
        reply.show("One. ")
        await server.until(lambda: shown(server) == ["One."], "a first text")
        clock.advance(841.0)
        server.calls.clear()
        await reply.finish("One. " + LONG)
    assert "".join("".join(shown(server)).split()) == "".join(("One. " + LONG).split())
    assert server.named("*/webhooks/*") == []


async def test_an_answer_that_begins_after_the_token_is_an_ordinary_message(
    server: DiscordServer, life: DiscordAdapter, clock: Clock
) -> None:
    """Nobody is left without an answer because it came late."""
    used = await deferred(server)
    address = address_of(server, used)
    clock.advance(1000.0)
    async with life.reply(address, FakeDraft(TURN)) as reply:
        await reply.finish("Late.")
    assert shown(server) == ["", "Late."]


@pytest.mark.parametrize(("status", "code"), [(404, 0), (401, 50027), (404, 10062), (404, 10015)])
async def test_a_token_that_dies_early_is_no_loss(
    server: DiscordServer, life: DiscordAdapter, status: int, code: int
) -> None:
    """Discord at times refuses a valid token (discord-api-docs#6851): the message is edited without it."""
    used, draft = await deferred(server), FakeDraft(TURN)
    async with life.reply(address_of(server, used), draft) as reply:
        reply.show("One. ")
        await server.until(lambda: shown(server) == ["One."], "a first text")
        fault = Fault(match=PATCH_ORIGINAL, status=status, body={"code": code, "message": "scripted"}, times=9)
        server.faults.append(fault)
        await reply.finish("One. Two.")
    assert shown(server) == ["One. Two."]


async def test_a_private_answer_whose_token_is_dead_is_undeliverable(
    server: DiscordServer, life: DiscordAdapter, clock: Clock
) -> None:
    """It never goes where others would read it."""
    used = await deferred(server, is_private=True)
    surface = surface_of(server, life, used)
    ref = await surface.create(0, "psst", ())
    clock.advance(841.0)
    calls: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: surface.create(0, "psst", ()),
        lambda: surface.edit(ref, "psst!", ()),
        lambda: surface.attach(ref, "psst!", (), "whole"),
        lambda: surface.delete(ref),
    )
    for call in calls:
        with pytest.raises(ReplyUndeliverable):
            await call()
    assert shown(server) == ["psst"]
    assert server.named("POST /channels/*") == []
    assert await surface.find() == []


async def test_a_response_that_was_deleted(server: DiscordServer, life: DiscordAdapter) -> None:
    """A public answer then stands in the channel, a private one is over."""
    for is_private in (False, True):
        used = await deferred(server, is_private=is_private)
        surface = surface_of(server, life, used)
        ref = await surface.create(0, "first", ())
        message = server.world.find(ref.id)
        assert message is not None
        server.delete(message)
        with pytest.raises(MessageGone):
            await surface.edit(ref, "second", ())
        if is_private:
            with pytest.raises(ReplyUndeliverable):
                await surface.create(0, "second", ())
        else:
            await surface.create(0, "second", ())
    assert shown(server) == ["second"]


# ---- once, whoever dies


@pytest.mark.parametrize("is_private", [False, True])
@pytest.mark.parametrize("lost_at", ["writing", "ref 0", "intent 1", "ref 1"])
async def test_a_takeover_writes_the_same_response(
    server: DiscordServer, life: DiscordAdapter, lost_at: str, is_private: bool
) -> None:
    """There is one response: whoever takes over edits it; messages behind it are found by their reply to it."""
    used = await deferred(server, is_private=is_private)
    draft = FakeDraft(TURN, lost_at=lost_at)
    try:
        async with life.reply(address_of(server, used), draft) as reply:
            await reply.finish(LONG)
    except LeaseLost:
        pass
    later = draft.takeover()
    async with life.reply(address_of(server, used), later) as reply:
        await reply.finish(LONG)
    first, *others = server.general.by(server.bot)
    assert first.id == used.message
    if is_private:
        assert (others, first.files) == ([], [LONG])
    else:
        assert "".join("".join(shown(server)).split()) == "".join(LONG.split())
    assert sorted(ref.id for ref in later.refs.values() if ref) == [first.id, *(one.id for one in others)]


async def test_a_takeover_after_the_token_finds_what_is_there(
    server: DiscordServer, life: DiscordAdapter, clock: Clock
) -> None:
    """Without the token the response is recognised by its Stop button, and finished in its place."""
    used = await deferred(server)
    address = address_of(server, used)
    stop = (Button(action="stop", label="Stop", turn=TURN),)
    await surface_of(server, life, used).create(0, "half an ans", stop)
    clock.advance(1000.0)
    later = FakeDraft(TURN, is_takeover=True)
    async with life.reply(address, later) as reply:
        await reply.finish("A whole answer.")
    assert shown(server) == ["A whole answer."]


async def test_a_discarded_answer_takes_its_response_along(
    server: DiscordServer, life: DiscordAdapter, clock: Clock
) -> None:
    """With the token or, later, without."""
    for late_s in (0.0, 1000.0):
        used = await deferred(server)
        async with life.reply(address_of(server, used), FakeDraft(TURN)) as reply:
            reply.show("One. ")
            await server.until(lambda: shown(server) == ["One."], "a first text")
            clock.advance(late_s)
            await reply.discard()
        assert shown(server) == []


@pytest.mark.parametrize("status", [0, 503])
async def test_a_response_whose_answer_is_lost_is_written_again(
    server: DiscordServer, life: DiscordAdapter, status: int
) -> None:
    """Writing it twice changes nothing, so it is tried again."""
    used = await deferred(server)
    server.faults.append(Fault(match=PATCH_ORIGINAL, status=status, is_applied=True))
    async with life.reply(address_of(server, used), FakeDraft(TURN)) as reply:
        await reply.finish("Here.")
    assert shown(server) == ["Here."]


async def test_webhook_edit_message_takes_the_name_of_the_original(server: DiscordServer, life: DiscordAdapter) -> None:
    """`Webhook.edit_message` and `fetch_message` put whatever they get into the address: "@original" too."""
    used = await deferred(server)
    hook = discord.Webhook.partial(int(server.bot.id), used.token, client=life._rest())
    message = await hook.edit_message("@original", content="x")  # type: ignore[call-overload]
    assert (str(message.id), server.calls[-1].name.rpartition("/")[2]) == (used.message, "@original")
    assert str((await hook.fetch_message("@original")).id) == used.message  # type: ignore[arg-type]


@pytest.mark.parametrize("is_private", [False, True])
async def test_an_answer_that_is_faster_than_the_acknowledgement_waits_for_it(
    server: DiscordServer, life: DiscordAdapter, is_private: bool
) -> None:
    """Until Discord has heard that we think there is no response to write into: that is no dead token."""
    server.faults.append(Fault(match="POST /interactions/*/callback", status=200, is_held=True))
    used = server.command(server.general, "ask", {"question": "why?", "private": is_private})
    await server.until(lambda: server.held, "an acknowledgement on its way")
    address = replace(address_of(server, used), expires_at=server.clock() + 900.0, is_private=is_private)
    async with life.reply(address, FakeDraft(TURN)) as reply:
        finishing = asyncio.create_task(reply.finish("Quick."))
        await server.until(lambda: server.named(PATCH_ORIGINAL), "a first attempt")
        server.release()
        await finishing
    assert shown(server) == ["Quick."]
    assert server.general.by(server.bot)[0].id == used.message
    assert server.named("POST /channels/*") == []
