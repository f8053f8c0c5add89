"""What a whole answer looks like on both wires, and what is sent to which server."""

from dataclasses import replace

import pytest

from bot.model.providers import Provider, Wire
from bot.model.wire import Chat, Responses
from bot.ports import Finished, Message, ModelRequest, TextDelta, ToolCall, Usage
from tests.model.asking import ASK, MakeChain, whole
from tests.servers.model import Answer, Call, ModelServer, echo

CALLS = (Call(id="c1", name="weather", arguments='{"city": "Ulm"}'), Call(id="c2", name="time", arguments="{}"))
OPENAI = Provider(name="openai", key="sk-test", is_main=True)


async def test_an_answer_is_its_deltas_then_usage_then_finished(
    server: ModelServer, make_chain: MakeChain, wire: Wire
) -> None:
    """Each chunk of the server is one TextDelta; usage with cached tokens and one Finished follow."""
    server.script(Answer(usage=(120, 20, 96)))
    assert await whole(make_chain(wire).stream(ASK)) == [
        *(TextDelta(text) for text in echo("Why?")),
        Usage(input_tokens=120, output_tokens=20, cached_tokens=96),
        Finished(reason="stop", model="default/m1"),
    ]


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (Answer(chunks=("hi",), usage=None), []),
        (Answer(chunks=("hi",), usage=(7, 2, 0), has_null_details=True), [Usage(input_tokens=7, output_tokens=2)]),
    ],
)
async def test_usage_may_be_missing_or_have_null_parts(
    server: ModelServer, make_chain: MakeChain, wire: Wire, answer: Answer, usage: list[Usage]
) -> None:
    """A server that tells no usage, or null for its details, still gives a whole answer."""
    server.script(answer)
    expected = [TextDelta("hi"), *usage, Finished(reason="stop", model="default/m1")]
    assert await whole(make_chain(wire).stream(ASK)) == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(chunks=("a",), reason="length"), "length"),
        (Answer(chunks=("a",), reason="content_filter"), "filter"),
        (Answer(chunks=(), refusal="I will not."), "filter"),
        (Answer(chunks=(), calls=CALLS, reason="tool_calls"), "tools"),
        (Answer(chunks=(), calls=CALLS, reason="stop"), "tools"),
        (Answer(chunks=()), "stop"),
        (Answer(chunks=("a",), has_done=False), "stop"),
    ],
)
async def test_the_reason_to_finish_is_told_in_our_words(
    server: ModelServer, make_chain: MakeChain, wire: Wire, answer: Answer, reason: str
) -> None:
    """Length, content filter, refusal and tool calls arrive as the reasons of Finished, on both wires alike."""
    server.script(answer)
    finished = (await whole(make_chain(wire).stream(ASK)))[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == reason


async def test_a_refusal_is_read_as_text(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """What the model says when it refuses is an answer that the person can read."""
    server.script(Answer(chunks=(), refusal="I will not."))
    assert (await whole(make_chain(wire).stream(ASK)))[0] == TextDelta("I will not.")


async def test_tool_calls_come_whole_after_the_text(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """Pieces of arguments are put together; broken arguments are passed on as the model wrote them."""
    broken = Call(id="c3", name="weather", arguments='{"city": "')
    server.script(Answer(chunks=("One moment.",), calls=(*CALLS, broken), reason="tool_calls", usage=None))
    assert await whole(make_chain(wire).stream(ASK)) == [
        TextDelta("One moment."),
        *(ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in (*CALLS, broken)),
        Finished(reason="tools", model="default/m1"),
    ]


async def test_the_request_says_what_was_asked(server: ModelServer, make_chain: MakeChain, wire: Wire) -> None:
    """Messages, model, cap and temperature go out under the names of the wire; nothing is stored on the server."""
    request = replace(ASK, max_tokens=50, temperature=0.0, cache_key="conversation", person="hash")
    await whole(make_chain(wire).stream(request))
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Why?"}]
    common = {"model": "m1", "stream": True, "temperature": 0.0}
    (asked,) = server.requests
    assert asked.headers["authorization"] == "Bearer sk-test"
    if wire == "chat":
        options = {"include_usage": True}
        assert asked.body == {**common, "messages": messages, "max_tokens": 50, "stream_options": options}
    else:
        assert asked.body == {**common, "input": messages, "max_output_tokens": 50, "store": False}


def test_only_openai_is_told_cache_key_and_person() -> None:
    """prompt_cache_key and safety_identifier go to OpenAI's own address alone; Azure takes its cap by OpenAI's name."""
    request = replace(ASK, max_tokens=50, cache_key="conversation", person="hash")
    azure = Provider(name="azure", base_url="https://x.openai.azure.com/openai/v1")
    for exchange in (Chat(OPENAI, "m", request), Responses(OPENAI, "m", request)):
        assert exchange.body["prompt_cache_key"] == "conversation"
        assert exchange.body["safety_identifier"] == "hash"
    body = Chat(azure, "m", request).body
    assert body["max_completion_tokens"] == 50
    assert body.keys().isdisjoint({"prompt_cache_key", "safety_identifier", "max_tokens"})


async def test_an_organisation_of_openai_is_not_told_to_others(
    server: ModelServer, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPENAI_ORG_ID and OPENAI_PROJECT_ID of the environment stay with OpenAI."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-ours")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-ours")
    await whole(make_chain().stream(ASK))
    assert not {"openai-organization", "openai-project"} & server.requests[0].headers.keys()


async def test_text_that_is_no_unicode_is_asked_all_the_same(
    server: ModelServer, make_chain: MakeChain, wire: Wire
) -> None:
    """A lone surrogate in a message becomes a question mark, and the question is answered."""
    request = ModelRequest(messages=(Message(role="user", content="a\ud800b\x00"),))
    await whole(make_chain(wire).stream(request))
    assert server.requests[0].questions == ("a?b\x00",)


async def test_one_connection_serves_one_turn_after_another(
    server: ModelServer, make_chain: MakeChain, wire: Wire
) -> None:
    """A stream is read to its very end, so the next question needs no new connection."""
    chain = make_chain(wire)
    for _ in range(3):
        await whole(chain.stream(ASK))
    assert (len(server.requests), server.connections) == (3, 1)


async def test_providers_share_one_session(server: ModelServer, make_chain: MakeChain) -> None:
    """Two providers at one address use one connection, each with its own key."""
    twin = Provider(name="twin", base_url=server.base_url, key="sk-other", wire="responses")
    chain = make_chain("chat", twin)
    await whole(chain.stream(ASK))
    await whole(chain.stream(replace(ASK, model="twin/m2")))
    assert [(asked.path, asked.body["model"], asked.headers["authorization"]) for asked in server.requests] == [
        ("/v1/chat/completions", "m1", "Bearer sk-test"),
        ("/v1/responses", "m2", "Bearer sk-other"),
    ]
    assert server.connections == 1


async def test_a_proxy_of_the_environment_is_used(
    server: ModelServer, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY is honoured, and NO_PROXY names what goes past it."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    far = Provider(name="far", base_url="http://models.invalid/v1", wire="chat")
    chain = make_chain("chat", far)
    await whole(chain.stream(replace(ASK, model="far/m2")))
    await whole(chain.stream(ASK))
    paths = [asked.path for asked in server.requests]
    assert paths == ["http://models.invalid/v1/chat/completions", "/v1/chat/completions"]
