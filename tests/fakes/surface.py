"""A platform in memory: channels of messages, surfaces that write into them, and an adapter over both."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from adapters.parts import PartsReply
from bot.errors import BotError, MessageGone
from bot.events import Address, Conversation, Event, MessageReceived, MessageRef, Person
from bot.pacing import Limits
from bot.ports import Admission, Button, Draft, Intake

_T = TypeVar("_T")

LIMITS = Limits(characters=200, cadence_s=1.0, sign_every_s=8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message as readers have it."""

    id: str
    turn: str
    part: int
    text: str
    buttons: tuple[Button, ...] = ()
    file: str = ""


@dataclass(slots=True)
class Wall:
    """A channel: its messages, oldest first, and how often each text was written."""

    messages: dict[str, Shown] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(message.text for message in self.messages.values())


class FakeSurface:
    """An `adapters.parts.Surface` over a wall.

    `log` gets "sign", "create 0", "edit m1", "delete m1", "find" when the platform takes the call. `before` and `after`
    hold errors, by the call's first word, that are raised one for each call before or after it takes effect; an Event
    there is waited for instead.
    """

    def __init__(
        self, wall: Wall | None = None, turn: str = "t1", *, limits: Limits = LIMITS, log: list[str] | None = None
    ) -> None:
        self.wall = Wall() if wall is None else wall
        self.turn = turn
        self.limits = limits
        self.log = [] if log is None else log
        self.before: dict[str, list[BotError | asyncio.Event]] = {}
        self.after: dict[str, list[BotError | asyncio.Event]] = {}
        self.waits: dict[bool, list[float]] = {False: [], True: []}

    async def sign(self) -> None:
        await self._call("sign", lambda: None)

    async def budget(self, *, is_final: bool) -> float:
        """Unlimited; with `waits` the next answers, final or not as their key says."""
        return self.waits[is_final].pop(0) if self.waits[is_final] else 0.0

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        def take() -> MessageRef:
            self.wall.count += 1
            shown = Shown(id=f"m{self.wall.count}", turn=self.turn, part=part, text=text, buttons=tuple(buttons))
            self.wall.messages[shown.id] = shown
            self.wall.writes.append(text)
            return MessageRef(channel="c1", id=shown.id)

        return await self._call(f"create {part}", take)

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        def take() -> None:
            shown = self._known(ref)
            self.wall.messages[ref.id] = replace(shown, text=text, buttons=tuple(buttons), file="")
            self.wall.writes.append(text)

        await self._call(f"edit {ref.id}", take)

    async def delete(self, ref: MessageRef) -> None:
        def take() -> None:
            del self.wall.messages[self._known(ref).id]

        await self._call(f"delete {ref.id}", take)

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        def take() -> list[tuple[int, MessageRef]]:
            mine = (shown for shown in self.wall.messages.values() if shown.turn == self.turn)
            return [(shown.part, MessageRef(channel="c1", id=shown.id)) for shown in mine]

        return await self._call("find", take)

    def _known(self, ref: MessageRef) -> Shown:
        if ref.id not in self.wall.messages:
            raise MessageGone(ref.id)
        return self.wall.messages[ref.id]

    async def _call(self, entry: str, take: Callable[[], _T]) -> _T:
        await self._trouble(self.before, entry)
        result = take()
        self.log.append(entry)
        await self._trouble(self.after, entry)
        return result

    async def _trouble(self, planned: dict[str, list[BotError | asyncio.Event]], entry: str) -> None:
        await asyncio.sleep(0)
        match planned.get(entry.split()[0], []):
            case [asyncio.Event() as event, *_] as steps:
                del steps[0]
                await event.wait()
            case [BotError() as error, *_] as steps:
                del steps[0]
                raise error
            case _:
                pass


class FilingSurface(FakeSurface):
    """The same, which shows two messages of an answer at most and attaches a longer one: `log` gets "attach m2"."""

    messages = 2

    async def attach(self, ref: MessageRef, text: str, buttons: Sequence[Button], file: str) -> None:
        def take() -> None:
            shown = self._known(ref)
            self.wall.messages[ref.id] = replace(shown, text=text, buttons=tuple(buttons), file=file)

        await self._call(f"attach {ref.id}", take)


class MemoryAdapter:
    """A `bot.ports.Adapter` in memory: `say` gives an event to the intake, `walls` are the channels by name."""

    platform = "memory"

    def __init__(self, *, limits: Limits = LIMITS, call_s: float = 5.0) -> None:
        self.limits = limits
        self.call_s = call_s
        self.walls: dict[str, Wall] = {}
        self.surfaces: dict[str, FakeSurface] = {}
        self.admissions: list[Admission] = []
        self.is_closed = False
        self._intake: asyncio.Future[Intake] | None = None
        self._count = 0

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        self._connected().set_result(intake)
        ready()
        await asyncio.Event().wait()

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        wall = self.walls.setdefault(address.channel, Wall())
        surface = self.surfaces[draft.turn] = FakeSurface(wall, draft.turn, limits=self.limits)
        return PartsReply(surface, draft, call_s=self.call_s)

    async def close(self) -> None:
        self.is_closed = True

    async def say(
        self, text: str, *, author: str = "ada", channel: str = "c1", mention: bool = True
    ) -> MessageReceived:
        """What a person writes, once the adapter runs; returns the event after it was admitted."""
        self._count += 1
        event = MessageReceived(
            id=f"q{self._count}",
            conversation=Conversation(platform=self.platform, workspace="w1", channel=channel),
            author=Person(id=author, name=author.title()),
            text=text,
            at=1_800_000_000.0 + self._count,
            address=Address(channel=channel, reply_to=f"q{self._count}"),
            mentions_bot=mention,
        )
        await self.tell(event)
        return event

    async def tell(self, event: Event) -> None:
        """Any event, once the adapter runs."""
        intake = await self._connected()
        self.admissions.append(await intake(event))

    def _connected(self) -> asyncio.Future[Intake]:
        if self._intake is None:
            self._intake = asyncio.get_running_loop().create_future()
        return self._intake
