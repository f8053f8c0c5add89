"""Answers for their asker alone: over the response_url, whole, in its five uses, told plainly when it is dead."""

from dataclasses import replace

import pytest

from adapters.slack.private import PrivateReply
from adapters.slack.workspace import Workspace
from bot.errors import LeaseLost, PlatformUnavailable, ReplyUndeliverable
from bot.events import Address
from bot.ports import Button
from tests.fakes.reply import FakeDraft
from tests.servers.common import Clock, Fault, Json
from tests.servers.slack import SlackServer
from tests.slack.conftest import LIMITS

AGAIN = (Button(action="retry", label="Regenerate", turn="t1"),)


@pytest.fixture
def address(server: SlackServer, clock: Clock) -> Address:
    """That of a private `/ask` of Alice's."""
    where = Address(channel=server.general.id, recipient=f"T0TEAM/{server.alice.id}", is_private=True)
    return replace(where, token=server.acts.response_url(), expires_at=clock.now + 1800.0)


def reply_of(workspace: Workspace, address: Address, draft: FakeDraft, clock: Clock) -> PrivateReply:
    return PrivateReply(workspace, address, draft, LIMITS, 1.0, clock)


def answers(server: SlackServer) -> list[Json]:
    return next(iter(server.acts.responses.values()))


def texts(server: SlackServer) -> list[str]:
    return [body["blocks"][0]["text"] for body in answers(server)]


async def test_a_private_answer_is_shown_to_its_asker_alone(
    server: SlackServer, workspace: Workspace, address: Address, clock: Clock
) -> None:
    """One ephemeral message at the end, harmless, with its controls; nothing in the channel."""
    draft = FakeDraft()
    async with reply_of(workspace, address, draft, clock) as reply:
        reply.show("It is")
        [ref] = await reply.finish("It is <!channel> here.", AGAIN)
    [body] = answers(server)
    assert (body["response_type"], body["replace_original"]) == ("ephemeral", False)
    assert texts(server) == ["It is <\u200b!channel> here."]
    assert body["blocks"][1]["elements"][0]["action_id"] == "parley:retry"
    assert server.general.messages == []
    assert draft.log == ["writing", "ref 0"]
    assert ref.id == "t1.0"


async def test_a_long_private_answer_stays_within_the_uses(
    server: SlackServer, workspace: Workspace, address: Address, clock: Clock
) -> None:
    """Four posts over the response_url; what is longer goes into the asker's direct message: nothing is cut."""
    text = "\n\n".join(f"Paragraph {number}. " + "word " * 400 for number in range(30))
    async with reply_of(workspace, address, FakeDraft(), clock) as reply:
        await reply.finish(text, AGAIN)
    direct = server.world.add_direct(server.alice)
    rest = [message.shown for message in direct.by(server.bot)]
    assert len(texts(server)) == 4
    assert "".join("".join([*texts(server), *rest]).split()) == "".join(text.split())
    assert "parley:retry" in direct.by(server.bot)[-1].buttons
    assert server.general.messages == []


async def test_a_takeover_posts_only_what_is_not_recorded(
    server: SlackServer, workspace: Workspace, address: Address, clock: Clock
) -> None:
    """A message whose post was recorded is not posted again; the others follow."""
    text, draft = "\n\n".join("word " * 1500 for _ in range(3)), FakeDraft(lost_at="intent 1")
    with pytest.raises(LeaseLost):
        async with reply_of(workspace, address, draft, clock) as reply:
            await reply.finish(text)
    assert len(texts(server)) == 1
    later = draft.takeover()
    async with reply_of(workspace, address, later, clock) as reply:
        refs = await reply.finish(text)
    assert "".join("".join(texts(server)).split()) == "".join(text.split())
    assert later.refs == dict(enumerate(refs))


async def test_a_failure_is_told_to_its_asker_alone(
    server: SlackServer, workspace: Workspace, address: Address, clock: Clock
) -> None:
    """The notice stands below what had come."""
    async with reply_of(workspace, address, FakeDraft(), clock) as reply:
        reply.show("As I said")
        await reply.fail("The model broke off.")
    assert texts(server) == ["As I said\n\nThe model broke off."]


@pytest.mark.parametrize(("status", "error"), [(404, ReplyUndeliverable), (500, PlatformUnavailable)])
async def test_what_slack_refuses_is_an_error_of_ours(
    server: SlackServer,
    workspace: Workspace,
    address: Address,
    clock: Clock,
    status: int,
    error: type[Exception],
) -> None:
    """A used or dead response_url is undeliverable; a bad moment of Slack's is not."""
    server.faults.append(Fault(match="respond", status=status))
    with pytest.raises(error):
        async with reply_of(workspace, address, FakeDraft(), clock) as reply:
            await reply.finish("Hello.")


async def test_after_half_an_hour_nothing_is_tried(
    server: SlackServer, workspace: Workspace, address: Address, clock: Clock
) -> None:
    """The response_url has lapsed: the answer is undeliverable, never public."""
    clock.advance(1801.0)
    with pytest.raises(ReplyUndeliverable):
        async with reply_of(workspace, address, FakeDraft(), clock) as reply:
            await reply.finish("Hello.")
    assert (answers(server), server.general.messages) == ([], [])


async def test_a_discarded_private_answer_shows_nothing(
    server: SlackServer, workspace: Workspace, address: Address, clock: Clock
) -> None:
    """Its question is gone before it is answered."""
    draft = FakeDraft()
    async with reply_of(workspace, address, draft, clock) as reply:
        reply.show("It")
        await reply.discard()
    assert (answers(server), draft.refs) == ([], {})
