"""What a person on Discord sees: a mention, a sign of life, an answer that grows, and nothing twice."""

import asyncio

from adapters.discord.client import DiscordAdapter
from tests.fakes.model import FakeModel
from tests.fakes.reply import FakeDraft
from tests.servers.discord import DiscordServer
from tests.servers.harness import Heard, answer, running


async def test_a_mention_is_answered_by_a_streamed_reply(server: DiscordServer, adapter: DiscordAdapter) -> None:
    """A mention is heard as a question, and its answer grows in one message that replies to it."""
    heard = Heard()
    more = asyncio.Event()
    async with running(adapter, heard):
        question = server.ask(server.general, "how are you?")
        event = await heard.message()
        answering = asyncio.create_task(answer(adapter, event, FakeDraft(), FakeModel("I am well. ", more, "And you?")))
        await server.until(lambda: server.general.by(server.bot), "a first post")
        more.set()
        await answering
    [shown] = server.general.by(server.bot)
    assert event.text == "how are you?"
    assert shown.versions == ["I am well.", "I am well. And you?"]
    assert shown.reply_to == question.id
    assert shown.pings == ()
    assert server.general.typed
