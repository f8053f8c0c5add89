"""The messages of one reply on Slack: streamed natively where Slack lets us, else posted and edited."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from adapters.slack.blocks import Json, bare, is_growing, whole
from adapters.slack.budget import STREAM_S
from adapters.slack.errors import Fate, fate_of
from adapters.slack.markup import settled
from adapters.slack.session import Session
from adapters.slack.stream import Stream, said
from adapters.slack.workspace import Busy, Workspace, is_lasting
from bot.errors import PlatformUnavailable, ReplyUndeliverable, StoreUnavailable
from bot.events import Address, MessageRef
from bot.pacing import Limits
from bot.ports import Button

POST, UPDATE, START = "chat.postMessage", "chat.update", "chat.startStream"
_STREAM_CADENCE_S = 0.8
_CLAIMED_S = 48 * 3600.0


class SlackSurface:
    """An `adapters.parts.Surface` over the thread of the address. What grows has a Stop button (see `is_growing`).

    Slack cannot be told to post once, so each message carries its turn and part as metadata, which `find` reads. A
    stream has none until it is stopped: until then its claim on the Shelf tells whose it is.
    """

    def __init__(
        self, workspace: Workspace, session: Session, address: Address, turn: str, limits: Limits, *, is_native: bool
    ) -> None:
        self.limits, self._plain_limits = limits, limits
        self._stream_cadence_s = min(_STREAM_CADENCE_S, limits.cadence_s)
        self._workspace, self._session, self._to, self._turn = workspace, session, address, turn
        self._is_native = is_native
        self._stream: Stream | None = None
        self._growing: MessageRef | None = None
        self._place: str | None = None
        self._edit_place: str | None = None
        self._paid = ""
        self._is_final = False
        self._written: set[str] = set()
        self._streamed: dict[str, int] = {}
        """The parts of our messages that began as streams and do not have their mark yet, by their ts."""

    async def sign(self) -> None:
        await self._session.begin()

    async def budget(self, *, is_final: bool) -> float:
        """A stream's place pays its start and its stop; all else is counted by its method."""
        self._is_final = is_final
        await self._workspace.know()
        if self._stream is not None:
            return await self._workspace.wait_s("chat.stopStream" if is_final else "chat.appendStream")
        if self._growing is None and not is_final and await self._has_place():
            return 0.0
        method = POST if self._growing is None else UPDATE
        wait_s = await self._workspace.wait_s(method, is_final=is_final, channel=self._to.channel)
        self._paid = "" if wait_s else method
        return wait_s

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        if self._stream is not None:  # somebody has deleted its message
            await self._stream.rest()
        self._stream, self._growing = None, None
        if is_growing(buttons) and await self._has_place() and (place := self._place) is not None:
            self._place = None
            if (ref := await self._started(part, text, place)) is not None:
                return ref
        where = {"channel": self._to.channel, "unfurl_links": False, "unfurl_media": False}
        thread = {"thread_ts": self._to.thread} if self._to.thread else {}
        answer = await self._put(POST, {**where, **thread, "metadata": self._mark(part)}, text, buttons)
        ref = MessageRef(channel=self._to.channel, id=answer["ts"])
        await self._wrote(ref, buttons)
        return ref

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        if self._stream is not None and self._stream.ref == ref:
            is_shown = await self._streamed_on(self._stream, text, buttons)
        else:
            is_shown = False
            if ref.id not in self._written:
                await self._stop_left(ref)
        if not is_shown:
            part = self._streamed.get(ref.id)
            mark = {} if part is None else {"metadata": self._mark(part)}
            await self._put(UPDATE, {"channel": ref.channel, "ts": ref.id, **mark}, text, buttons)
            await self._wrote(ref, buttons)
        if self._stream is None:
            await self._marked(ref)

    async def delete(self, ref: MessageRef) -> None:
        if self._stream is not None and self._stream.ref == ref:
            await self._stream.rest()
            self._stream = None
        await self._workspace.wait_s("chat.delete", is_final=True)
        await self._workspace.call("chat.delete", {"channel": ref.channel, "ts": ref.id})

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        found: list[tuple[int, MessageRef]] = []
        await self._workspace.know()
        place = {"channel": self._to.channel, "include_all_metadata": "true", "oldest": self._to.reply_to or "0"}
        method = "conversations.replies" if self._to.thread else "conversations.history"
        thread = {"ts": self._to.thread} if self._to.thread else {}
        for message in await self._workspace.read(method, place | thread):
            ref, bot = MessageRef(channel=self._to.channel, id=message["ts"]), self._workspace.bot
            mark = (message.get("metadata") or {}).get("event_payload") or {}
            if mark.get("turn") == self._turn:
                found.append((mark["part"], ref))
                continue
            is_unmarked = not message.get("metadata") and message["ts"] != self._to.thread
            if is_unmarked and message.get("user") == bot and (part := await self._claimed(ref, 0)) is not None:
                found.append((part, ref))
        return found

    async def close(self) -> None:
        """Give back the places that are not needed any more."""
        for places, place in ((self._workspace.streams, self._place), (self._workspace.edits, self._edit_place)):
            if place is not None:
                with suppress(StoreUnavailable):
                    await places.give_back(place, self._turn)
        self._place = self._edit_place = None

    # ---- streams

    async def _has_place(self) -> bool:
        """Whether the next message may be a stream, for which a place is kept."""
        if not self._is_native or self._workspace.is_refused(START) or self._workspace.held_s(START):
            return False
        if self._place is None:
            self._place = await self._workspace.streams.take(self._turn, expires_s=STREAM_S)
        return self._place is not None

    async def _started(self, part: int, text: str, place: str) -> MessageRef | None:
        """The message of a new stream; None where Slack surely has not made one."""
        team, _, person = self._to.recipient.rpartition("/")
        to = {"recipient_team_id": team or self._workspace.team, "recipient_user_id": person} if person else {}
        body = {"channel": self._to.channel, "thread_ts": self._to.thread, **to}
        text = settled(text)
        is_lost = True
        try:
            answer = await self._workspace.call(START, {**body, **({"chunks": said(text)} if text else {})})
            is_lost = False
        except (Busy, ReplyUndeliverable) as error:
            if is_lasting(error):
                self._workspace.refuse(START)
            return None
        finally:
            if is_lost:
                with suppress(StoreUnavailable):
                    await self._workspace.streams.rest(place)
        ref = MessageRef(channel=self._to.channel, id=answer["ts"])
        if await self._claimed(ref, part) is None:
            raise PlatformUnavailable("the look-up of another turn took the stream for its own")
        self._stream, self._streamed[ref.id] = Stream(self._workspace, ref, text, place), part
        self._written.add(ref.id)
        self.limits = replace(self._plain_limits, cadence_s=self._stream_cadence_s)
        return ref

    async def _streamed_on(self, stream: Stream, text: str, buttons: Sequence[Button]) -> bool:
        """Show it in the live stream, which a whole text ends; false where its message has to be edited from now on."""
        if is_growing(buttons) and await stream.grow(text):
            await self._keep_pace("chat.appendStream", self._stream_cadence_s)
            return True
        mark = self._mark(self._streamed[stream.ref.id])
        is_shown = await stream.stop(text, buttons, mark, is_last=self._is_final)
        self._stream = None
        self._session.is_released = is_shown and self._is_final
        return is_shown and not is_growing(buttons)

    async def _keep_pace(self, method: str, least_s: float) -> None:
        """All that grows in the workspace shares what it may write in a minute."""
        with suppress(StoreUnavailable):
            share_s = await self._workspace.cadence_s(method)
            self.limits = replace(self._plain_limits, cadence_s=max(least_s, share_s))

    async def _claimed(self, ref: MessageRef, part: int) -> int | None:
        """The part of a message without a mark, if this turn made it; one that nobody owns becomes ours, as `part`.

        Raises PlatformUnavailable where the store does not answer: then it may be anybody's.
        """
        key, mine = _claim(ref), f"{self._turn}:{part}"
        try:
            if await self._workspace.shelf.lease(key, mine, expires_s=_CLAIMED_S):
                return part
            turn, _, number = (await self._workspace.shelf.get(key) or "").rpartition(":")
        except StoreUnavailable as error:
            raise PlatformUnavailable(str(error)) from error
        if turn != self._turn:
            return None
        self._streamed[ref.id] = int(number)
        return int(number)

    async def _stop_left(self, ref: MessageRef) -> None:
        """A stream that a dead worker has left is stopped before its message is overwritten."""
        owner: str | None = None
        with suppress(StoreUnavailable):
            owner = await self._workspace.shelf.get(_claim(ref))
        if owner is None:
            return
        self._streamed[ref.id] = int(owner.rpartition(":")[2])
        with suppress(ReplyUndeliverable):
            await self._workspace.call("chat.stopStream", {"channel": ref.channel, "ts": ref.id})

    async def _marked(self, ref: MessageRef) -> None:
        """The message carries its mark now, so its claim is not needed any more."""
        if (part := self._streamed.pop(ref.id, None)) is not None:
            with suppress(StoreUnavailable):
                await self._workspace.shelf.lease(_claim(ref), f"{self._turn}:{part}", expires_s=0)

    # ---- posts and edits

    async def _put(self, method: str, body: Json, text: str, buttons: Sequence[Button]) -> Mapping[str, Any]:
        """Show it, without Markdown and controls where Slack refuses those."""
        if self._paid != method:
            await self._workspace.wait_s(method, is_final=True, channel=self._to.channel)
        self._paid = ""
        try:
            return await self._workspace.call(method, {**body, **whole(text, buttons)})
        except ReplyUndeliverable as error:
            if fate_of(error) is not Fate.OTHERWISE:
                raise
        return await self._workspace.call(method, {**body, **bare(text)})

    async def _wrote(self, ref: MessageRef, buttons: Sequence[Button]) -> None:
        self._written.add(ref.id)
        self._growing = ref if is_growing(buttons) else None
        if self._growing is not None:
            with suppress(StoreUnavailable):
                self._edit_place = self._edit_place or await self._workspace.edits.take(self._turn, expires_s=STREAM_S)
            await self._keep_pace(UPDATE, self._plain_limits.cadence_s)

    def _mark(self, part: int) -> Json:
        return {"event_type": "parley_part", "event_payload": {"turn": self._turn, "part": part}}


def _claim(ref: MessageRef) -> str:
    return f"stream:{ref.channel}:{ref.id}"
