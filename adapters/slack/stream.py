"""One native stream: what it surely shows, how it grows and ends; it never appends to text of unknown length."""

from collections.abc import Sequence
from contextlib import suppress

from adapters.slack.blocks import controls
from adapters.slack.markup import settled
from adapters.slack.workspace import Busy, Workspace
from bot.errors import MessageGone, PlatformUnavailable, ReplyUndeliverable, StoreUnavailable
from bot.events import MessageRef
from bot.ports import Button

LIFE_S = 240.0
"""Slack ends a stream about five minutes after its start, whatever flows; we do so before, and edit from then on."""
_OVER = ("message_not_in_streaming_state", "unknown_method", "method_deprecated", "feature_not_enabled")
Chunk = dict[str, object]


def said(text: str) -> list[Chunk]:
    """Text as chunks of a stream; tool steps (`task_update`) will be chunks beside it."""
    return [{"type": "markdown_text", "text": text}] if text else []


class Stream:
    """The live stream in the message `ref`, which has `shown` so much. `place` is given back when it has ended."""

    def __init__(self, workspace: Workspace, ref: MessageRef, shown: str, place: str) -> None:
        self.ref, self._workspace, self._shown, self._place = ref, workspace, shown, place
        self._ends_at = workspace.clock() + LIFE_S
        self._is_sure = True
        self._is_over = False

    async def grow(self, text: str) -> bool:
        """Show the text so far; false where it must be stopped and the message edited instead.

        Raises PlatformUnavailable where Slack did not take it now.
        """
        text = settled(text)
        if not self._is_sure or self._workspace.clock() > self._ends_at or not text.startswith(self._shown):
            return False
        if chunks := said(text[len(self._shown) :]):
            if not await self._called("chat.appendStream", {"chunks": chunks}):
                return False
            self._shown = text
        return True

    async def stop(self, text: str, buttons: Sequence[Button], mark: dict[str, object], *, is_last: bool) -> bool:
        """End it with the whole text; false where the message still has to be edited to show that.

        Raises PlatformUnavailable where Slack did not take it now.
        """
        is_whole = self._is_sure and text.startswith(self._shown)
        end: dict[str, object] = {"metadata": mark, "session_status": "active" if is_last else "processing"}
        rest = said(text[len(self._shown) :]) if is_whole else []
        last = {name: value for name, value in (("chunks", rest), ("blocks", controls(buttons))) if value and is_whole}
        is_stopped = not self._is_over and await self._called("chat.stopStream", end | last)
        if last and not (is_stopped or self._is_over):  # what was refused may be the text or the controls
            await self._called("chat.stopStream", end)
        await self.rest()
        return is_whole and is_stopped

    async def rest(self) -> None:
        """It has ended: its place is free in a minute."""
        with suppress(StoreUnavailable):
            await self._workspace.streams.rest(self._place)

    async def _called(self, method: str, body: dict[str, object]) -> bool:
        """Whether Slack took it: a refusal ends the stream."""
        was_sure, self._is_sure = self._is_sure, False
        try:
            await self._workspace.call(method, {"channel": self.ref.channel, "ts": self.ref.id, **body})
        except Busy:
            self._is_sure = was_sure
            raise
        except (MessageGone, PlatformUnavailable):
            raise
        except ReplyUndeliverable as error:
            self._is_over = str(error).partition(" ")[0] in _OVER
            return False
        self._is_sure = was_sure
        return True
