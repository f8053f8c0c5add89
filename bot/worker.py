"""Claims turns and hands each to `handle`, which app injects; renews, sweeps and drains. It knows no platform."""

import asyncio
import contextlib
import logging
import platform
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from bot.conversation import Kit, close, tell
from bot.crashpoints import CrashPoint, reach
from bot.errors import BotError, LeaseLost, PlatformUnavailable, ReplyUndeliverable, StoreUnavailable, TurnChanged
from bot.events import Address
from bot.inbox import CONTROL_CHANNEL, OpenTurn
from bot.lease import Lease, Outcome
from bot.ports import Adapter, Reply
from bot.stored import CorruptEvent, load

log = logging.getLogger(__name__)
Handle = Callable[[Kit, Lease, Reply], Awaitable[Outcome]]
DEATH_LIMIT = 25
"""So many workers may die over a turn, or be killed while they hold it, before it is given up."""
ALIVE = "parley:alive:"
"""With the host's name behind it: a key that lives for 20 s, written every 5 s."""
FULL_SWEEP_EVERY = 30
"""Every so many sweeps (one a second) all lanes are looked at, for what an index lost."""


class Worker:
    """Answers the turns of the platforms that `adapters` serve. `run` ends after `stop`, once turns have drained."""

    def __init__(self, kit: Kit, adapters: Mapping[str, Adapter], handle: Handle, *, failure_limit: int = 5) -> None:
        self.kit = kit
        self.adapters = adapters
        self.handle = handle
        self.failure_limit = failure_limit
        self.leases: dict[str, Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._waiting: asyncio.Timeout | None = None
        self._slot_free = asyncio.Event()

    async def run(self) -> None:
        """Work until stopped. Cancelling it hands all turns back at once."""
        async with asyncio.TaskGroup() as helpers:
            side = [helpers.create_task(job()) for job in (self._renewing, self._sweeping, self._listening)]
            try:
                await self._claiming()
                asyncio.get_running_loop().call_later(self.kit.settings.grace_s, self.hand_back)
                while self._tasks:
                    await asyncio.wait(self._tasks)
            finally:
                self.hand_back()
                while self._tasks:
                    await asyncio.wait(self._tasks)
                for task in side:
                    task.cancel()

    def stop(self) -> None:
        """Claim nothing more; running turns may end within the grace period, the rest is handed back."""
        self._is_stopping = True
        self._slot_free.set()
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def hand_back(self) -> None:
        """Hand all running turns back at once, to be taken by another worker or the next start."""
        for task in self._tasks:
            task.cancel()

    def _prefixes(self) -> list[str]:
        return [prefix for name in self.adapters for prefix in self.kit.inbox.store.prefixes(name)]

    async def _claiming(self) -> None:
        prefixes, pause_s = self._prefixes(), 0.05
        while not self._is_stopping:
            free = self.kit.settings.turns - len(self._tasks)
            if free <= 0:
                self._slot_free.clear()
                await self._slot_free.wait()
                continue
            try:
                try:
                    async with asyncio.timeout(None) as self._waiting:
                        prefix = await self.kit.inbox.wait(prefixes, 1.0)
                finally:
                    self._waiting = None
                claimed_at = time.monotonic()
                for turn in await self.kit.inbox.claim(prefix, free) if prefix else ():
                    task = asyncio.create_task(self._turn(turn, claimed_at))
                    self._tasks.add(task)
                    task.add_done_callback(self._ended)
                pause_s = 0.05
            except TimeoutError:  # `stop` ended the wait
                return
            except StoreUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(2.0, pause_s * 2)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slot_free.set()
        # A turn that fails even while it tells of its failure is left to the end of its lease; no other turn suffers.
        if not task.cancelled() and (error := task.exception()):
            log.error("a turn could not be ended", exc_info=error)

    # ---- one turn

    async def _turn(self, turn: OpenTurn, claimed_at: float) -> None:
        reach(CrashPoint.CLAIMED)
        started = time.monotonic()
        lease = Lease(self.kit.inbox, turn, claimed_at=claimed_at)
        self.leases[turn.id] = lease
        try:
            outcome: str = await self._answered(lease)
        except LeaseLost:
            outcome = "lost to another worker"
        except asyncio.CancelledError:
            # A store that is away now is not waited for: the lease's end does the same a little later.
            with contextlib.suppress(LeaseLost, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.kit.inbox.release(lease.open, is_failure=False, delay_s=lease.quiet_s)
            raise
        finally:
            if self.leases.get(turn.id) is lease:  # this very process may have taken it over from itself
                del self.leases[turn.id]
        spent_ms = (time.monotonic() - started) * 1000
        what = (turn.id, turn.conversation.key, outcome, len(turn.questions), turn.fence, lease.detail, spent_ms)
        log.info("turn %s in %s: %s, %d questions, attempt %d, %s, %.0f ms", *what)

    async def _answered(self, lease: Lease) -> str:
        turn = lease.open
        if turn.unreadable == "newer":
            await self.kit.inbox.release(turn, is_failure=False, delay_s=30.0)
            return "left for a newer worker"
        address = _address(turn)
        if address is None:
            return await close(self.kit, lease, "given_up", why="nothing here can be read")
        await lease.adopt_lapsed()
        while True:
            try:
                async with self.adapters[turn.conversation.platform].reply(address, lease) as reply:
                    return await self._attempt(lease, reply)
            except TurnChanged:
                await lease.reload()

    async def _attempt(self, lease: Lease, reply: Reply) -> str:
        try:
            if not lease.open.questions:
                await reply.discard()
                return await close(self.kit, lease, "deleted")
            if lease.open.deaths > DEATH_LIMIT:
                return await self._give_up(lease, reply, BotError().notice, "its worker died too often")
            return await self.handle(self.kit, lease, reply)
        except (LeaseLost, TurnChanged):
            raise
        except BotError as error:
            return await self._failed(lease, reply, error)
        except Exception as error:  # one of the two broad ones: a turn never raises
            id = secrets.token_hex(4)
            log.exception("turn %s failed, error %s", lease.turn, id)
            notice = f"Something went wrong on my side (error {id})."
            return await self._failed(lease, reply, BotError(repr(error), notice=notice, retry_in_s=2.0))

    async def _failed(self, lease: Lease, reply: Reply, error: BotError) -> str:
        """Tell the person, and try again later where that may help."""
        turn, reason = lease.open, f"{type(error).__name__}: {error}"
        log.warning("turn %s: %s", turn.id, reason)
        if isinstance(error, ReplyUndeliverable):
            return await close(self.kit, lease, "undeliverable")
        if error.retry_in_s is None:
            await _tell(lease, reply, error.notice)
            return await close(self.kit, lease, "declined")
        if turn.failures + 1 >= self.failure_limit:
            return await self._give_up(lease, reply, error.notice, reason)
        delay_s = min(120.0, error.retry_in_s * 2**turn.failures)
        if not isinstance(error, PlatformUnavailable):
            await _tell(lease, reply, f"{error.notice} I'll try again in {max(1, round(delay_s))} s.")
        await self.kit.inbox.release(turn, is_failure=True, delay_s=delay_s)
        return f"to be tried again in {delay_s:.0f} s"

    async def _give_up(self, lease: Lease, reply: Reply, notice: str, reason: str) -> str:
        try:
            await _tell(lease, reply, f"{notice} I have given up on this question; please ask again later.")
        finally:
            await close(self.kit, lease, "given_up", why=reason)
        return "given up"

    # ---- beside the turns

    async def _renewing(self) -> None:
        """Renew all leases together, three times in each lease."""
        while True:
            await asyncio.sleep(self.kit.settings.lease_s / 3)
            await self._renew(list(self.leases.values()))

    async def _renew(self, leases: Iterable[Lease]) -> None:
        await asyncio.gather(*(lease.renew() for lease in leases))

    async def _sweeping(self) -> None:
        """Once a second: what is due, what an index lost, and the bills of closed turns."""
        inbox, count = self.kit.inbox, 0
        while True:
            with contextlib.suppress(StoreUnavailable):
                prefixes = self._prefixes()
                is_full = count % FULL_SWEEP_EVERY == 0
                swept = await asyncio.gather(*(inbox.sweep(prefix, is_full=is_full) for prefix in prefixes))
                for prefix, bills in zip(prefixes, swept, strict=True):
                    if bills:
                        await asyncio.gather(*(self.kit.limits.settle(bill) for bill in bills))
                        reach(CrashPoint.SETTLED)
                        await inbox.settled(prefix, bills)
                if count % 5 == 0:
                    await inbox.store.command("SET", ALIVE + platform.node(), "1", "EX", 20)
                count += 1
            await asyncio.sleep(1.0)

    async def _listening(self) -> None:
        """Control that was published reaches the running turn at once; after each (re-)subscription all turns look."""
        async for turn in self.kit.inbox.store.listen(CONTROL_CHANNEL):
            await self._renew(lease for id, lease in list(self.leases.items()) if turn in ("", id))


def _address(turn: OpenTurn) -> Address | None:
    """Where the reply goes: to the last question of the batch or, if all were deleted, where the record says."""
    if turn.questions:
        return turn.questions[-1].address
    try:
        return load(Address, turn.record.get("address", ""))
    except CorruptEvent:
        return None


async def _tell(lease: Lease, reply: Reply, notice: str) -> None:
    """Show a notice; a platform that refuses even that is logged by its adapter, and the turn goes on to its end."""
    with contextlib.suppress(PlatformUnavailable, ReplyUndeliverable):
        await tell(lease, reply, notice)
