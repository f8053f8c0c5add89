"""Finding a model server on this machine: only one that lists models and truly answers counts."""

import json
import socket

import pytest

from bot.probe import PORTS, probe
from tests.servers.model import Answer, ModelServer


def completion(**message: object) -> Answer:
    return Answer(body=json.dumps({"choices": [{"message": {"role": "assistant", **message}}]}).encode())


@pytest.fixture
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
    return port


async def test_a_server_that_answers_is_found(closed_port: int) -> None:
    """Its name, address and model are told; where nobody listens does not matter."""
    async with ModelServer(models=(("llama3.2", None),)) as server:
        found = await probe(ports={"Ollama": closed_port, "LM Studio": server.port})
        assert found is not None
        assert (found.name, found.base_url, found.model) == ("LM Studio", server.base_url, "llama3.2")
        assert [request.body.get("max_tokens") for request in server.requests] == [None, 16]


async def test_nobody_listens(closed_port: int) -> None:
    """Then nothing is found."""
    assert await probe(ports={"Ollama": closed_port}) is None


async def test_the_first_of_several_counts() -> None:
    """All are asked at once; the order of the list decides."""
    async with ModelServer() as first, ModelServer() as second:
        found = await probe(ports={"Ollama": first.port, "vLLM": second.port})
        assert found is not None
        assert found.base_url == first.base_url


async def test_the_wanted_model_is_taken_and_embedders_last() -> None:
    """PARLEY_MODEL counts where the server has it; a model that only embeds is not asked while there is another."""
    models = (("nomic-embed-text", None), ("llama3.2", None), ("qwen3", None))
    async with ModelServer(models=models) as server:
        wanted = await probe(wanted="qwen3", ports={"Ollama": server.port})
        other = await probe(wanted="gpt-6-luna", ports={"Ollama": server.port})
        assert (wanted and wanted.model, other and other.model) == ("qwen3", "llama3.2")


async def test_a_model_that_only_had_time_to_think_counts() -> None:
    """A reasoning model may spend the few tokens of the question on its reasoning."""
    async with ModelServer() as server:
        server.script(completion(content="", reasoning="The user says"))
        assert await probe(ports={"Ollama": server.port}) is not None


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=500),
        Answer(status=404),
        Answer(body=b"<html>hello</html>"),
        Answer(body=b"[]"),
        Answer(body=b'{"choices": []}'),
        Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n"),
        Answer(hang_up=True),
        completion(content=""),
        completion(content=None),
        Answer(body=b'{"choices": [{"message": "hello"}]}'),
    ],
)
async def test_what_gives_no_answer_is_not_found(answer: Answer) -> None:
    """Errors, pages, other protocols and empty answers are no model."""
    async with ModelServer() as server:
        server.script(answer)
        assert await probe(ports={"llama.cpp": server.port}) is None


@pytest.mark.parametrize(
    "listing",
    [
        Answer(status=401),
        Answer(body=b"<html>Jenkins</html>"),
        Answer(body=b'{"data": []}'),
        Answer(body=b'{"data": [{}]}'),
        Answer(body=b'{"data": 7}'),
        Answer(body=b"null"),
        Answer(raw=b"\x00\xff"),
    ],
)
async def test_what_lists_no_models_is_asked_nothing(listing: Answer) -> None:
    """Anything may listen on these ports; it gets one GET and no question."""
    async with ModelServer() as server:
        server.listing = listing
        assert await probe(ports={"llama.cpp": server.port}) is None
        assert len(server.requests) == 1


def test_the_usual_ports() -> None:
    """Those of Ollama, LM Studio, llama.cpp and vLLM."""
    assert PORTS == {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
