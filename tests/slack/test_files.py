"""Files that hang at questions, and what was said before: who may have them, and what is said where nobody may."""

from collections.abc import AsyncIterator

import pytest
from yarl import URL

from adapters.slack.client import SlackAdapter
from adapters.slack.files import _is_slacks
from bot.errors import FileUnreadable, NotAllowed, PlatformUnavailable
from bot.events import Attachment, Conversation, Person
from bot.ports import Files, Scrollback
from tests.servers.common import Fault
from tests.servers.harness import Heard, running
from tests.servers.slack import SlackServer
from tests.servers.slack_acts import File
from tests.servers.slack_world import TEAM, Channel, User

PNG = b"\x89PNG\r\n" + bytes(1000)


@pytest.fixture
async def connected(adapter: SlackAdapter) -> AsyncIterator[SlackAdapter]:
    async with running(adapter, Heard()):
        yield adapter


def hung(file: File) -> Attachment:
    return Attachment(id=file.id, name=file.name, media_type=file.mimetype, size=len(file.data))


def test_the_adapter_has_both_abilities(adapter: SlackAdapter) -> None:
    """The core finds that it can read files, and what was said before."""
    assert isinstance(adapter, Files)
    assert isinstance(adapter, Scrollback)


# ---- files


async def test_a_file_is_read_with_the_token(server: SlackServer, connected: SlackAdapter) -> None:
    """Its bytes come as they are, an HTML file's too."""
    for name, kind, data in (("a.png", "image/png", PNG), ("a.html", "text/html", b"<!DOCTYPE html><p>mine</p>")):
        assert await connected.read(hung(server.acts.add_file(name, kind, data)), 10_000) == data


async def test_a_file_of_slack_connect_is_asked_about(server: SlackServer, adapter: SlackAdapter) -> None:
    """An event may carry a bare id (`check_file_info`): the file is still told, and read."""
    heard, file = Heard(), server.acts.add_file("a.png", "image/png", PNG)
    async with running(adapter, heard):
        server.acts.share(server.world.add_direct(server.alice), "this", file, is_bare=True)
        [attachment] = (await heard.message()).attachments
        assert (attachment.id, attachment.size) == (file.id, 0)
        assert await adapter.read(attachment, 10_000) == PNG


@pytest.mark.parametrize("kind", ["image/png", "text/html", "text/plain"])
async def test_a_login_page_is_a_missing_scope(server: SlackServer, connected: SlackAdapter, kind: str) -> None:
    """Without files:read Slack answers 200 with a page in HTML: that is said, and the page is never the file."""
    file = server.acts.add_file("a.file", kind, b"data")
    file.is_open = False
    with pytest.raises(FileUnreadable, match="files:read is missing"):
        await connected.read(hung(file), 10_000)


@pytest.mark.parametrize(
    ("error", "reason"),
    [("missing_scope", "files:read is missing"), ("file_not_found", "Slack no longer has it")],
)
async def test_a_file_that_slack_does_not_give_is_told(
    server: SlackServer, connected: SlackAdapter, error: str, reason: str
) -> None:
    """What Slack says to the question about the file becomes a sentence that names it."""
    file = server.acts.add_file("plan.txt", "text/plain", b"data")
    server.faults.append(Fault(match="files.info", status=200, body={"ok": False, "error": error}))
    with pytest.raises(FileUnreadable, match=reason) as caught:
        await connected.read(hung(file), 10_000)
    assert caught.value.notice.startswith("I couldn't read plan.txt: ")


async def test_a_file_has_a_limit(server: SlackServer, connected: SlackAdapter) -> None:
    """A file that is too large is refused before it is fetched, and one that lies about its size while it comes."""
    file = server.acts.add_file("a.png", "image/png", PNG)
    with pytest.raises(FileUnreadable, match="larger than 1,000 bytes"):
        await connected.read(hung(file), 1_000)
    assert server.named("download") == []
    told = {"ok": True, "file": file.json() | {"size": 1}}
    server.faults.append(Fault(match="files.info", status=200, body=told))
    with pytest.raises(FileUnreadable, match="larger than 1,000 bytes"):
        await connected.read(hung(file), 1_000)


@pytest.mark.parametrize("status", [429, 503, 0])
async def test_a_file_may_come_later(server: SlackServer, connected: SlackAdapter, status: int) -> None:
    """What may help later is told so."""
    file = server.acts.add_file("a.png", "image/png", PNG)
    server.faults.append(Fault(match="download", status=status, times=2))
    with pytest.raises(PlatformUnavailable):
        await connected.read(hung(file), 10_000)


