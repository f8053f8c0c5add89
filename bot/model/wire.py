"""The two wires: a request as the body of each, and an answer gathered from the bytes of its stream. Pure."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from bot.model.faults import Fault, refusal_in_stream
from bot.model.providers import Provider
from bot.ports import Message, ModelRequest, ToolCall, Usage

Reason = Literal["stop", "length", "filter", "tools"]


class Exchange:
    """One request and its answer. Text comes at once; all else is gathered until `reason` says the answer is whole.

    Fields of `body` that are None are not sent. `usage` is empty where the server tells none.
    """

    path: ClassVar[str]

    def __init__(self, provider: Provider, model: str, request: ModelRequest, *, messages: str, limit: str) -> None:
        """`messages` and `limit` are the names of these fields on the wire."""
        said = [{"role": message.role, "content": self._content(message)} for message in request.messages]
        self.body: dict[str, object] = {"model": model, messages: said, limit: request.max_tokens or None}
        self.body |= {"stream": True, "temperature": request.temperature}
        if provider.is_openai:
            self.body |= {"prompt_cache_key": request.cache_key or None, "safety_identifier": request.person or None}
        self.reason: Reason | None = None
        self.usage: tuple[Usage, ...] = ()
        self.calls: list[ToolCall] = []
        self._has_refused, self._rest = False, b""

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Take bytes of server-sent events; yields each event's text, which may be empty. Raises Fault."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        try:
            for line in lines:
                if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
                    yield self._read(json.loads(data))
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as err:
            raise Fault("again", f"malformed answer ({type(err).__name__})") from None

    def _content(self, message: Message) -> object:
        """A message's text or, where it has pictures, its parts."""
        # Lone surrogates, which JSON in UTF-8 cannot carry, become `?`.
        text = message.content.encode("utf-8", "replace").decode()
        urls = [f"data:{one.media_type};base64,{b64encode(one.data).decode()}" for one in message.images]
        return self._parts(text, urls) if urls else text

    def _parts(self, text: str, urls: list[str]) -> list[dict[str, object]]:
        """A text and pictures (as data: URIs) as the child's wire has them."""
        raise NotImplementedError

    def _read(self, event: Any) -> str:
        """The text that an event of the child's wire adds. One of another shape raises what its reading raises."""
        raise NotImplementedError

    def _finish(self, *, is_filtered: bool, is_cut: bool) -> None:
        """The answer is whole, or as much of it as there will be."""
        whole: Reason = "tools" if self.calls else "stop"
        self.reason = "filter" if is_filtered or self._has_refused else "length" if is_cut else whole

    def _count(self, usage: Any, asked: str, answered: str) -> None:
        """Take the usage. Servers leave it or its parts out, or set them to null."""
        if usage:
            cached = (usage.get(f"{asked}_details") or {}).get("cached_tokens")
            tokens = [int(count or 0) for count in (usage.get(asked), usage.get(answered), cached)]
            self.usage = (Usage(input_tokens=tokens[0], output_tokens=tokens[1], cached_tokens=tokens[2]),)


class Chat(Exchange):
    """Chat Completions, which every compatible server speaks.

    Source: https://platform.openai.com/docs/api-reference/chat-streaming; what servers do otherwise is said below.
    """

    path = "/chat/completions"

    def __init__(self, provider: Provider, model: str, request: ModelRequest) -> None:
        # OpenAI's own models refuse `max_tokens`; many compatible servers know nothing else.
        limit = "max_completion_tokens" if provider.has_openai_models else "max_tokens"
        super().__init__(provider, model, request, messages="messages", limit=limit)
        self.body["stream_options"] = {"include_usage": True}
        self._pieces: list[list[str]] = []

    def _parts(self, text: str, urls: list[str]) -> list[dict[str, object]]:
        pictures: list[dict[str, object]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [{"type": "text", "text": text}, *pictures]

    def _read(self, event: Any) -> str:
        if event.get("error"):
            raise refusal_in_stream(event["error"])
        self._count(event.get("usage"), "prompt_tokens", "completion_tokens")
        text: object = ""
        for choice in (event.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            text = delta.get("content") or delta.get("refusal")
            self._has_refused |= bool(delta.get("refusal"))
            for piece in delta.get("tool_calls") or ():
                self._add(str(piece.get("index")), piece.get("id") or "", piece["function"])
            if reason := choice.get("finish_reason"):
                self.calls = [ToolCall(id=id, name=name, arguments=said) for _, id, name, said in self._pieces]
                self._finish(is_filtered=reason == "content_filter", is_cut=reason == "length")
        return text if isinstance(text, str) else ""

    def _add(self, index: str, id: str, function: Any) -> None:
        """Take a piece of a call. Gemini's endpoint gives all calls one index, others give no ids: either tells."""
        if not self._pieces or self._pieces[-1][0] != index or id not in ("", self._pieces[-1][1]):
            self._pieces.append([index, id, function.get("name") or "", ""])
        self._pieces[-1][3] += function.get("arguments") or ""


class Responses(Exchange):
    """The Responses API, OpenAI's own. Always stateless: our transcript is the only memory.

    Source: https://platform.openai.com/docs/api-reference/responses-streaming.
    """

    path = "/responses"

    def __init__(self, provider: Provider, model: str, request: ModelRequest) -> None:
        super().__init__(provider, model, request, messages="input", limit="max_output_tokens")
        self.body["store"] = False

    def _parts(self, text: str, urls: list[str]) -> list[dict[str, object]]:
        pictures: list[dict[str, object]] = [
            {"type": "input_image", "image_url": url, "detail": "auto"} for url in urls
        ]
        return [{"type": "input_text", "text": text}, *pictures]

    def _read(self, event: Any) -> str:
        match event["type"]:
            case "response.output_text.delta" | "response.refusal.delta" as kind:
                self._has_refused |= kind == "response.refusal.delta"
                return str(event["delta"] or "")
            case "response.output_item.done" if event["item"]["type"] == "function_call":
                id, name, arguments = (str(event["item"][key]) for key in ("call_id", "name", "arguments"))
                self.calls.append(ToolCall(id=id, name=name, arguments=arguments))
            case "response.completed" | "response.incomplete":
                response = event["response"]
                self._count(response.get("usage"), "input_tokens", "output_tokens")
                cut = response.get("incomplete_details") or {}
                self._finish(is_filtered=cut.get("reason") == "content_filter", is_cut=bool(cut))
            case "response.failed" | "error":
                raise refusal_in_stream((event.get("response") or event).get("error") or event)
        return ""
