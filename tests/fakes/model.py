"""A model that answers with what the test gave it."""

import asyncio
from collections.abc import AsyncGenerator

from bot.errors import ModelError
from bot.ports import Finished, ModelRequest, StreamEvent, TextDelta, Usage

Step = str | StreamEvent | ModelError | asyncio.Event | float


class FakeModel:
    """`FakeModel("he", "llo")` streams two deltas, then Usage, then Finished; every call gives the same answer.

    A step may also be: a stream event (yielded as it is; a Finished ends the stream), a ModelError (raised), an Event
    (waited for), a number (seconds that pass; for a VirtualLoop). `then` holds the models that answer the later calls,
    the last of them all that follow. `requests` are the calls so far, `closed` counts the streams closed before their
    end.
    """

    def __init__(self, *steps: Step, then: tuple["FakeModel", ...] = (), name: str = "fake/model") -> None:
        self.steps = steps
        self.then = then
        self.name = name
        self.requests: list[ModelRequest] = []
        self.closed = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]:
        """The next answer; `Usage` counts the characters of the input and the deltas."""
        steps = (self, *self.then)[min(len(self.requests), len(self.then))].steps
        self.requests.append(request)
        deltas = 0
        try:
            for step in steps:
                match step:
                    case str():
                        deltas += 1
                        yield TextDelta(step)
                    case ModelError():
                        raise step
                    case asyncio.Event():
                        await step.wait()
                    case float() | int():
                        await asyncio.sleep(step)
                    case Finished():
                        yield step
                        return
                    case _:
                        yield step
            yield Usage(input_tokens=sum(len(message.content) for message in request.messages), output_tokens=deltas)
            yield Finished(reason="stop", model=self.name)
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise
