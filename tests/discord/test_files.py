"""What the adapter reads at Discord: files, and what was said before, for nobody who may not read it."""

import pytest

from adapters.discord.client import DiscordAdapter
from adapters.discord.options import CDN, Options
from bot.errors import BotError, FileUnreadable, NotAllowed, PlatformUnavailable
from bot.events import Attachment, Conversation, MessageReceived, Person
from bot.ports import Files, Scrollback
from tests.discord.conftest import adapter_with
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Fault
from tests.servers.discord import DiscordServer
from tests.servers.discord_world import HISTORY, PRIVATE_THREAD, VIEW, Channel
from tests.servers.harness import Heard, running

CDN_CALL = "GET /cdn/*"


@pytest.fixture
def reader(server: DiscordServer, shelf: FakeShelf) -> DiscordAdapter:
    """An adapter that takes the fake for the platform's host of files."""
    return adapter_with(server, shelf, Options(file_hosts=frozenset({"127.0.0.1"})))


def a_file(server: DiscordServer, data: bytes = b"0123456789") -> Attachment:
    message = server.world.add_message(server.general, server.alice, "look")
    file = server.world.attach(message, "numbers.txt", "text/plain", data)
    id = f"{server.general.id}/{message.id}/{file.id}"
    return Attachment(id=id, name="numbers.txt", media_type="text/plain", size=len(data))


def test_the_adapter_is_able(adapter: DiscordAdapter) -> None:
    """The core finds both abilities."""
    assert isinstance(adapter, Files)
    assert isinstance(adapter, Scrollback)


async def test_a_file_is_read_by_its_message(server: DiscordServer, reader: DiscordAdapter) -> None:
    """The message is asked for a fresh address each time: the old one expires."""
    file = a_file(server)
    async with running(reader, Heard()):
        assert await reader.read(file, 10) == b"0123456789"
        assert await reader.read(file, 10) == b"0123456789"
    assert len(server.named("GET /channels/*/messages/*")) == 2


@pytest.mark.parametrize("told", [10, 3])
async def test_a_file_that_is_too_large_is_refused(server: DiscordServer, reader: DiscordAdapter, told: int) -> None:
    """By its size before anything is asked for, and by its bytes where its size was wrong."""
    file = a_file(server)
    file = Attachment(id=file.id, name=file.name, media_type=file.media_type, size=told)
    async with running(reader, Heard()):
        with pytest.raises(FileUnreadable, match="too large"):
            await reader.read(file, 5)
    assert bool(server.named(CDN_CALL)) == (told == 3)


async def test_only_discords_hosts_are_asked(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Whatever a message says, nothing is fetched from elsewhere."""
    assert {"cdn.discordapp.com", "media.discordapp.net"} == CDN
    async with running(adapter, Heard()):
        with pytest.raises(FileUnreadable, match="not at Discord"):
            await adapter.read(a_file(server), 100)
    assert server.named(CDN_CALL) == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(match=CDN_CALL, status=404), FileUnreadable),
        (Fault(match=CDN_CALL, status=302, headers={"Location": "http://127.0.0.1:1/"}), FileUnreadable),
        (Fault(match=CDN_CALL, status=503), PlatformUnavailable),
        (Fault(match=CDN_CALL, status=0, times=5), PlatformUnavailable),
        (Fault(match="GET /channels/*/messages/*", status=404, body={"code": 10008}), FileUnreadable),
        (Fault(match="GET /channels/*/messages/*", status=403, body={"code": 50001}), FileUnreadable),
    ],
)
async def test_a_file_that_cannot_be_read_says_why(
    server: DiscordServer, reader: DiscordAdapter, fault: Fault, error: type[BotError]
) -> None:
    """What is gone is told apart from what may come back; a redirect leads nowhere."""
    server.faults.append(fault)
    async with running(reader, Heard()):
        with pytest.raises(BotError) as caught:
            await reader.read(a_file(server), 100)
    assert type(caught.value) is error


async def test_a_file_that_was_taken_away_is_told(server: DiscordServer, reader: DiscordAdapter) -> None:
    """A message may lose its file, and a command's file is known for a day."""
    file = a_file(server)
    server.general.messages[0].attachments.clear()
    old = Attachment(id="interaction/1/2", name="old.txt", media_type="", size=1)
    async with running(reader, Heard()):
        for gone in (file, old):
            with pytest.raises(FileUnreadable, match="not there any more"):
                await reader.read(gone, 100)


# ---- what was said before


def place(channel: Channel, thread: str = "") -> Conversation:
    workspace = channel.guild or "@me"
    return Conversation(platform="discord", workspace=workspace, channel=channel.parent or channel.id, thread=thread)


async def read_back(
    server: DiscordServer, adapter: DiscordAdapter, where: Conversation, reader: str, after: str = "", most: int = 50
) -> list[str]:
    async with running(adapter, Heard()):
        found = await adapter.since(where, Person(id=reader, name="x"), after, most)
    assert all(isinstance(event, MessageReceived) for event in found)
    return [event.text for event in found]


async def test_what_people_said_is_read_in_order(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """From a message on, that one too, the newest of them, people's words alone."""
    said = [server.world.add_message(server.general, server.alice, str(number)) for number in range(6)]
    server.world.add_message(server.general, server.bot, "mine")
    bob = server.world.add_user("Bob")
    assert await read_back(server, adapter, place(server.general), bob.id, after=said[2].id) == ["2", "3", "4", "5"]
    assert await read_back(server, adapter, place(server.general), bob.id, after=said[2].id, most=2) == ["4", "5"]
    assert await read_back(server, adapter, place(server.general), bob.id, most=3) == ["3", "4", "5"]


@pytest.mark.parametrize("right", [VIEW, HISTORY])
async def test_who_may_not_read_there_now_is_refused(
    server: DiscordServer, adapter: DiscordAdapter, right: int
) -> None:
    """The rights of that moment count: in the channel, by its roles; a thread has its channel's."""
    bob = server.world.add_user("Bob")
    starter = server.world.add_message(server.general, server.alice, "secret")
    thread = server.add_thread(server.general, starter)
    denial = {"id": bob.id, "type": 1, "allow": "0", "deny": str(right)}
    server.general.overwrites.append(denial)
    for where in (place(server.general), place(thread, thread.id)):
        with pytest.raises(NotAllowed):
            await read_back(server, adapter, where, bob.id)
    server.general.overwrites.remove(denial)
    assert await read_back(server, adapter, place(server.general), bob.id) == ["secret"]


async def test_strangers_read_nothing(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """Who is in no guild of the channel's, and who is not the one of a direct channel, is refused."""
    bob = server.world.add_user("Bob")
    server.strangers.add(bob.id)
    direct = server.world.add_direct(server.alice)
    server.world.add_message(direct, server.alice, "between us")
    for where in (place(server.general), place(direct)):
        with pytest.raises(NotAllowed):
            await read_back(server, adapter, where, bob.id)
    assert await read_back(server, adapter, place(direct), server.alice.id) == ["between us"]


async def test_a_private_thread_is_for_its_members(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """The right to read the channel is not enough there."""
    bob = server.world.add_user("Bob")
    thread = server.world.add_channel("quiet", type=PRIVATE_THREAD, parent=server.general.id)
    server.world.add_message(thread, server.alice, "among us")
    with pytest.raises(NotAllowed):
        await read_back(server, adapter, place(thread, thread.id), bob.id)
    thread.members.append(bob.id)
    assert await read_back(server, adapter, place(thread, thread.id), bob.id) == ["among us"]
