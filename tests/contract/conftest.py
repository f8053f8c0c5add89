"""The stage of the contract suite: each platform's rig with its adapter running."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.events import Event, MessageReceived
from bot.ports import Admission, Reply
from tests.contract.rig import Platform, Rig, platforms
from tests.fakes import FakeDraft


class Stage:
    """A running adapter. `questions` are what was admitted and is addressed to the bot, each once."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.questions: asyncio.Queue[MessageReceived] = asyncio.Queue()
        self.seen_ids: set[tuple[str, str]] = set()

    async def intake(self, event: Event) -> Admission:
        """As the inbox does it: a message is taken once, however often and in whatever shape it comes."""
        if not isinstance(event, MessageReceived):
            return Admission.ADMITTED
        identity = (event.conversation.channel_key, event.id)
        if identity in self.seen_ids:
            return Admission.DUPLICATE
        if not (event.is_direct or event.mentions_bot or event.replies_to_bot):
            return Admission.IGNORED
        self.seen_ids.add(identity)
        self.questions.put_nowait(event)
        return Admission.ADMITTED

    async def asked(self, text: str = "What is new?", *, author: str = "ada") -> MessageReceived:
        """A person asks; the question as it was admitted."""
        await self.rig.say(text, author=author)
        async with asyncio.timeout(10):
            return await self.questions.get()

    def reply(self, question: MessageReceived, draft: FakeDraft) -> Reply:
        """The adapter's reply to the question."""
        return self.rig.adapter.reply(question.address, draft)

    async def sees(self, *texts: str) -> bool:
        """Whether readers see exactly these messages of the bot, apart from white space at their ends."""
        return [text.strip() for text in await self.rig.seen()] == list(texts)


@asynccontextmanager
async def _stage(platform: Platform) -> AsyncIterator[Stage]:
    async with platform.open_rig() as rig:
        stage, ready = Stage(rig), asyncio.Event()
        running = asyncio.create_task(rig.adapter.run(stage.intake, ready.set))
        async with asyncio.timeout(20):
            await ready.wait()
        yield stage
        running.cancel()
        await asyncio.wait([running])
        await rig.adapter.close()


@pytest.fixture(params=platforms(), ids=lambda platform: platform.name)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Every platform."""
    async with _stage(request.param) as stage:
        yield stage


@pytest.fixture(params=[platform for platform in platforms() if platform.edits], ids=lambda platform: platform.name)
async def editing(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Every platform whose messages can be edited and deleted."""
    async with _stage(request.param) as stage:
        yield stage
