"""The durable work queue: each function is one script of `bot/lua/`, and what it promises is told there and here.

A question waits in its author's lane. A claim pins the first of them as a batch, opens a turn over it and counts the
lane's fence up; whatever the holder writes afterwards names that fence, so a worker that lost its lease writes nothing.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from bot.errors import LeaseLost, TurnChanged
from bot.events import ActionTaken, Conversation, MessageReceived, MessageRef, Person, Question, ReplyLapsed, lane_of
from bot.ports import Admission
from bot.settings import Settings
from bot.store import Store
from bot.stored import CorruptEvent, Entry, UnknownVersion, dump, dump_entry, dump_event, load, load_event

CONTROL_CHANNEL = "parley:control"
"""Turn ids are published here when somebody stops a turn or changes its batch."""


@dataclass(slots=True, kw_only=True)
class OpenTurn:
    """A turn as it was claimed.

    `fence` guards every write; `record` is the stored record; `is_expired` says that it was taken from a worker whose
    lease ended, which may still have a platform call under way.
    """

    id: str
    lane: str
    conversation: Conversation
    fence: int
    is_expired: bool
    questions: tuple[Question, ...]
    record: Mapping[str, str]
    transcript: Sequence[str]
    unreadable: Literal["", "newer", "corrupt"] = ""

    @property
    def failures(self) -> int:
        """How often the turn has failed so far."""
        return int(self.record["failures"])

    @property
    def deaths(self) -> int:
        """How many workers have died over it."""
        return int(self.record["deaths"])


class Talk(NamedTuple):
    """What may become of a message that addresses nobody, or somebody else.

    `keep`: it is heard nowhere, in threads that we take part in, or everywhere. It is a question all the same in a
    thread that we take part in (`asks_in_thread`), or so soon after an answer to its author (`asks_in_window`).
    """

    keep: Literal["off", "threads", "all"]
    asks_in_thread: bool = False
    asks_in_window: bool = False


class Flags(NamedTuple):
    """What control asks of an open turn."""

    is_stopped: bool
    is_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What one person thinks of one answer; `text` is the answer that they would have liked better, or empty."""

    who: str
    at: float
    is_good: bool
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A batch that was given up: `parley dead` lists it and puts it back."""

    turn: str
    lane: str
    reason: str
    at: float
    items: tuple[str, ...] = ()


class Inbox:
    """Admit, claim, record, commit, control, sweep. What a worker does with a turn that it holds waits for a store that
    is away; all else raises StoreUnavailable."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    # ---- what people say

    async def admit(
        self, event: Question, entry: Entry | None, talk: Talk | None = None, *, lane: str = ""
    ) -> Admission:
        """Claim the message's identity (kept 48 h), append it to the transcript, put it into its lane: one step.

        It is a question unless it is `talk`; then the script decides what becomes of it.
        """
        lane = lane or lane_of(event)
        what = ("hear" if talk else "ask", identity(event.conversation, event.id), event.conversation.key, lane)
        stored = (dump_entry(entry) if entry else "", _item(event), *self._keeping())
        how = (talk.keep, int(talk.asks_in_thread), int(talk.asks_in_window)) if talk else ()
        return Admission(await self._call("admit", lane, *what, *stored, *how))

    async def edit(self, message: MessageReceived, entry: Entry, again: ActionTaken | None = None) -> str:
        """Give a message its new text, in the transcript and in its lane; a turn that runs over it starts again.

        What the message was: unknown, gone, heard or asked. Where it is the newest question of its conversation, has
        been answered, and its text is another one now, it is answered `again`, by an action whose turn is empty.
        """
        conversation = message.conversation
        items = (dump_entry(entry), _item(message), _item(again) if again else "")
        args = (identity(conversation, message.id), conversation.key, *items)
        was: str = await self._call("edit", lane_of(message), *args)
        return was

    async def askers(self, conversation: Conversation, turn: str) -> tuple[str, ...] | None:
        """Whose questions a turn answers or has answered ("" where everybody may say so); None: it is not known.

        The first is whose lane it was, where it was no direct message.
        """
        people = await self.store.call("askers", self.store.shard(conversation.channel_key), turn)
        return None if people is None else tuple(people.split(" "))

    async def takes_part(self, conversation: Conversation) -> bool:
        """Whether somebody has asked us in this thread."""
        key = f"{self.store.shard(conversation.channel_key)}j:{conversation.key}"
        return bool(await self.store.command("EXISTS", key))

    async def answered_in(self, channel: Conversation, person: str) -> Conversation | None:
        """The thread of this channel in which somebody was answered last."""
        prefix = self.store.shard(channel.channel_key)
        key: str | None = await self.store.command("GET", f"{prefix}a:{channel.channel_key}|{person}")
        return Conversation.parse(key) if key else None

    async def rate(self, conversation: Conversation, turn: str, rating: Rating) -> None:
        """Keep what somebody thinks of an answer, in place of what they thought before."""
        key = (conversation.key, f"{turn} {rating.who}", dump(rating), self._keeping()[0])
        await self.store.call("rate", self.store.shard(conversation.channel_key), *key)

    async def delete(self, conversation: Conversation, message: str) -> bool:
        """Take a message out of the transcript and its lane; one that never came is refused when it does."""
        prefix = self.store.shard(conversation.channel_key)
        return bool(await self.store.call("delete", prefix, identity(conversation, message), conversation.key))

    async def stop(self, conversation: Conversation, author: Person | None, turn: str) -> bool:
        """Tell turns to stop: one by its id, else the author's that run there, in private too, or everybody's."""
        prefix = self.store.shard(conversation.channel_key)
        place, who = replace(conversation, person="").key, author.id if author else ""
        return bool(await self.store.call("stop", prefix, turn, place, who))

    async def transcript(self, conversation: Conversation) -> list[str]:
        """All that is kept of it, as it is stored."""
        key = f"{self.store.shard(conversation.channel_key)}t:{conversation.key}"
        found: list[str] = await self.store.surely(lambda: self.store.command("LRANGE", key, 0, -1))
        return found

    # ---- what workers do

    async def wait(self, prefixes: Sequence[str], timeout_s: float) -> str | None:
        """Wait until one of these shards has work: its prefix, or None after the timeout."""
        name = await self.store.wait([prefix + "wake" for prefix in prefixes], timeout_s)
        return name.removesuffix("wake") if name else None

    async def claim(self, prefix: str, turns: int) -> list[OpenTurn]:
        """Take up to `turns` turns of a shard: those whose worker's lease ended, then round-robin over channels."""
        limits = (self._lease_ms(), self.settings.channel_turns, 20 if self.settings.collect else 1)
        sizes = (self.settings.prompt_tokens * 2, self._load())
        raw = await self.store.call("claim", prefix, *limits, *sizes, turns, secrets.token_hex(14))
        return [_opened(one) for one in raw]

    async def record(self, turn: OpenTurn, fields: Mapping[str, str] | None = None) -> Flags:
        """Renew the lease and write fields of the turn's record ("-" deletes one). Raises LeaseLost."""
        pairs = [part for pair in (fields or {}).items() for part in pair]
        raw = await self._held("record", turn, self._lease_ms(), *pairs)
        if not raw:
            raise LeaseLost(turn.id)
        return Flags(*map(bool, raw))

    async def commit(
        self,
        turn: OpenTurn,
        entry: Entry | None,
        record: Mapping[str, str],
        *,
        bill: str = "",
        given_up: str = "",
        follow_up_s: int = 0,
    ) -> bool:
        """Close the turn: the answer enters the transcript, the batch leaves the lane, `bill` waits to be settled.

        With a reason in `given_up` the batch becomes a dead letter. For `follow_up_s` what its asker says is a question
        without a mention. False: nothing is done, because the answer that this one replaces is gone.

        Safe to repeat. Raises LeaseLost, or TurnChanged when the batch was touched.
        """
        pairs = [part for pair in record.items() for part in pair]
        keeping = (*self._keeping(), self.settings.why_days * 86_400)
        text = dump_entry(entry) if entry else ""
        match await self._held("commit", turn, text, *keeping, given_up, bill, follow_up_s, *pairs):
            case "changed":
                raise TurnChanged(turn.id)
            case "lost":
                raise LeaseLost(turn.id)
            case said:
                return bool(said != "gone")

    async def release(self, turn: OpenTurn, *, is_failure: bool, delay_s: float) -> int:
        """Give the turn back to be tried again: its failures so far. Raises LeaseLost."""
        failures: int = await self._held("release", turn, int(is_failure), round(delay_s * 1000))
        if failures < 0:
            raise LeaseLost(turn.id)
        return failures

    async def reload(self, turn: OpenTurn) -> OpenTurn:
        """The turn with its changed batch and transcript, to be started again. Raises LeaseLost."""
        raw = await self._held("reload", turn, self._lease_ms(), self._load())
        if not raw:
            raise LeaseLost(turn.id)
        items, transcript = raw
        questions, unreadable = _questions(items)
        record = {name: value for name, value in turn.record.items() if name != "final"}
        return replace(turn, questions=questions, unreadable=unreadable, transcript=transcript, record=record)

    async def lapsed(self, turn: OpenTurn, orphan: MessageRef | None) -> None:
        """Store a repair: this worker may have written to a reply that another one holds, or left an orphan there."""
        item = ReplyLapsed(id=turn.id, conversation=turn.conversation, address=turn.questions[0].address)
        args = (turn.lane, turn.id, _item(item), dump(orphan) if orphan else "")
        await self.store.surely(lambda: self._call("repair", turn.lane, *args))

    async def closed(self, conversation: Conversation, turn: str) -> dict[str, str]:
        """The record of a closed turn, empty where it is not kept any more."""
        key = f"{self.store.shard(conversation.channel_key)}turn:{turn}"
        return pairs_of(await self.store.surely(lambda: self.store.command("HGETALL", key)))

    async def sweep(self, prefix: str, *, is_full: bool = False) -> list[str]:
        """Bring back what is due or was lost from an index: the bills of closed turns that wait to be settled."""
        bills: list[str] = await self.store.call("sweep", prefix, int(is_full))
        return bills

    async def settled(self, prefix: str, bills: Sequence[str]) -> None:
        """These bills are settled."""
        await self.store.command("ZREM", prefix + "unsettled", *bills)

    # ---- dead letters

    async def dead(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        letters = []
        async for key in self.store.scan("parley:{*}:dead"):
            letters += [_letter(one) for one in await self.store.command("HVALS", key)]
        return sorted(letters, key=lambda letter: letter.at)

    async def requeue(self, letter: DeadLetter) -> int:
        """Put a dead letter's questions into their lane again: how many (0: somebody else did)."""
        count: int = await self._call("requeue", letter.lane, letter.turn)
        return count

    def _lease_ms(self) -> int:
        return round(self.settings.lease_s * 1000)

    def _load(self) -> int:
        # More than a prompt may use, because it begins at the border of a step (see `prompt`).
        return self.settings.history_messages + 30

    def _keeping(self) -> tuple[int, int]:
        return self.settings.transcript_days * 86_400, self.settings.transcript_messages

    async def _held(self, script: str, turn: OpenTurn, *args: str | float) -> Any:
        """What a turn has won is not lost to an outage: every script of a held turn is safe to repeat."""
        return await self.store.surely(lambda: self._call(script, turn.lane, turn.lane, turn.id, turn.fence, *args))

    async def _call(self, script: str, lane: str, *args: str | float) -> Any:
        channel = Conversation.parse(lane.partition("|")[0]).channel_key
        return await self.store.call(script, self.store.shard(channel), *args)


def identity(conversation: Conversation, message: str) -> str:
    """What a message is claimed by: platform, workspace, channel and the platform's id of the message."""
    if ":" in message:
        raise ValueError(f"a message's id must not contain ':': {message!r}")
    return f"{conversation.channel_key}:{message}"


def _item(event: Question) -> str:
    return ("Q" if isinstance(event, MessageReceived) else "A") + dump_event(event)


def _opened(raw: Sequence[Any]) -> OpenTurn:
    lane, expired, pairs, items, transcript = raw
    record = pairs_of(pairs)
    questions, unreadable = _questions(items)
    return OpenTurn(
        id=record["turn"],
        lane=lane,
        conversation=Conversation.parse(lane.partition("|")[0]),
        fence=int(record["fence"]),
        is_expired=bool(expired),
        questions=questions,
        record=record,
        transcript=transcript,
        unreadable=unreadable,
    )


def _questions(items: Sequence[str]) -> tuple[tuple[Question, ...], Literal["", "newer", "corrupt"]]:
    try:
        return tuple(load_event(item[1:]) for item in items), ""
    except UnknownVersion:
        return (), "newer"
    except CorruptEvent:
        return (), "corrupt"


def _letter(raw: str) -> DeadLetter:
    try:
        return load(DeadLetter, raw)
    except CorruptEvent as error:  # shown as such instead of hiding the rest
        return DeadLetter(turn="", lane="", reason=f"unreadable: {error}", at=0.0)


def pairs_of(raw: Sequence[str] | dict[str, str]) -> dict[str, str]:
    """A hash as a dict: redis-py makes one of HGETALL's reply, but in a script's reply it stays a flat list."""
    return raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
