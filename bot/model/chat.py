"""The Chat Completions wire, which every compatible server speaks. Pure.

Source: https://platform.openai.com/docs/api-reference/chat-streaming; what servers do otherwise is said below.
"""

from typing import Any

from bot.model.faults import refusal_in_stream
from bot.model.providers import Target
from bot.model.wire import Exchange
from bot.ports import ModelRequest, ToolCall


class Chat(Exchange):
    """One exchange by Chat Completions."""

    path = "/chat/completions"

    def __init__(self, target: Target, request: ModelRequest) -> None:
        # OpenAI's own models refuse `max_tokens`; many compatible servers know nothing else.
        limit = "max_completion_tokens" if target.provider.has_openai_models else "max_tokens"
        super().__init__(target, request, messages="messages", limit=limit)
        self.body["stream_options"] = {"include_usage": True}
        self._parts: list[list[str]] = []

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
                self.calls = [ToolCall(id=id, name=name, arguments=said) for _, id, name, said in self._parts]
                self._finish(is_filtered=reason == "content_filter", is_cut=reason == "length")
        return text if isinstance(text, str) else ""

    def _add(self, index: str, id: str, function: Any) -> None:
        """Take a piece of a call. Gemini's endpoint gives all calls one index, others give no ids: either tells."""
        if not self._parts or self._parts[-1][0] != index or id not in ("", self._parts[-1][1]):
            self._parts.append([index, id, function.get("name") or "", ""])
        self._parts[-1][3] += function.get("arguments") or ""
