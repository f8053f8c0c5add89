"""What a person on Slack sees: a mention, a sign of life, an answer that grows in the thread, and nothing twice."""

import asyncio

from adapters.slack.client import SlackAdapter
from tests.fakes.model import FakeModel
from tests.fakes.reply import FakeDraft
from tests.servers.harness import Heard, answer, running
from tests.servers.slack import SlackServer


async def test_a_mention_is_answered_by_a_streamed_reply(server: SlackServer, adapter: SlackAdapter) -> None:
    """A mention is heard as a question, and its answer grows in one message in the question's thread."""
    heard, more = Heard(), asyncio.Event()
    async with running(adapter, heard):
        question = server.ask(server.general, "how are you?")
        event = await heard.message()
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), FakeModel("I am well. ", more, "And you?")))
        await server.until(lambda: server.general.by(server.bot), "a first post")
        more.set()
        await answering
        await server.until(lambda: not server.waiting, "everything acknowledged")
    [shown] = server.general.by(server.bot)
    assert event.text == "how are you?"
    assert shown.versions == ["I am well.", "I am well. And you?"]
    assert shown.thread_ts == question.ts
    assert shown.text == "I am well. And you?"
    assert shown.pings == ()
    assert server.general.sessions == {question.ts: "active"}
    assert [call.body["status"] for call in server.named("agents.sessions.setStatus")] == ["processing"]
    assert server.general.signs == []
