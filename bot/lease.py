"""The hold of a worker on one turn: its clock, its fence, and the durable side of the reply (the port `Draft`)."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from bot.crashpoints import CrashPoint, reach
from bot.errors import LeaseLost, TurnChanged
from bot.events import MessageRef, ReplyLapsed
from bot.inbox import Flags, Inbox, OpenTurn
from bot.ports import Button
from bot.stored import dump, load

log = logging.getLogger(__name__)
MARGIN_S = 0.25
"""A platform call starts only with this much of the lease left."""


class Stopped(Exception):
    """The person stopped the answer."""


class Lease:
    """One turn held by this worker. `claimed_at` is the monotonic time before the claim was sent."""

    def __init__(
        self, inbox: Inbox, turn: OpenTurn, *, claimed_at: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.open = turn
        self.turn = turn.id
        """The id of the turn whose reply this is."""
        self.is_takeover = turn.fence > 1
        self.refs = _refs(turn.record)
        self.detail = "no model"
        """Model and tokens, for the log."""
        self.stands: tuple[str, tuple[Button, ...]] = ("", ())
        """The text, with its buttons, that this reply writes over and that must not give way to a notice."""
        self._inbox = inbox
        self._clock = clock
        self._until = claimed_at + inbox.settings.lease_s
        # The worker before us, should it only sleep, may have one platform call under way: we write after its timeout.
        self._write_from = clock() + inbox.settings.call_s if turn.is_expired else 0.0
        self._flags = Flags(is_stopped="stop" in turn.record, is_changed=False)
        self._is_lost = False
        self._work: asyncio.Future[None] | None = None

    # ---- the port Draft

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Around one platform call; see the port."""
        if self.quiet_s:
            await asyncio.sleep(self.quiet_s)
        while not self._is_lost and self._clock() > self._until - MARGIN_S:
            await self.renew()
        if self._is_lost:
            raise LeaseLost(self.turn)
        try:
            yield
        finally:
            # If nobody took the turn though the lease had ended during the call, all is well.
            if self._clock() > self._until:
                await self.renew()
                if self._is_lost:
                    log.warning("turn %s: the lease ended in a platform call; its text will be sent again", self.turn)
                    await self._repair(None)

    async def keep(self, part: int, ref: MessageRef | None) -> None:
        """Record a part's intent or message; see the port."""
        if ref is None:
            if part not in self.refs:
                await self.record({f"p{part}": ""})
                self.refs[part] = None
            reach(CrashPoint.BEFORE_CREATE)
            return
        reach(CrashPoint.CREATED)
        # Where all questions were deleted meanwhile, the address stands in the record already.
        address = {"address": dump(self.open.questions[-1].address)} if self.open.questions else {}
        try:
            await self.record({f"p{part}": dump(ref), **address})
        except LeaseLost:
            await self._repair(ref)
        self.refs[part] = ref
        reach(CrashPoint.PART_KEPT)

    async def drop(self, part: int) -> None:
        """Record that a part's message was deleted; see the port."""
        await self.record({f"p{part}": "-"})
        self.refs.pop(part, None)

    # ---- for the worker and the conversation

    @property
    def quiet_s(self) -> float:
        """How long nobody may write to the reply yet, seconds."""
        return max(0.0, self._write_from - self._clock())

    async def record(self, fields: Mapping[str, str]) -> None:
        """Write fields of the turn's record, whatever outage comes between. Raises LeaseLost."""
        asked_at = self._clock()
        try:
            flags = await self._inbox.record(self.open, fields)
        except LeaseLost:
            self._is_lost = True
            self._heed()
            raise
        self._until = max(self._until, asked_at + self._inbox.settings.lease_s)
        self._flags = flags
        self._heed()

    async def renew(self) -> None:
        """Renew the lease and look what control asks for; a loss is noted, not raised."""
        with contextlib.suppress(LeaseLost):
            await self.record({})

    async def adopt_lapsed(self) -> None:
        """Where this turn is there to send another turn's reply again: take up that reply's messages and its text."""
        match self.open.questions:
            case (ReplyLapsed(id=turn),):
                closed = await self._inbox.closed(self.open.conversation, turn)
                late = [load(MessageRef, value) for name, value in closed.items() if name.startswith("orphan:")]
                self.refs = _refs(closed)
                # Those that nobody took over are surplus beyond the last part, which the reply deletes at its end.
                orphans = [ref for ref in dict.fromkeys(late) if ref not in self.refs.values()]
                self.refs.update(enumerate(orphans, max(self.refs, default=-1) + 1))
                # An intent of which nothing is known has the reply look for what nobody has recorded.
                self.refs[max(self.refs, default=0) + 1] = None
                self.turn = turn
                told = {name: closed.get(name, "") for name in ("final", "outcome", "entry")}
                self.open = replace(self.open, record={**self.open.record, **told})

    async def adopt(self, refs: Sequence[MessageRef]) -> None:
        """Write over these messages, which an earlier turn has left, in place of new ones. Raises LeaseLost."""
        if not any(self.refs.values()) and refs:
            await self.record({f"p{part}": dump(ref) for part, ref in enumerate(refs)})
            self.refs.update(enumerate(refs))

    async def reload(self) -> None:
        """Take up the batch anew after it was edited or deleted. Raises LeaseLost."""
        self.open = await self._inbox.reload(self.open)
        self._flags = Flags(is_stopped=self._flags.is_stopped, is_changed=False)

    async def attend(self, work: Coroutine[object, object, None]) -> None:
        """Await this; control takes effect at once: raises Stopped, TurnChanged or LeaseLost in place of its end."""
        self._work = asyncio.ensure_future(work)
        self._heed()
        try:
            await self._work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # not our own worker ends, but somebody wants something
                self._raise_asked()
            raise

    def _heed(self) -> None:
        if self._work is not None and (self._is_lost or self._flags.is_changed or self._flags.is_stopped):
            self._work.cancel()

    def _raise_asked(self) -> None:
        if self._is_lost:
            raise LeaseLost(self.turn)
        if self._flags.is_changed:
            raise TurnChanged(self.turn)
        if self._flags.is_stopped:
            raise Stopped(self.turn)

    async def _repair(self, orphan: MessageRef | None) -> None:
        if self.open.questions:  # else who holds the turn now deletes all there is
            await self._inbox.lapsed(self.open, orphan)
        raise LeaseLost(self.turn)


def _refs(record: Mapping[str, str]) -> dict[int, MessageRef | None]:
    """A reply's messages by part, from the fields p0, p1 ... of a record."""
    parts = {name[1:]: value for name, value in record.items() if name[0] == "p" and name[1:].isdigit()}
    return {int(number): load(MessageRef, value) if value else None for number, value in sorted(parts.items())}


Outcome = Literal["answered", "stopped", "declined", "empty", "undeliverable", "given_up", "deleted", "repaired"]
