"""A draft and a reply that remember what was done with them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal

from bot.errors import LeaseLost
from bot.events import MessageRef
from bot.ports import Button, Draft


class FakeDraft:
    """A `bot.ports.Draft` in memory.

    `log` gets "writing", "intent 0", "ref 0", "drop 0" in the order of the calls (share it with a FakeSurface to see
    both). With `lost_at` the lease is lost at the first entry of that kind, such as "ref 0": that call and all later
    ones raise LeaseLost and record nothing, which is also what a kill at this instant leaves behind. `may_write`, if
    set, is waited for before each write.
    """

    def __init__(
        self,
        turn: str = "t1",
        *,
        refs: Mapping[int, MessageRef | None] | None = None,
        is_takeover: bool = False,
        log: list[str] | None = None,
        lost_at: str = "",
    ) -> None:
        self.turn = turn
        self.refs: dict[int, MessageRef | None] = {0: None} if refs is None else dict(refs)
        self.is_takeover = is_takeover
        self.log = [] if log is None else log
        self.lost_at = lost_at
        self.is_lost = False
        self.may_write: asyncio.Event | None = None

    def takeover(self, *, lost_at: str = "") -> "FakeDraft":
        """What the next worker gets."""
        return FakeDraft(self.turn, refs=self.refs, is_takeover=True, log=self.log, lost_at=lost_at)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        if self.may_write is not None:
            await self.may_write.wait()
        self._record("writing")
        yield
        self._check()

    async def keep(self, part: int, ref: MessageRef | None) -> None:
        self._record(f"intent {part}" if ref is None else f"ref {part}")
        self.refs[part] = ref

    async def drop(self, part: int) -> None:
        self._record(f"drop {part}")
        self.refs.pop(part, None)

    def _record(self, entry: str) -> None:
        self.is_lost = self.is_lost or entry == self.lost_at
        self._check()
        self.log.append(entry)

    def _check(self) -> None:
        if self.is_lost:
            raise LeaseLost


class FakeReply:
    """A `bot.ports.Reply` in memory.

    `shown` are the texts so far, `outcome` tells how it ended, `text` what stands there. `errors` are raised by the
    calls that end it, one each, before anything happens. With a draft it records one message as an adapter would: the
    intent, then the ref.
    """

    def __init__(self, draft: Draft | None = None, *, errors: Iterable[Exception] = ()) -> None:
        self.draft = draft
        self.errors = list(errors)
        self.shown: list[str] = []
        self.text = ""
        self.notice = ""
        self.buttons: tuple[Button, ...] = ()
        self.outcome: Literal["finished", "failed", "discarded"] | None = None
        self.is_entered = False
        self.is_left = False

    async def __aenter__(self) -> "FakeReply":
        self.is_entered = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.is_left = True

    def show(self, text: str) -> None:
        self.shown.append(text)
        self.text = text

    async def finish(self, text: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        refs = await self._post()
        self.text, self.buttons, self.outcome = text, tuple(buttons), "finished"
        return refs

    async def fail(self, notice: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        refs = await self._post()
        self.notice, self.buttons, self.outcome = notice, tuple(buttons), "failed"
        return refs

    async def discard(self) -> None:
        self._raise()
        self.text, self.outcome = "", "discarded"
        if self.draft is not None and self.draft.refs.get(0) is not None:
            await self.draft.drop(0)

    async def _post(self) -> tuple[MessageRef, ...]:
        self._raise()
        ref = MessageRef(channel="c1", id="m1")
        if self.draft is not None:
            known = self.draft.refs.get(0)
            if known is not None:
                return (known,)
            if 0 not in self.draft.refs:
                await self.draft.keep(0, None)
            async with self.draft.writing():
                pass
            await self.draft.keep(0, ref)
        return (ref,)

    def _raise(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