async def test_the_token_goes_nowhere_else(server: SlackServer, connected: SlackAdapter) -> None:
    """A file that is kept elsewhere is not fetched, for the token would go along."""
    file = server.acts.add_file("a.png", "image/png", PNG, url="https://example.com/a.png")
    with pytest.raises(FileUnreadable, match="not kept on Slack"):
        await connected.read(hung(file), 10_000)


@pytest.mark.parametrize(
    ("url", "is_slacks"),
    [
        ("https://files.slack.com/a", True),
        ("https://slack.com/a", True),
        ("http://files.slack.com/a", False),
        ("https://slack.com.example.com/a", False),
        ("https://notslack.com/a", False),
        ("https://user@example.com/slack.com", False),
        ("", False),
        ("/a", False),
        ("http://slack-gov.com:8/a", True),
        ("http://slack-gov.com/a", False),
        ("https://files.slack-gov.com/a", True),
        ("https://notslack-gov.com/a", False),
    ],
)
def test_which_hosts_are_slacks(url: str, is_slacks: bool) -> None:
    """Over TLS to slack.com and below, or to where the Web API is."""
    assert _is_slacks(URL(url), "http://slack-gov.com:8/api/") is is_slacks


# ---- what was said before


def place(channel: Channel, thread: str = "") -> Conversation:
    return Conversation(platform="slack", workspace=TEAM, channel=channel.id, thread=thread)


def reader(user: User) -> Person:
    return Person(id=user.id, name=user.name)


async def test_a_thread_is_read_from_a_message_on(server: SlackServer, connected: SlackAdapter) -> None:
    """People's messages, oldest first, by their names; what bots wrote is left out; the newest ones where too many."""
    root = server.world.add_message(server.general, server.alice, "root")
    for number in range(250):
        author = server.bot if number % 10 == 9 else server.alice
        server.world.add_message(server.general, author, f"reply {number}", thread_ts=root.ts)
    where, who = place(server.general, root.ts), reader(server.alice)
    everything = await connected.since(where, who, "", 1_000)
    assert [message.text for message in everything][:3] == ["root", "reply 0", "reply 1"]
    assert len(everything) == 226
    assert {message.author.name for message in everything} == {"Alice"}
    assert {message.conversation for message in everything} == {where}
    newest = await connected.since(where, who, everything[100].id, 5)
    assert newest == everything[-5:]
    assert (await connected.since(where, who, everything[220].id, 100)) == everything[220:]


async def test_a_channel_is_read_from_its_end(server: SlackServer, connected: SlackAdapter) -> None:
    """Of a channel only as many pages as are needed, the newest ones."""
    for number in range(450):
        server.world.add_message(server.general, server.alice, f"talk {number}")
    found = await connected.since(place(server.general), reader(server.alice), "", 150)
    assert [message.text for message in found] == [f"talk {number}" for number in range(300, 450)]
    assert len(server.named("conversations.history")) == 1


async def test_only_who_may_read_a_channel_now_is_read_to(server: SlackServer, connected: SlackAdapter) -> None:
    """A public channel is open to full members; a private one, and any to a guest, to who is in it now."""
    guest, secret = server.world.add_user("Gus", is_guest=True), server.world.add_channel("secret", is_private=True)
    stranger = server.world.add_user("Stan", team="T0OTHER")
    for channel in (server.general, secret):
        server.world.add_message(channel, server.alice, "said")
    assert len(await connected.since(place(server.general), reader(server.alice), "", 9)) == 1
    for channel, user in ((server.general, guest), (server.general, stranger), (secret, server.alice)):
        with pytest.raises(NotAllowed) as caught:
            await connected.since(place(channel), reader(user), "", 9)
        assert caught.value.notice == "You are not in that channel, so I don't read it for you."
        channel.members.add(user.id)
        assert len(await connected.since(place(channel), reader(user), "", 9)) == 1


async def test_what_slack_refuses_is_not_read(server: SlackServer, connected: SlackAdapter) -> None:
    """A missing scope, or a channel where we are not, is a refusal with a reason; trouble may pass."""
    where, who = place(server.general), reader(server.alice)
    for code, notice in (("missing_scope", "Slack does not let me"), ("not_in_channel", "I'm not in that channel")):
        server.faults.append(Fault(match="conversations.*", status=200, body={"ok": False, "error": code}))
        with pytest.raises(NotAllowed) as caught:
            await connected.since(where, who, "", 9)
        assert caught.value.notice.startswith(notice)
    server.faults.append(Fault(match="conversations.*", status=503))
    with pytest.raises(PlatformUnavailable):
        await connected.since(where, who, "", 9)
