"""Finds a model server that already listens on this machine, for a newcomer who has configured none."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

PORTS = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
"""Where these servers listen unless somebody moved them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A server that answered: its usual name, its base address (ends in `/v1`) and the model that gave the answer."""

    name: str
    base_url: str
    model: str


async def probe(*, wanted: str = "", ports: Mapping[str, int] = PORTS) -> Found | None:
    """The first of these that lists models and answers with one (`wanted`, if it has that); all are asked at once.

    Whether anybody may be asked (`PARLEY_PROBE`) is the caller's to check.
    """
    # Never through a proxy: these are servers of this machine.
    async with aiohttp.ClientSession(raise_for_status=True, trust_env=False) as session:
        found = await asyncio.gather(*(_look(session, name, port, wanted) for name, port in ports.items()))
    return next(filter(None, found), None)


async def _look(session: aiohttp.ClientSession, name: str, port: int, wanted: str) -> Found | None:
    base_url = f"http://127.0.0.1:{port}/v1"
    try:
        async with asyncio.timeout(1.5), session.get(f"{base_url}/models") as response:
            models = [str(row["id"]) for row in json.loads(await response.read())["data"]]
        model = min(models, key=lambda model: (model != wanted, "embed" in model))
        body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16}
        # Ollama and LM Studio load a model when they are first asked.
        async with asyncio.timeout(30), session.post(f"{base_url}/chat/completions", json=body) as response:
            message = dict(json.loads(await response.read())["choices"][0]["message"])
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError):  # anything may listen there
        return None
    # A model that thinks before it speaks may have spent its 16 tokens on that.
    said = any(message.get(part) for part in ("content", "reasoning", "reasoning_content"))
    return Found(name=name, base_url=base_url, model=model) if said else None
