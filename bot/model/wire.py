"""What the two wires share: a request as its body, and an answer gathered from the bytes of its stream. Pure."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from bot.model.faults import malformed
from bot.model.providers import Target
from bot.ports import ModelRequest, ToolCall, Usage

Reason = Literal["stop", "length", "filter", "tools"]


class Exchange:
    """One request and its answer. Text comes at once; all else is gathered until `reason` says the answer is whole.

    Fields of `body` that are None are not sent.
    """

    path: ClassVar[str]

    def __init__(self, target: Target, request: ModelRequest, *, messages: str, limit: str) -> None:
        """`messages` and `limit` are the names of these fields on the wire."""
        self.provider = target.provider
        # Lone surrogates, which JSON in UTF-8 cannot carry, become `?`.
        said = [{"role": m.role, "content": m.content.encode("utf-8", "replace").decode()} for m in request.messages]
        self.body: dict[str, object] = {"model": target.model, messages: said, limit: request.max_tokens or None}
        self.body |= {"stream": True, "temperature": request.temperature}
        if self.provider.is_openai:
            self.body["prompt_cache_key"] = request.cache_key or None
            self.body["safety_identifier"] = request.person or None
        self.reason: Reason | None = None
        self.usage: Usage | None = None
        self.calls: list[ToolCall] = []
        self._has_refused = False
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Take bytes of server-sent events; yields each event's text, which may be empty. Raises Fault."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        try:
            for line in lines:
                if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
                    yield self._read(json.loads(data))
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as err:
            raise malformed(type(err).__name__) from None

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
            self.usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1], cached_tokens=tokens[2])
