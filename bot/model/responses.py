"""The Responses wire, OpenAI's own. Always stateless: our transcript is the only memory. Pure.

Source: https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from typing import Any

from bot.model.faults import refusal_in_stream
from bot.model.providers import Target
from bot.model.wire import Exchange
from bot.ports import ModelRequest, ToolCall


class Responses(Exchange):
    """One exchange by the Responses API."""

    path = "/responses"

    def __init__(self, target: Target, request: ModelRequest) -> None:
        super().__init__(target, request, messages="input", limit="max_output_tokens")
        self.body["store"] = False

    def _read(self, event: Any) -> str:
        match event["type"]:
            case "response.output_text.delta":
                return str(event["delta"] or "")
            case "response.refusal.delta":
                self._has_refused = True
                return str(event["delta"] or "")
            case "response.output_item.done" if event["item"]["type"] == "function_call":
                id, name, arguments = (str(event["item"][key]) for key in ("call_id", "name", "arguments"))
                self.calls.append(ToolCall(id=id, name=name, arguments=arguments))
            case "response.completed" | "response.incomplete":
                response = event["response"]
                self._count(response.get("usage"), "input_tokens", "output_tokens")
                cut = response.get("incomplete_details") or {}
                self._finish(is_filtered=cut.get("reason") == "content_filter", is_cut=bool(cut))
            case "response.failed":
                raise refusal_in_stream(event["response"].get("error"))
            case "error":
                raise refusal_in_stream(event.get("error") or event)
        return ""
