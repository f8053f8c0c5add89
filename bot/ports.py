"""What the core asks of the outside: small Protocols, and the plain data that crosses them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, Self, runtime_checkable

from bot.events import Action, Address, Attachment, Conversation, Event, MessageReceived, MessageRef, Person

# ---- intake: adapters -> core


class Admission(StrEnum):
    """What became of an event. Only StoreUnavailable means that it was not taken."""

    ADMITTED = "admitted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"


class Intake(Protocol):
    """Takes an event durably. After it returns the platform may be told "received".

    Raises StoreUnavailable (it was not taken), or NotAllowed where this person may not do that: show them its notice.
    """

    async def __call__(self, event: Event) -> Admission: ...


# ---- replies: core -> adapters


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A control under an answer; `turn` goes into the platform's custom id so that it survives restarts.

    They come in the order of their weight: a platform with little room puts the last ones behind a menu.
    """

    action: Action
    label: str
    turn: str


class Draft(Protocol):
    """The durable side of one reply, given by the worker that holds its turn.

    `refs` maps a part's index to its message, or to None where only the intent to create it is known: such a part may
    exist on the platform, so look before creating. `is_takeover` is true from the second attempt on.
    """

    turn: str
    is_takeover: bool
    refs: dict[int, MessageRef | None]

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Held around each platform call that writes, and around nothing else.

        Waits until this worker may write (its lease has margin; after a takeover the earlier worker's last call has
        timed out). On leaving it finds out whether the lease lapsed during the call and then stores a repair.
        Raises LeaseLost where another worker holds the turn.
        """

    async def keep(self, part: int, ref: MessageRef | None) -> None:
        """Record before a message is created that it will be (None), and then which one it is. Raises LeaseLost."""

    async def drop(self, part: int) -> None:
        """Record that the message of a part was deleted. Raises LeaseLost."""


class Reply(Protocol):
    """The answer being written. Entered at the turn's start, which shows a sign of life; leaving it stops its tasks.

    Exactly one of `finish`, `fail` and `discard` ends it; leaving without one keeps what is shown (another attempt
    follows). They raise LeaseLost, PlatformUnavailable or ReplyUndeliverable.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def show(self, text: str) -> None:
        """The whole text so far. Returns at once; what the reader sees follows in the platform's cadence."""

    async def finish(self, text: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        """Show the final text, whole, and return its messages in order."""

    async def fail(self, notice: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        """Show the notice in place of an answer; text that is already shown stays above it."""

    async def discard(self) -> None:
        """Delete whatever this reply has shown."""


class Adapter(Protocol):
    """One platform. A failure of its `run` stops this platform alone."""

    platform: str

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Connect, hand events to `intake` until cancelled; `ready` is called once connected.

        Returns normally only where the platform has no more to tell (the console at the end of its input).
        """

    def reply(self, address: Address, draft: Draft) -> Reply:
        """A reply at this address; pure until it is entered. Works while `run` is being stopped, until `close`."""

    async def close(self) -> None:
        """Close connections, after the last reply."""


Suggest = Callable[[Conversation, str, str, str], Awaitable[Sequence[str]]]
"""Values for an option that is completed as one types: the place, the command, the option, what was typed so far."""


@runtime_checkable
class Files(Protocol):
    """An adapter that can read the files that hang at questions."""

    async def read(self, attachment: Attachment, most: int) -> bytes:
        """The file, at most `most` bytes. Raises FileUnreadable or PlatformUnavailable."""


@runtime_checkable
class Scrollback(Protocol):
    """An adapter that can read what was said on its platform before."""

    async def since(self, place: Conversation, reader: Person, after: str, most: int) -> Sequence[MessageReceived]:
        """The newest `most` messages of people from message `after` on (empty: from any), oldest first.

        Raises NotAllowed where `reader` cannot read there now, or PlatformUnavailable.
        """

    def link(self, place: Conversation, message: str) -> str:
        """The address by which people open a message of that place."""


# ---- the model


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture in the model's input; `media_type` such as `image/png`."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One entry of the model's input, as in the OpenAI API."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One question to the model. `model` is `provider/model` or empty for the default chain.

    `effort` is how much a model that reasons shall do so, empty leaves it to the server. `cache_key` is stable for a
    conversation, `person` is a hash; both go only to servers that take them.
    """

    messages: tuple[Message, ...]
    model: str = ""
    max_tokens: int = 0
    temperature: float | None = None
    effort: str = ""
    cache_key: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A whole tool call; `arguments` is JSON text as the model wrote it (it may be broken)."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the server counted them; `cached_tokens` is the part of `input_tokens` that its cache served."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The stream's proper end. `model` is `provider/model`; `tried` names what failed before it, with the reason."""

    reason: Literal["stop", "length", "filter", "tools"]
    model: str
    tried: tuple[str, ...] = ()


StreamEvent = TextDelta | ToolCall | Usage | Finished


class Model(Protocol):
    """Streams one answer: deltas, then usage where the server tells it, then exactly one Finished.

    A stream that ends without Finished does not exist: ModelInterrupted (after text), ModelUnavailable (retry later) or
    ModelRefused (no use) is raised instead. Closing the generator closes the HTTP stream at once.
    """

    def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent, None]: ...


# ---- what an adapter may keep


class Shelf(Protocol):
    """Small durable things of an adapter (cursors, budgets, leases). Every entry expires. Raises StoreUnavailable."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str, *, expires_s: float) -> None: ...

    async def take_once(self, key: str, *, expires_s: float) -> bool:
        """True for the first caller until the key expires."""

    async def lease(self, key: str, holder: str, *, expires_s: float) -> bool:
        """Take or renew; false while somebody else holds it. `expires_s` of 0 gives it back."""

    async def take_token(self, key: str, *, per_s: float, burst: int, debt: int = 0) -> float:
        """Take one token of a bucket that refills at `per_s` a second up to `burst`: seconds to wait, 0 = taken.

        Who may not wait takes up to `debt` tokens that are not there yet, for which all others then wait.
        """
