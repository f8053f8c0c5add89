"""The fake of the model server: the SDK's own types accept what it says, and it serves as a process of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from openai import AsyncOpenAI, BaseModel
from openai.types.chat import ChatCompletionUserMessageParam

from tests.servers.model import Answer, Call, ModelServer, at_random, echo
from tests.servers.model_answers import Request

ANSWERS = [
    Answer(),
    Answer(calls=(Call(id="c1", name="weather", arguments='{"city": "Ulm"}'),), reason="tool_calls"),
    Answer(refusal="I will not."),
    Answer(reason="length"),
    Answer(reason="content_filter", usage=None),
]
ME: ChatCompletionUserMessageParam = {"role": "user", "content": "Why?"}


@pytest.fixture
async def sdk(server: ModelServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.base_url, api_key="k", max_retries=0) as sdk:
        yield sdk


def check(said: BaseModel) -> None:
    """The SDK builds its objects without validation; here they are validated."""
    type(said).model_validate(said.to_dict())


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.reason + answer.refusal)
async def test_chat_completions_are_those_of_the_sdk(server: ModelServer, sdk: AsyncOpenAI, answer: Answer) -> None:
    """Streamed and not, each object has the shape that OpenAI's types require."""
    # At [DONE] the SDK leaves a generator to the loop's finaliser, which is a task that nobody ends.
    server.script(answer, replace(answer, has_done=False))
    check(await sdk.chat.completions.create(model="m", messages=[ME]))
    async for chunk in await sdk.chat.completions.create(model="m", messages=[ME], stream=True):
        check(chunk)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.reason + answer.refusal)
async def test_responses_are_those_of_the_sdk(server: ModelServer, sdk: AsyncOpenAI, answer: Answer) -> None:
    """Streamed and not, each object has the shape that OpenAI's types require."""
    server.script(answer, answer)
    check(await sdk.responses.create(model="m", input=[{"role": "user", "content": "Why?"}]))
    async for event in await sdk.responses.create(model="m", input=[{"role": "user", "content": "Why?"}], stream=True):
        check(event)


async def test_the_list_of_models_is_the_sdks(server: ModelServer, sdk: AsyncOpenAI) -> None:
    """Models are listed with and without the day of their end."""
    server.models = (("a", None), ("b", "2026-12-11"))
    listed = [model async for model in sdk.models.list()]
    for model in listed:
        check(model)
    assert [(model.id, model.shutdown_date) for model in listed] == [("a", None), ("b", "2026-12-11")]


@pytest.mark.parametrize("chunks", [1, 2, 3, 20])
def test_an_echo_has_as_many_chunks_as_were_asked_for(chunks: int) -> None:
    """And shows its own end, so that a cut answer can be told from a whole one."""
    assert len(echo("Why?", "How?", chunks=chunks)) == chunks
    assert echo("Why?", "How?", chunks=chunks)[-1] == " done."


def test_an_echo_names_each_question_since_the_last_answer() -> None:
    """Questions that were answered before are not answered again."""
    said = [{"role": role, "content": role[0] + str(n)} for n, role in enumerate(["user", "assistant", "user", "user"])]
    for path, field in (("/v1/chat/completions", "messages"), ("/v1/responses", "input")):
        assert Request(path=path, headers={}, body={field: said}).questions == ("u2", "u3")
    assert "u2 | u3" in "".join(echo("u2", "u3"))


def test_the_same_seed_gives_the_same_faults() -> None:
    """A run with random faults can be repeated."""
    request = Request(path="/v1/responses", headers={})
    first, again = at_random(7, 0.5, 20), at_random(7, 0.5, 20)
    answers = [first(request) for _ in range(100)]
    assert answers == [again(request) for _ in range(100)]
    assert 20 < sum(answer != Answer() for answer in answers) < 80


async def test_it_serves_as_a_process_of_its_own() -> None:
    """Its first line of output is its port; a signal ends it."""
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.servers.model", "--chunks", "3"),
        stdout=asyncio.subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k") as sdk:
            answer = await sdk.chat.completions.create(model="m", messages=[ME])
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert answer.choices[0].message.content == "".join(echo("Why?", chunks=3))
