"""The bare loop that everything is compared with: the model's client with its default transport, and nothing else."""

import asyncio
import itertools
import resource
import statistics
import time
from collections.abc import Iterable

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from bench.talk import SYSTEM, Block, Cost, question, stored


def cpu_s() -> float:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Bare:
    """Asks and reads the stream to its end. The conversation is a list that it sends again with each question."""

    def __init__(self, model_url: str) -> None:
        self._client = AsyncOpenAI(api_key="none", base_url=model_url, max_retries=0)
        self._numbers = itertools.count()

    async def turns(self, block: Block) -> Cost:
        """Run a block."""
        before: list[ChatCompletionMessageParam] = [{"role": "system", "content": SYSTEM}]
        for entry in stored(block.stored):
            role = "assistant" if entry.kind == "answer" else "user"
            before.append({"role": role, "content": entry.text})  # type: ignore[arg-type, misc]
        left = iter(range(block.turns))
        cpu, started = cpu_s(), time.perf_counter()
        found = await asyncio.gather(*(self._lane(before, left) for _ in range(block.lanes)))
        wall_s, cpu = time.perf_counter() - started, cpu_s() - cpu
        p50_ms = statistics.median(itertools.chain(*found)) * 1000
        return Cost(turns=block.turns, wall_s=wall_s, cpu_s=cpu, p50_ms=p50_ms)

    async def _lane(self, before: list[ChatCompletionMessageParam], left: Iterable[int]) -> list[float]:
        times = []
        for _ in left:
            started = time.perf_counter()
            await self._turn([*before, {"role": "user", "content": question(next(self._numbers))}])
            times.append(time.perf_counter() - started)
        return times

    async def _turn(self, messages: list[ChatCompletionMessageParam]) -> str:
        text = ""
        stream = await self._client.chat.completions.create(
            model="gpt-6-luna", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
        assert text.endswith("done.")
        return text
