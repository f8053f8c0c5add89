"""The wires alone: whatever a server sends, reading it gives text or a Fault."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionContentPartImageParam, ChatCompletionContentPartTextParam
from openai.types.responses import ResponseInputImageParam, ResponseInputTextParam
from pydantic import TypeAdapter

from bot.errors import ModelRefused
from bot.model.faults import Fault, refusal, refusal_in_stream
from bot.model.providers import Provider, Wire, can_see
from bot.model.wire import Chat, Exchange, Responses
from bot.ports import Image, Message, ModelRequest, ToolCall
from tests.model.asking import ASK, MakeChain, whole
from tests.servers.model import Answer, ModelServer

PROVIDER = Provider(name="x", base_url="http://127.0.0.1:1/v1")
KEYS = [
    *("choices", "delta", "content", "tool_calls", "index", "id", "function", "name", "arguments", "finish_reason"),
    *("usage", "prompt_tokens", "error", "code", "prompt_tokens_details", "cached_tokens", "refusal", "type"),
    *("response", "item", "call_id", "incomplete_details", "reason", "output_tokens"),
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 600),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["function_call", "stop"]),
)
TYPES = ["output_text.delta", "refusal.delta", "output_item.done", "completed", "incomplete", "failed", "created"]
ODD = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
EVENTS = st.dictionaries(st.sampled_from(KEYS), ODD, max_size=6)


def exchange(wire: Wire) -> Exchange:
    return Chat(PROVIDER, "m", ASK) if wire == "chat" else Responses(PROVIDER, "m", ASK)


def lines(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


@settings(deadline=None)
@example(events=[{"usage": {"prompt_tokens": float("inf")}}], kind="created", as_wire="chat")
@given(events=st.lists(EVENTS, max_size=4), kind=st.sampled_from(TYPES), as_wire=st.sampled_from(["chat", "responses"]))
def test_no_json_of_any_shape_breaks_the_reader(events: list[dict[str, object]], kind: str, as_wire: Wire) -> None:
    """Reading raises nothing but Fault, and yields nothing but text."""
    typed = [{"type": f"response.{kind}", **event} for event in events]
    reader = exchange(as_wire)
    with suppress(Fault):
        assert all(isinstance(text, str) for text in reader.feed(lines(*typed, *events)))


@settings(deadline=None)
@given(data=st.lists(st.binary(max_size=20)), as_wire=st.sampled_from(["chat", "responses"]))
def test_no_bytes_break_the_reader(data: list[bytes], as_wire: Wire) -> None:
    """Bytes that are no event stream are passed over or are a Fault."""
    with suppress(Fault):
        for chunk in data:
            assert [text for text in exchange(as_wire).feed(b"data:" + chunk + b"\n") if text] == []


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 400), max_size=10), newline=st.sampled_from([b"\n", b"\r\n"]))
def test_an_answer_does_not_depend_on_how_its_bytes_are_cut(cuts: list[int], newline: bytes) -> None:
    """Events may be cut anywhere, in a line, in a character; comments and other fields are passed over."""
    said = ["Grüße ", "aus ", "Köln 🎈"]
    events = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in said]
    data = b": hello\n\nevent: x\nid: 1\n" + b"".join(
        b"data:" + json.dumps(event, ensure_ascii=False).encode() + b"\n\n" for event in events
    )
    data = (data + b"data: [DONE]\n\n").replace(b"\n", newline)
    ends = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    reader = exchange("chat")
    pieces: Iterator[bytes] = (data[start:end] for start, end in pairwise(ends))
    assert [text for piece in pieces for text in reader.feed(piece)] == said


def chunk(*pieces: object, reason: str | None = None) -> object:
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(pieces)}, "finish_reason": reason}]}


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            [
                chunk({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}),
                chunk({"index": 0, "function": {"arguments": "{}"}}),
                chunk({"index": 1, "id": "b", "function": {"name": "g", "arguments": "["}}),
                chunk({"index": 1, "function": {"arguments": "]"}}),
            ],
            id="OpenAI",
        ),
        pytest.param(
            [
                chunk({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}),
                chunk({"index": 0, "id": "b", "function": {"name": "g", "arguments": "[]"}}),
            ],
            id="one index for all",
        ),
        pytest.param(
            [
                chunk({"id": "a", "function": {"name": "f", "arguments": "{"}}),
                chunk({"id": "a", "function": {"name": None, "arguments": "}"}}),
                chunk({"id": "b", "function": {"name": "g", "arguments": "[]"}}),
            ],
            id="no index, the id on each piece",
        ),
        pytest.param(
            [
                chunk(
                    {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
                    {"index": 1, "id": "b", "function": {"name": "g", "arguments": "[]"}},
                )
            ],
            id="all in one",
        ),
    ],
)
def test_tool_calls_are_told_apart_on_every_server(events: list[object]) -> None:
    """Servers number and name the pieces of calls differently; the calls are the same."""
    reader = exchange("chat")
    assert list(reader.feed(lines(*events, chunk(reason="tool_calls")))) == [""] * (len(events) + 1)
    assert reader.calls == [ToolCall(id="a", name="f", arguments="{}"), ToolCall(id="b", name="g", arguments="[]")]


def test_calls_without_ids_are_told_apart_by_their_index() -> None:
    """Some servers give calls no id at all."""
    reader = exchange("chat")
    pieces = [{"index": n, "function": {"name": name, "arguments": "{}"}} for n, name in enumerate("fg")]
    assert list(reader.feed(lines(*map(chunk, pieces), chunk(reason="tool_calls")))) == [""] * 3
    assert [call.name for call in reader.calls] == ["f", "g"]


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow down"}, "again"),
        ({"code": "server_error"}, "again"),
        ({"code": 502}, "again"),
        ({"code": 400}, "final"),
        ({"code": "context_length_exceeded"}, "final"),
        ({"code": "insufficient_quota"}, "never"),
        ({"code": None}, "again"),
        ("boom", "again"),
        (None, "again"),
    ],
)
def test_an_error_in_mid_stream_is_judged_by_its_code(error: object, verdict: str) -> None:
    """Codes that come as words or as numbers lead to the same verdicts as statuses."""
    assert refusal_in_stream(error).verdict == verdict


@settings(deadline=None)
@given(code=st.text(), parameter=st.text())
def test_nothing_but_plain_words_of_a_server_reaches_the_log(code: str, parameter: str) -> None:
    """A code or parameter with spaces, line ends or braces in it is left out."""
    fault = refusal(422, code, parameter)
    assert len(fault.reason) < 200
    assert fault.reason.isprintable()
    assert "{" not in fault.reason


# ---- pictures

CAT = Image(media_type="image/png", data=b"\x89PNG cat")
DOG = Image(media_type="image/webp", data=b"\xff\x00")
LOOK = ModelRequest(messages=(*ASK.messages, Message(role="user", content="Who?\ud800", images=(CAT, DOG))))
URLS = ["data:image/png;base64,iVBORyBjYXQ=", "data:image/webp;base64,/wA="]


@pytest.mark.parametrize(
    ("wire", "field", "parts", "kinds"),
    [
        (
            "chat",
            "messages",
            [
                {"type": "text", "text": "Who??"},
                *({"type": "image_url", "image_url": {"url": url}} for url in URLS),
            ],
            (ChatCompletionContentPartTextParam, ChatCompletionContentPartImageParam),
        ),
        (
            "responses",
            "input",
            [
                {"type": "input_text", "text": "Who??"},
                *({"type": "input_image", "image_url": url, "detail": "auto"} for url in URLS),
            ],
            (ResponseInputTextParam, ResponseInputImageParam),
        ),
    ],
)
async def test_pictures_are_sent_as_parts_behind_their_text(
    server: ModelServer, make_chain: MakeChain, wire: Wire, field: str, parts: list[object], kinds: tuple[type, type]
) -> None:
    """The server gets what OpenAI's own types describe, as data: URIs; messages without pictures stay plain text."""
    await whole(make_chain(wire).stream(LOOK))
    system, user, looking = server.requests[0].body[field]
    assert (system["content"], user["content"]) == ("Be kind.", "Why?")
    assert looking == {"role": "user", "content": parts}
    for part, kind in zip(looking["content"], (kinds[0], kinds[1], kinds[1]), strict=True):
        assert TypeAdapter(kind).validate_python(part) == part


