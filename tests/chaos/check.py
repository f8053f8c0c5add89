"""Holds what a platform recorded and what the store kept against the promises. Pure: data in, a verdict out."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import inf
from typing import Literal

from bot.pacing import Limits
from tests.chaos.script import LIMITS, answered, pages, version, whole

Verb = Literal["create", "edit", "delete", "find"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question that a person wrote; those of one lane were written in the order of the list they stand in.

    `version` counts its edits. `edited_at` and `deleted_at` are when a process had taken the last edit and the
    deletion (seconds since the epoch).
    """

    id: str
    channel: str
    author: str
    version: int = 0
    edited_at: float = inf
    deleted_at: float = inf

    @property
    def lane(self) -> str:
        """Channels that begin with "d" are direct messages, which have one lane."""
        return f"{self.channel}|" if self.channel.startswith("d") else f"{self.channel}|{self.author}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A call that changed a message (`find` changes none), when it took effect, and the process that made it."""

    at: float
    verb: Verb
    sender: str
    message: str
    channel: str
    turn: str
    part: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer as a transcript keeps it."""

    questions: tuple[str, ...]
    text: str
    parts: tuple[str, ...]
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the store holds in the end: per channel the ids of the questions and the answers, each in order.

    `leftovers` are keys that must not be there once all is done; `used` are the tokens of the closed turns, `spent`
    those that were charged to the workspace.
    """

    asked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answers: Mapping[str, Sequence[Kept]] = field(default_factory=dict)
    leftovers: Sequence[str] = ()
    used: int = 0
    spent: int = 0
    turns: int = 0
    deaths: int = 0
    repairs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The messages of one turn that stand in a channel in the end, by part; `first` counts the creates before it."""

    turn: str
    channel: str
    first: int
    parts: Sequence[tuple[int, str, str]]
    """Part, message id, text."""

    @property
    def text(self) -> str:
        return "".join(text for _, _, text in self.parts)

    @property
    def answers(self) -> list[str]:
        """What it answers, with the versions of the questions."""
        return answered(self.text)

    @property
    def questions(self) -> list[str]:
        return [version(id)[0] for id in self.answers]


@dataclass(slots=True, kw_only=True)
class Verdict:
    """One line for each violation; `flickers` are none: messages beside another of the same turn and part, deleted."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    misfiled: list[str] = field(default_factory=list)
    leftover: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    flickers: list[str] = field(default_factory=list)
    longest_flicker_s: float = 0.0

    @property
    def violations(self) -> list[str]:
        """All of them, each with its kind."""
        kinds = (one.name for one in fields(self) if one.name not in ("flickers", "longest_flicker_s"))
        return [f"{kind}: {line}" for kind in kinds for line in getattr(self, kind)]


def check(asked: Sequence[Asked], writes: Sequence[Write], books: Books, limits: Limits = LIMITS) -> Verdict:
    """Everything that was asked is answered once, whole and in order, and the books agree."""
    verdict = Verdict()
    replies = standing(writes)
    _check_replies(verdict, asked, replies, limits)
    _check_order(verdict, asked, replies)
    _check_books(verdict, asked, replies, books)
    _note_flickers(verdict, writes)
    return verdict


def standing(writes: Sequence[Write]) -> list[Reply]:
    """The replies as readers have them after these writes, in the order in which they began."""
    messages: dict[str, Write] = {}
    born: dict[str, int] = {}
    for index, write in enumerate(writes):
        if write.verb == "delete":
            messages.pop(write.message, None)
        else:
            messages[write.message] = write
            born.setdefault(write.message, index)
    by_turn: dict[tuple[str, str], list[Write]] = defaultdict(list)
    for write in messages.values():
        by_turn[write.channel, write.turn].append(write)
    replies = [
        Reply(
            turn=turn,
            channel=channel,
            first=min(born[one.message] for one in shown),
            parts=sorted(((one.part, one.message, one.text) for one in shown), key=lambda one: (one[0], born[one[1]])),
        )
        for (channel, turn), shown in by_turn.items()
    ]
    return sorted(replies, key=lambda reply: reply.first)


def _check_replies(verdict: Verdict, asked: Sequence[Asked], replies: Sequence[Reply], limits: Limits) -> None:
    places = Counter(id for reply in replies for id in reply.questions)
    verdict.lost += [one.id for one in asked if not places[one.id] and one.deleted_at == inf]
    verdict.doubled += [f"{id} in {count} places" for id, count in sorted(places.items()) if count > 1]
    channels = {one.id: one.channel for one in asked}
    for reply in replies:
        ids, numbers = reply.questions, [part for part, _, _ in reply.parts]
        if len(set(numbers)) < len(numbers):
            verdict.doubled.append(f"turn {reply.turn} shows a part twice: {reply.parts}")
        elif not ids or any(channels.get(id) != reply.channel for id in ids):
            verdict.strange.append(f"turn {reply.turn} in {reply.channel}: {reply.text[:200]!r}")
        elif tuple(text for _, _, text in reply.parts) != pages(reply.answers, limits):
            verdict.cut.append(f"{' '.join(ids)} (turn {reply.turn}): {[text[-40:] for _, _, text in reply.parts]}")


