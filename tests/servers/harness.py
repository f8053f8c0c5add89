"""Runs an adapter against its wire fake: an intake that remembers, and the adapter's life around a test."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bot.errors import BotError
from bot.events import Event, MessageReceived
from bot.ports import Adapter, Admission, Draft, Intake, Model, ModelRequest, TextDelta
from tests.servers.common import Watched


class Heard(Watched):
    """An intake: `events` are what was admitted. `errors` are raised first, one for each call."""

    def __init__(self, *, errors: Iterable[BotError] = ()) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.refused: list[Event] = []
        self._errors = list(errors)

    async def __call__(self, event: Event) -> Admission:
        error = self._errors.pop(0) if self._errors else None
        (self.events if error is None else self.refused).append(event)
        self.note()
        if error is not None:
            raise error
        return Admission.ADMITTED

    @property
    def messages(self) -> list[MessageReceived]:
        return [event for event in self.events if isinstance(event, MessageReceived)]

    async def message(self, number: int = 1) -> MessageReceived:
        """The message that was heard as the `number`th."""
        await self.until(lambda: len(self.messages) >= number, f"{number} messages heard")
        return self.messages[number - 1]


class Life(Watched):
    """How often an adapter has been ready."""

    def __init__(self) -> None:
        super().__init__()
        self.readies = 0

    def ready(self) -> None:
        self.readies += 1
        self.note()


@asynccontextmanager
async def running(adapter: Adapter, intake: Intake) -> AsyncIterator[Life]:
    """The adapter connected; on leaving it is stopped, then closed. An error that ends its run is raised."""
    life = Life()
    run = asyncio.create_task(adapter.run(intake, life.ready))
    run.add_done_callback(lambda _: life.note())
    try:
        await life.until(lambda: life.readies or run.done(), "the adapter ready")
        if run.done():
            run.result()
        yield life
    finally:
        run.cancel()
        await asyncio.wait({run})
        await adapter.close()


async def answer(adapter: Adapter, event: MessageReceived, draft: Draft, model: Model) -> str:
    """The smallest core: what the model streams is shown and finished as the reply to the event."""
    text = ""
    async with adapter.reply(event.address, draft) as reply:
        async for delta in model.stream(ModelRequest(messages=())):
            if isinstance(delta, TextDelta):
                text += delta.text
                reply.show(text)
        await reply.finish(text)
    return text