async def test_pictures_go_to_no_fallback_that_cannot_see(server: ModelServer, make_chain: MakeChain) -> None:
    """A blind model would refuse them, or answer as if there were none; text goes to all."""
    chain = make_chain("chat", fallbacks=("llama-3.3-70b", "org/qwen3-vl-8b"))
    for request in (LOOK, ASK):
        server.answer = lambda _: Answer(status=401)
        with suppress(ModelRefused):
            await whole(chain.stream(request))
    assert [asked.body["model"] for asked in server.requests] == [
        *("m1", "org/qwen3-vl-8b"),
        *("m1", "llama-3.3-70b", "org/qwen3-vl-8b"),
    ]


@pytest.mark.parametrize(
    ("setting", "model", "fallbacks", "asked", "found"),
    [
        ("eyes", "m1", (), "", "eyes"),
        ("eyes", "gpt-6-luna", (), "gpt-6-sol", "eyes"),
        ("", "gpt-6-luna", (), "", "gpt-6-luna"),
        ("", "m1", (), "groq/gemma-3-27b-it", "groq/gemma-3-27b-it"),
        ("", "m1", ("m2", "x/llava:13b", "gpt-4o"), "", "x/llava:13b"),
        ("", "m1", ("m2",), "", None),
        ("", "gpt-6-luna", (), "m1", None),
        ("", "", (), "", ""),
    ],
)
async def test_who_sees_is_the_set_model_or_the_first_that_is_known_to(
    make_chain: MakeChain, setting: str, model: str, fallbacks: tuple[str, ...], asked: str, found: str | None
) -> None:
    """The operator's choice, else the model itself (also the only one of a server), else a fallback, else nobody."""
    assert await make_chain(model=model, fallbacks=fallbacks, vision=setting).seeing(asked) == found


async def test_a_server_that_does_not_say_what_it_has_is_not_known_to_see(
    server: ModelServer, make_chain: MakeChain
) -> None:
    """Its failure is no failure of the question here: the question itself will meet it."""
    server.listing = Answer(status=500)
    assert await make_chain(model="").seeing("") is None


@pytest.mark.parametrize(
    ("model", "sees"),
    [
        *((name, True) for name in ("gpt-6-luna", "openai/GPT-5.6-luna", "gpt-4o-mini", "o3", "claude-opus-5")),
        *((name, True) for name in ("gemini-flash-latest", "qwen2.5vl:7b", "Qwen/Qwen3-VL-30B-A3B", "llava", "gemma3")),
        *((name, True) for name in ("meta-llama/llama-4-scout", "llama3.2-vision:11b", "mistralai/pixtral-12b")),
        *((name, False) for name in ("", "o3-mini", "gemma3:1b", "gemma-3-1b-it", "llama-3.3-70b-versatile")),
        *((name, False) for name in ("gpt-oss-120b", "gpt-3.5-turbo", "qwen3:8b", "deepseek-chat", "smollm2")),
    ],
)
def test_models_that_see_are_known_by_their_names(model: str, sees: bool) -> None:
    """The data file knows families, whatever provider or size stands around the name."""
    assert can_see(model) == sees
