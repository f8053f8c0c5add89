"""One question to a model, to its whole answer: the text, what it cost and how long it took."""

import time
from contextlib import aclosing
from dataclasses import dataclass

from bot.ports import Finished, Model, ModelRequest, TextDelta, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answer of a model; its tokens are 0 where the server told none.

    `first_ms` and `total_ms`: milliseconds from the question to the first word and to the end.
    """

    text: str
    usage: Usage
    finished: Finished
    first_ms: int
    total_ms: int


async def ask(model: Model, request: ModelRequest) -> Call:
    """The whole answer. Raises ModelError."""
    words, first_ms, started = list[str](), 0, time.monotonic()
    usage, finished = Usage(input_tokens=0, output_tokens=0), Finished(reason="stop", model=request.model)
    async with aclosing(model.stream(request)) as events:
        async for event in events:
            match event:
                case TextDelta():
                    first_ms = first_ms or _ms_since(started)
                    words.append(event.text)
                case Usage():
                    usage = event
                case Finished():
                    finished = event
    total_ms = _ms_since(started)
    text = "".join(words).encode("utf-8", "replace").decode()  # half a surrogate pair fits into no file
    return Call(text=text, usage=usage, finished=finished, first_ms=first_ms, total_ms=total_ms)


def _ms_since(started: float) -> int:
    return max(1, round((time.monotonic() - started) * 1000))
