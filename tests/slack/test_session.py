"""The sign that an answer is under way: Slack's session with its Stop button, or a status, and never one left on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.slack.reply import reply_at
from adapters.slack.session import Session, sweep
from adapters.slack.workspace import Workspace
from bot.errors import ReplyUndeliverable
from bot.events import Address
from tests.fakes.reply import FakeDraft
from tests.fakes.shelf import FakeShelf
from tests.servers.common import Fault
from tests.servers.harness import Heard, running
from tests.servers.slack import SlackServer
from tests.slack.conftest import LIMITS, adapter_of


@pytest.fixture
async def thread(server: SlackServer) -> str:
    """The thread of a question of Alice's."""
    return server.ask(server.general, "well?").ts


def address_of(server: SlackServer, thread: str) -> Address:
    return Address(channel=server.general.id, thread=thread, reply_to=thread, quote="well?")


@pytest.fixture
async def session(server: SlackServer, workspace: Workspace, thread: str) -> AsyncIterator[Session]:
    """A session at work, as a reply keeps it."""
    session = Session(workspace, server.general.id, thread, "well?")
    staying = asyncio.create_task(session.stay())
    yield session
    staying.cancel()


async def kept(workspace: Workspace) -> None:
    """Wait until the session is on the Shelf."""
    async with asyncio.timeout(5):
        while not await workspace.sessions.holders():
            await asyncio.sleep(0)


async def test_a_session_is_processing_until_the_answer_stands(
    server: SlackServer, workspace: Workspace, thread: str
) -> None:
    """At once, with the question as its title; released at the end, and forgotten."""
    async with reply_at(workspace, address_of(server, thread), FakeDraft(), limits=LIMITS) as reply:
        await server.until(lambda: server.general.sessions.get(thread) == "processing", "the native sign")
        await kept(workspace)
        await reply.finish("Well.")
    assert server.general.sessions == {thread: "active"}
    assert server.general.titles == {thread: "well?"}
    assert await workspace.sessions.holders() == {}
    assert server.general.signs == []


async def test_an_answer_that_is_tried_again_stays_under_way(
    server: SlackServer, workspace: Workspace, thread: str
) -> None:
    """A reply that is left without an end keeps the sign: another attempt follows."""
    async with reply_at(workspace, address_of(server, thread), FakeDraft(), limits=LIMITS):
        await server.until(lambda: server.general.sessions.get(thread) == "processing", "the native sign")
    assert server.general.sessions == {thread: "processing"}


async def test_an_answer_that_can_never_be_shown_ends_its_sign(
    server: SlackServer, workspace: Workspace, thread: str
) -> None:
    """Nobody tries again, so nothing is under way."""
    server.faults.append(Fault(match="chat.postMessage", status=200, body={"ok": False, "error": "is_archived"}))
    async with reply_at(workspace, address_of(server, thread), FakeDraft(), limits=LIMITS) as reply:
        await server.until(lambda: server.general.sessions.get(thread) == "processing", "the native sign")
        with pytest.raises(ReplyUndeliverable):
            await reply.finish("Well.")
    assert server.general.sessions == {thread: "active"}


@pytest.mark.parametrize("code", ["not_authorized", "unknown_method", "missing_scope"])
async def test_an_app_that_is_no_agent_shows_a_status(
    server: SlackServer, workspace: Workspace, thread: str, code: str
) -> None:
    """The two signs write one slot of Slack's, so it is one or the other; what is refused for good is let be."""
    server.faults.append(
        Fault(match="agents.sessions.setStatus", status=200, body={"ok": False, "error": code}, times=99)
    )
    for turn in ("t1", "t2"):
        async with reply_at(workspace, address_of(server, thread), FakeDraft(turn), limits=LIMITS) as reply:
            await server.until(lambda: thread in server.general.statuses, "the older sign")
            await reply.finish("Well.")
    assert len(server.named("agents.sessions.setStatus")) == 1
    assert server.general.signs == ["is thinking…"] * 2
    assert server.general.sessions == {}


async def test_a_refusal_for_one_thread_is_none_for_the_workspace(
    server: SlackServer, workspace: Workspace, session: Session, thread: str
) -> None:
    """A thread that Slack does not know does not turn the native sign off elsewhere."""
    await Session(workspace, server.general.id, "1.1", "").begin()
    await session.begin()
    assert server.general.sessions == {thread: "processing"}


async def test_a_takeover_releases_what_a_dead_process_began(
    server: SlackServer, workspace: Workspace, thread: str
) -> None:
    """Who died had set the sign and told nobody; the next worker may set none of its own, and releases it."""
    await Session(workspace, server.general.id, thread, "").begin()
    server.faults.append(Fault(match="agents.sessions.setStatus", status=429, headers={"Retry-After": "0"}))
    draft = FakeDraft(is_takeover=True)
    async with reply_at(workspace, address_of(server, thread), draft, limits=LIMITS) as reply:
        await server.until(lambda: thread in server.general.statuses or server.general.signs, "the older sign")
        await reply.finish("Well.")
    assert server.general.sessions == {thread: "active"}


async def test_sessions_of_dead_processes_are_swept(
    server: SlackServer, workspace: Workspace, session: Session, thread: str
) -> None:
    """One that nobody stays with any more is released by any process, once; one at work is left alone."""
    await session.begin()
    await kept(workspace)
    await sweep(workspace)
    assert server.general.sessions == {thread: "processing"}
    shelf = workspace.shelf
    assert isinstance(shelf, FakeShelf)
    del shelf.kept[f"alive:{server.general.id}:{thread}"]  # its minute is over
    await sweep(workspace)
    await sweep(workspace)
    assert server.general.sessions == {thread: "active"}
    assert [call.body["status"] for call in server.named("agents.sessions.setStatus")] == ["processing", "active"]


async def test_an_adapter_sweeps_when_it_starts(server: SlackServer, thread: str) -> None:
    """What a killed process has left is released by the next one that starts."""
    shelf = FakeShelf()
    shelf.kept["T0TEAM:session:7"] = f"{server.general.id}:{thread}"
    server.general.sessions[thread] = "processing"
    async with running(adapter_of(server, shelf), Heard()):
        await server.until(lambda: server.general.sessions[thread] == "active", "it is released")
    assert not any(key.startswith("T0TEAM:session:") for key in shelf.kept)


async def test_a_store_that_is_away_takes_no_sign_from_the_person(
    server: SlackServer, workspace: Workspace, session: Session
) -> None:
    """Neither a sign nor a sweep fails for it."""
    shelf = workspace.shelf
    assert isinstance(shelf, FakeShelf)
    shelf.is_away = True
    await session.begin()
    await sweep(workspace)
    await session.end()