def _check_order(verdict: Verdict, asked: Sequence[Asked], replies: Sequence[Reply]) -> None:
    lanes = {one.id: one.lane for one in asked}
    written: dict[str, list[str]] = defaultdict(list)
    for one in asked:
        written[one.lane].append(one.id)
    read: dict[str, list[str]] = defaultdict(list)
    for reply in replies:
        for id in reply.questions:
            read[lanes.get(id, "")].append(id)
        places = [int(message.lstrip("m")) for _, message, _ in reply.parts]
        if places != sorted(places):
            verdict.disordered.append(f"the parts of turn {reply.turn}: {places}")
    for lane, ids in written.items():
        shown = list(dict.fromkeys(read[lane]))
        if shown != [id for id in ids if id in set(shown)]:
            verdict.disordered.append(f"lane {lane}: asked {ids}, answered {shown}")


def _check_books(verdict: Verdict, asked: Sequence[Asked], replies: Sequence[Reply], books: Books) -> None:
    shown = {tuple(reply.questions): tuple(message for _, message, _ in reply.parts) for reply in replies}
    for channel in {one.channel for one in asked}:
        mine = [one for one in asked if one.channel == channel]
        entries, answers = Counter(books.asked.get(channel, ())), books.answers.get(channel, ())
        committed = Counter(id for kept in answers for id in kept.questions)
        for one in mine:
            counts, is_deleted = (entries[one.id], committed[one.id]), one.deleted_at < inf
            if counts != (1, 1) and not (is_deleted and counts in ((0, 0), (0, 1))):
                verdict.misfiled.append(f"{one.id}: {counts[0]} times asked, in {counts[1]} committed turns")
        for kept in answers:
            _check_age(verdict, mine, kept)
            texts = answered(kept.text)
            if kept.text != whole(texts) or kept.questions != tuple(version(id)[0] for id in texts):
                verdict.misfiled.append(f"the transcript's answer to {kept.questions}: {kept.text[-60:]!r}")
            elif shown.get(kept.questions) != kept.parts:
                verdict.misfiled.append(f"{kept.questions}: kept {kept.parts}, shown {shown.get(kept.questions)}")
        _check_kept_order(verdict, mine, answers)
    committed_ids = {kept.questions for answers in books.answers.values() for kept in answers}
    unheard_of = [reply for reply in replies if reply.questions and tuple(reply.questions) not in committed_ids]
    verdict.misfiled += [f"turn {reply.turn} was never committed: {reply.questions}" for reply in unheard_of]
    verdict.leftover += books.leftovers
    if books.spent != books.used:
        verdict.misfiled.append(f"{books.spent} tokens are charged for {books.used}")


def _check_age(verdict: Verdict, asked: Iterable[Asked], kept: Kept) -> None:
    """What was edited or deleted before an answer was committed is not answered as it was."""
    versions = dict(map(version, answered(kept.text)))
    for one in asked:
        if one.id in versions and kept.at > one.deleted_at:
            verdict.stale.append(
                f"{one.id} was deleted {kept.at - one.deleted_at:.3f} s before its answer was committed"
            )
        if versions.get(one.id, one.version) < one.version and kept.at > one.edited_at:
            verdict.stale.append(f"{one.id} was edited {kept.at - one.edited_at:.3f} s before its answer was committed")


def _check_kept_order(verdict: Verdict, asked: Iterable[Asked], answers: Iterable[Kept]) -> None:
    lanes = {one.id: one.lane for one in asked}
    kept = [id for one in answers for id in one.questions if id in lanes]
    for lane in sorted(set(lanes.values())):
        ids = [id for id, its in lanes.items() if its == lane]
        answered = [id for id in kept if lanes[id] == lane]
        if answered != [id for id in ids if id in set(answered)]:
            verdict.disordered.append(f"the transcript of lane {lane}: asked {ids}, answered {answered}")


def _note_flickers(verdict: Verdict, writes: Sequence[Write]) -> None:
    born: dict[str, Write] = {}
    gone: dict[str, float] = {}
    for write in writes:
        if write.verb == "delete":
            gone.setdefault(write.message, write.at)
        else:
            born.setdefault(write.message, write)
    twins: dict[tuple[str, int], list[str]] = defaultdict(list)
    for message, write in born.items():
        twins[write.turn, write.part].append(message)
    for message, ended_at in gone.items():
        write = born[message]
        beside = [
            (max(born[twin].at, write.at), min(gone.get(twin, ended_at), ended_at))
            for twin in twins[write.turn, write.part]
            if twin != message
        ]
        for began_at, ended in beside:
            if ended > began_at:
                verdict.flickers.append(f"{message} (turn {write.turn}, part {write.part}) {ended - began_at:.2f} s")
                verdict.longest_flicker_s = max(verdict.longest_flicker_s, ended - began_at)
