"""What the fake of the model server says: answers and their faults as data, and their bytes on both wires. No I/O."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Gap = Literal["stall"] | bytes
"""What goes out at one instant: a frame of the event stream, or silence until `ModelServer.release`."""
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call of an answer; `arguments` goes out in pieces of seven characters."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer and what is wrong with it. Indices count the text chunks; a fault strikes before the chunk it names.

    A `status` other than 200, or a `body`, goes out in place of the stream. `reason` is the `finish_reason` of Chat
    Completions; on the Responses wire `length` and `content_filter` make an incomplete response, `failed` a failed one.
    """

    chunks: tuple[str, ...] | None = None
    """None: what `echo` says to the questions of the request."""
    calls: tuple[Call, ...] = ()
    refusal: str = ""
    reason: Literal["stop", "length", "content_filter", "tool_calls", "failed"] = "stop"
    usage: tuple[int, int, int] | None = (100, 20, 0)
    """Input, output and cached input tokens; None: not told."""
    has_null_details: bool = False
    has_done: bool = True
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    code: str = ""
    message: str = "the server is scripted to fail"
    body: bytes | None = None
    hang_up: bool = False
    """Close the connection instead of any answer."""
    is_silent: bool = False
    """Take the request and never answer."""
    raw: bytes | None = None
    """These bytes, then the end of the connection, in place of HTTP."""
    drop_at: int | None = None
    truncate_at: int | None = None
    malformed_at: int | None = None
    insert: tuple[bytes, ...] = (b'data: {"id": "broken", "choi\n\n',)
    """What `malformed_at` puts into the stream, each with a gap of its own."""
    stall_at: int | None = None
    stall_at_end: bool = False
    """Stall after the reason to finish, before the usage and the end of the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked. `body` is the parsed JSON, empty for a GET; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def is_chat(self) -> bool:
        return self.path.endswith("/chat/completions")

    @property
    def questions(self) -> tuple[str, ...]:
        """The user messages since the last answer."""
        asked: list[str] = []
        for message in self.body.get("messages" if self.is_chat else "input", ()):
            asked = [*asked, str(message["content"])] if message["role"] == "user" else []
        return tuple(asked)


def echo(*questions: str, chunks: int = 20) -> tuple[str, ...]:
    """An answer in exactly `chunks` chunks that names each question (200 characters of it) and shows its own end."""
    asked = " | ".join(question[:200] for question in questions)
    middle = [f" {WORDS[index % len(WORDS)]}" for index in range(max(0, chunks - 2))]
    return (f"You asked: {asked}. I count:", *middle, " done.")[-max(1, chunks) :]


def frames(request: Request, answer: Answer, chunks: int) -> Iterator[Gap]:
    text = echo(*request.questions, chunks=chunks) if answer.chunks is None else answer.chunks
    wire = _Chat(request, answer) if request.is_chat else _Responses(request, answer)
    yield wire.opening()
    for index in range(len(text) + 1):
        if index == answer.malformed_at:
            yield from answer.insert
        if index == answer.stall_at:
            yield "stall"
        if index in (answer.drop_at, answer.truncate_at):
            return
        if index < len(text):
            yield wire.text(text[index])
    yield from wire.calls()
    yield from wire.closing("".join(text))


class _Chat:
    """Frames of Chat Completions."""

    def __init__(self, request: Request, answer: Answer) -> None:
        self._answer = answer
        model = json.dumps(request.body.get("model", ""))
        self._head = (
            f'data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795392000,"model":{model},'
            '"service_tier":"default","system_fingerprint":"fp_1","choices":'
        )
        options = request.body.get("stream_options") or {}
        self._usage = answer.usage if options.get("include_usage") else None
        self._end = ',"usage":null}\n\n' if self._usage else "}\n\n"

    def _choice(self, delta: str, reason: str = "null") -> bytes:
        choice = f'[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}]'
        return f"{self._head}{choice}{self._end}".encode()

    def opening(self) -> bytes:
        return self._choice('{"role":"assistant","content":"","refusal":null}')

    def text(self, text: str) -> bytes:
        return self._choice(f'{{"content":{json.dumps(text)}}}')

    def calls(self) -> Iterator[Gap]:
        if self._answer.refusal:
            yield self._choice(json.dumps({"refusal": self._answer.refusal}))
        for index, call in enumerate(self._answer.calls):
            opening = {"index": index, "id": call.id, "type": "function"}
            first = {**opening, "function": {"name": call.name, "arguments": ""}}
            yield self._choice(json.dumps({"tool_calls": [first]}))
            for piece in re.findall(r"(?s).{1,7}", call.arguments):
                yield self._choice(json.dumps({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))

    def closing(self, text: str) -> Iterator[Gap]:
        yield self._choice("{}", json.dumps(self._answer.reason))
        if self._answer.stall_at_end:
            yield "stall"
        if self._usage:
            usage = json.dumps(_chat_usage(self._usage, has_null_details=self._answer.has_null_details))
            yield f'{self._head}[],"usage":{usage}}}\n\n'.encode()
        if self._answer.has_done:
            yield b"data: [DONE]\n\n"


class _Responses:
    """Frames of the Responses API, in the order in which servers send them."""

    def __init__(self, request: Request, answer: Answer) -> None:
        self._answer = answer
        self._model = str(request.body.get("model", ""))
        self._count = 0

    def _event(self, kind: str, **fields: object) -> bytes:
        event = {"type": kind, "sequence_number": self._count, **fields}
        self._count += 1
        return f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()

    def opening(self) -> bytes:
        part = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        response = _response(self._model, "in_progress", [], None)
        return (
            self._event("response.created", response=response)
            + self._event("response.in_progress", response=response)
            + self._event("response.output_item.added", output_index=0, item=item)
            + self._event("response.content_part.added", **part, part=empty)
        )

    def text(self, text: str) -> bytes:
        kind = "response.output_text.delta"
        line = (
            f'{{"type":"{kind}","sequence_number":{self._count},"item_id":"msg_1","output_index":0,"content_index":0,'
            f'"delta":{json.dumps(text)},"logprobs":[]}}'
        )
        self._count += 1
        return f"event: {kind}\ndata: {line}\n\n".encode()

    def calls(self) -> Iterator[Gap]:
        if self._answer.refusal:
            place = {"item_id": "msg_1", "output_index": 0, "content_index": 1}
            yield self._event("response.refusal.delta", **place, delta=self._answer.refusal)
            yield self._event("response.refusal.done", **place, refusal=self._answer.refusal)
        for index, call in enumerate(self._answer.calls, start=1):
            item = _call_item(call)
            yield self._event("response.output_item.added", output_index=index, item={**item, "arguments": ""})
            place = {"item_id": item["id"], "output_index": index}
            for piece in re.findall(r"(?s).{1,7}", call.arguments):
                yield self._event("response.function_call_arguments.delta", **place, delta=piece)
            done = "response.function_call_arguments.done"
            yield self._event(done, **place, name=call.name, arguments=call.arguments)
            yield self._event("response.output_item.done", output_index=index, item=item)

    def closing(self, text: str) -> Iterator[Gap]:
        part = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        message = _message_item(text, self._answer.refusal)
        yield (
            self._event("response.output_text.done", **part, text=text, logprobs=[])
            + self._event("response.content_part.done", **part, part=message["content"][0])
            + self._event("response.output_item.done", output_index=0, item=message)
        )
        body = _response_body(self._model, text, self._answer)
        yield self._event(f"response.{body['status']}", response=body)
        if self._answer.stall_at_end:
            yield "stall"


def _chat_usage(usage: tuple[int, int, int], *, has_null_details: bool) -> dict[str, object]:
    asked, answered, cached = usage
    details = None if has_null_details else {"cached_tokens": cached, "audio_tokens": 0}
    counts = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
    return {**counts, "prompt_tokens_details": details, "completion_tokens_details": None}


def _responses_usage(usage: tuple[int, int, int], *, has_null_details: bool) -> dict[str, object]:
    asked, answered, cached = usage
    counts = {"input_tokens": asked, "output_tokens": answered, "total_tokens": asked + answered}
    if has_null_details:
        return {**counts, "input_tokens_details": None, "output_tokens_details": None}
    details = {"cached_tokens": cached, "cache_write_tokens": 0}
    return {**counts, "input_tokens_details": details, "output_tokens_details": {"reasoning_tokens": 0}}


def _response(model: str, status: str, output: list[Any], usage: dict[str, object] | None) -> dict[str, Any]:
    head = {"id": "resp_1", "object": "response", "created_at": 1795392000, "model": model, "status": status}
    plain: dict[str, object] = {
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "tools": [],
    }
    choice = {"parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto"}
    return {**head, **plain, **choice, "output": output, "usage": usage}


def _response_body(model: str, text: str, answer: Answer) -> dict[str, Any]:
    usage = None if answer.usage is None else _responses_usage(answer.usage, has_null_details=answer.has_null_details)
    output = [_message_item(text, answer.refusal), *(_call_item(call) for call in answer.calls)]
    match answer.reason:
        case "length" | "content_filter":
            reason = "max_output_tokens" if answer.reason == "length" else "content_filter"
            body = _response(model, "incomplete", output, usage)
            return {**body, "incomplete_details": {"reason": reason}}
        case "failed":
            body = _response(model, "failed", output, usage)
            return {**body, "error": {"code": answer.code or "server_error", "message": answer.message}}
        case "stop" | "tool_calls":
            return _response(model, "completed", output, usage)


def _message_item(text: str, refusal: str) -> dict[str, Any]:
    content: list[dict[str, object]] = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    if refusal:
        content.append({"type": "refusal", "refusal": refusal})
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content}


def _call_item(call: Call) -> dict[str, str]:
    item = {"id": f"fc_{call.id}", "type": "function_call", "status": "completed"}
    return {**item, "call_id": call.id, "name": call.name, "arguments": call.arguments}


def unstreamed(request: Request, answer: Answer, chunks: int) -> bytes:
    text = "".join(echo(*request.questions, chunks=chunks) if answer.chunks is None else answer.chunks)
    model = str(request.body.get("model", ""))
    if not request.is_chat:
        return json.dumps(_response_body(model, text, answer)).encode()
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in answer.calls
    ]
    message = {"role": "assistant", "content": text, "refusal": answer.refusal or None, "tool_calls": calls or None}
    usage = None if answer.usage is None else _chat_usage(answer.usage, has_null_details=answer.has_null_details)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1795392000, "model": model}
    return json.dumps({**head, "choices": [choice], "usage": usage}).encode()


def listed(models: tuple[tuple[str, str | None], ...]) -> bytes:
    rows = [
        {"id": id, "object": "model", "created": 1795392000, "owned_by": "tests"}
        | ({} if shutdown_date is None else {"shutdown_date": shutdown_date})
        for id, shutdown_date in models
    ]
    return json.dumps({"object": "list", "data": rows}).encode()
