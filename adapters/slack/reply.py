"""The messages of one reply on Slack: the primitives that `adapters.parts` plans over. Errors leave as ours."""

from collections.abc import Sequence
from contextlib import suppress

from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.errors import errors_as_ours
from adapters.slack.markup import shown
from bot.errors import BotError
from bot.events import Address, MessageRef
from bot.pacing import Limits
from bot.ports import Button


class SlackSurface:
    """An `adapters.parts.Surface` over the thread of the address. Buttons wait for Slack's own issue.

    Slack cannot be told to post once, so each message carries its turn and part as metadata, which `find` reads.
    """

    def __init__(self, limits: Limits, web: AsyncWebClient, address: Address, turn: str) -> None:
        self.limits, self._web, self._to, self._turn = limits, web, address, turn

    async def budget(self, *, is_final: bool) -> float:
        return 0.0

    async def sign(self) -> None:
        status = {"channel_id": self._to.channel, "thread_ts": self._to.thread, "status": "is thinking…"}
        with suppress(BotError), errors_as_ours():
            await self._web.api_call("assistant.threads.setStatus", json=status)

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        mark = {"event_type": "parley_part", "event_payload": {"turn": self._turn, "part": part}}
        post = {"channel": self._to.channel, "thread_ts": self._to.thread, "metadata": mark}
        with errors_as_ours():
            answer = await self._web.api_call("chat.postMessage", json=post | shown(text))
        return MessageRef(channel=self._to.channel, id=answer["ts"])

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        with errors_as_ours():
            await self._web.api_call("chat.update", json={"channel": ref.channel, "ts": ref.id} | shown(text))

    async def delete(self, ref: MessageRef) -> None:
        with errors_as_ours():
            await self._web.chat_delete(channel=ref.channel, ts=ref.id)

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        found: list[tuple[int, MessageRef]] = []
        place = {"channel": self._to.channel, "ts": self._to.thread, "oldest": self._to.reply_to}
        place["include_all_metadata"] = "true"
        with errors_as_ours():
            async for page in await self._web.api_call("conversations.replies", http_verb="GET", params=place):
                for message in page["messages"]:
                    mark = message.get("metadata", {}).get("event_payload", {})
                    if mark.get("turn") == self._turn:
                        found.append((mark["part"], MessageRef(channel=self._to.channel, id=message["ts"])))
        return found
