"""Embeddings through the chain: which model of which server, in which order, and what a failure becomes."""

import pytest

from bot.errors import ModelRefused, ModelUnavailable
from bot.model.providers import Provider
from tests.evaluation.asking import embeddings
from tests.model.asking import MakeChain
from tests.servers.model import Answer, ModelServer


async def test_vectors_come_in_the_order_of_the_texts(server: ModelServer, make_chain: MakeChain) -> None:
    """Servers may send them in any order; a named provider's model is asked of that provider, with its key."""
    server.script(embeddings([1.0, 2.0], [3.0, 4.0]))
    other = Provider(name="other", base_url=server.base_url, key="sk-other", wire="chat")
    assert await make_chain("chat", other).embed(["a", "b"], "other/mini") == [[1.0, 2.0], [3.0, 4.0]]
    (asked,) = server.requests
    assert asked.body == {"model": "mini", "input": ["a", "b"], "encoding_format": "float"}
    assert asked.headers["authorization"] == "Bearer sk-other"


async def test_the_model_that_the_server_lists(server: ModelServer, make_chain: MakeChain) -> None:
    """Where none is named it is the first one of the main server with `embed` in its name; else it is refused."""
    server.models = (("chatty", None), ("text-Embedding-3", None))
    server.script(embeddings([1.0]))
    await make_chain().embed(["a"])
    assert server.requests[-1].body["model"] == "text-Embedding-3"
    server.models = (("chatty", None),)
    with pytest.raises(ModelRefused, match="no model for embeddings"):
        await make_chain().embed(["a"])


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(status=501), ModelRefused),
        (Answer(status=404), ModelRefused),
        (Answer(status=401), ModelRefused),
        (Answer(status=503), ModelUnavailable),
        (Answer(hang_up=True), ModelUnavailable),
        (Answer(body=b"{}"), ModelUnavailable),
        (Answer(body=b'{"data": [{"index": 0, "embedding": ["x"]}]}'), ModelUnavailable),
        (embeddings([1.0], [1.0, 2.0]), ModelUnavailable),
        (embeddings(), ModelUnavailable),
    ],
    ids=["not-built-in", "unknown", "key", "busy", "hang-up", "empty", "words", "lengths", "too-few"],
)
async def test_what_a_failure_becomes(
    answer: Answer, kind: type[Exception], server: ModelServer, make_chain: MakeChain
) -> None:
    """What no repetition can help is refused, the rest is unavailable; nothing else is ever raised."""
    server.script(answer)
    with pytest.raises(kind):
        await make_chain().embed(["a", "b"], "mini")


async def test_the_default_model(server: ModelServer, make_chain: MakeChain) -> None:
    """The chain's own, else the only one that the server lists; several are an error that names them."""
    server.models = (("one", None),)
    assert await make_chain(model="m1").default_model() == "m1"
    assert await make_chain(model="").default_model() == "one"
    server.models = (("one", None), ("two", None))
    with pytest.raises(ModelRefused, match="one, two"):
        await make_chain(model="").default_model()
