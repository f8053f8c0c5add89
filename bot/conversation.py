"""One turn, readable on one screen: limits -> transcript -> prompt -> model -> reply -> commit."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from bot.crashpoints import CrashPoint, reach
from bot.errors import EmptyAnswer, ModelInterrupted
from bot.inbox import Inbox
from bot.lease import Lease, Outcome, Stopped
from bot.limits import Limits
from bot.ports import Button, Finished, Model, ModelRequest, Reply, TextDelta, ToolCall, Usage
from bot.prompt import Prompt, Tokens, build
from bot.settings import Settings
from bot.stored import Entry, dump, load, load_entries

_NOTES = {
    "length": "*(I stopped here: the answer had reached its longest length.)*",
    "filter": "*(The model's filter cut this answer.)*",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer as it is recorded before its last edits, with what explains it. Times are in milliseconds."""

    text: str
    note: str = ""
    is_cut: bool = False
    model: str = ""
    tried: tuple[str, ...] = ()
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    first_ms: int = 0
    total_ms: int = 0
    day: str = ""
    included: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The text as the reader sees it."""
        return f"{self.text}\n\n{self.note}" if self.note else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a turn needs, wired by app."""

    inbox: Inbox
    model: Model
    limits: Limits
    settings: Settings
    tokens: Tokens = field(default_factory=Tokens)
    clock: Callable[[], float] = time.time


async def answer(
    kit: Kit, lease: Lease, reply: Reply, questions: Sequence[Entry], replaces: Entry | None = None
) -> Outcome:
    """Answer these questions in this reply. Raises BotError, LeaseLost or TurnChanged, which the worker handles."""
    recorded = recorded_answer(lease)
    final = recorded or await _generate(kit, lease, reply, questions, replaces)
    if not recorded and final.text:
        await lease.record({"final": dump(final)})
        reach(CrashPoint.ANSWER_RECORDED)
    if not final.text:
        await reply.fail(final.note)
        await close(kit, lease, "stopped", questions, final)
        return "stopped"
    again = (Button(action="retry", label="Try again", turn=lease.turn),) if final.is_cut else ()
    refs = await reply.finish(final.shown, again)
    reach(CrashPoint.SHOWN_WHOLE)
    entry = Entry(
        id=refs[0].id,
        kind="answer",
        text=final.text,
        at=kit.clock(),
        questions=tuple(question.id for question in questions),
        turn=lease.turn,
        parts=tuple(ref.id for ref in refs),
        versions=(*replaces.versions, replaces.text) if replaces else (),
        replaces=replaces.id if replaces else "",
        is_cut=final.is_cut,
    )
    await close(kit, lease, "answered", questions, final, entry)
    return "answered"


async def close(
    kit: Kit,
    lease: Lease,
    outcome: Outcome,
    questions: Sequence[Entry] = (),
    final: Answer | None = None,
    entry: Entry | None = None,
    given_up: str = "",
) -> None:
    """Commit the turn with its record: what went in, what came of it, and who asked."""
    record = {"outcome": outcome, "closed_at": f"{kit.clock():.3f}"}
    if questions:
        record["questions"] = json.dumps([question.id for question in questions])
        record["authors"] = " ".join(dict.fromkeys(question.author for question in questions))
    bill = ""
    if final and final.day:
        record["final"] = dump(final)
        used = final.input_tokens + final.output_tokens
        bill = kit.limits.bill(lease.turn, lease.open.conversation, final.day, used)
    store, turn = kit.inbox.store, lease.open
    await store.surely(lambda: kit.inbox.commit(turn, entry, record, bill=bill, given_up=given_up))
    reach(CrashPoint.COMMITTED)


def recorded_answer(lease: Lease) -> Answer | None:
    """The finished answer of an earlier attempt, which only has to be delivered."""
    recorded = lease.open.record.get("final")
    return load(Answer, recorded) if recorded else None


async def _generate(kit: Kit, lease: Lease, reply: Reply, questions: Sequence[Entry], replaces: Entry | None) -> Answer:
    """Ask the model, showing its words as they come; a stop keeps what was said."""
    started = time.monotonic()
    conversation, asker = lease.open.conversation, questions[-1].author
    entries = [entry for entry in load_entries(lease.open.transcript) if entry != replaces]
    # Positions come from the stored entries, which know them; the batch itself may have left the transcript.
    settings, weigh = kit.settings, kit.tokens.weigher("")
    budgets = (settings.system_prompt, settings.prompt_tokens, settings.history_messages)
    prompt = build(entries, questions, *budgets, weigh)
    day = await kit.inbox.store.surely(
        lambda: kit.limits.reserve(lease.turn, conversation, asker, prompt.tokens + settings.answer_tokens // 4)
    )
    reach(CrashPoint.RESERVED)
    request = ModelRequest(
        messages=prompt.messages,
        max_tokens=settings.answer_tokens,
        temperature=settings.temperature,
        cache_key=_hashed(conversation.key),
        person=_hashed(f"{conversation.platform}:{asker}"),
    )
    heard = _Heard(Answer(text="", day=day, included=prompt.included, left_out=prompt.left_out), started)
    try:
        async with lease.interruptible():
            for is_last in (False, True):
                try:
                    return await _listen(kit, reply, request, prompt, heard)
                except ModelInterrupted as error:
                    heard.tried.append(str(error))
                    if is_last and heard.best:
                        return heard.answer(heard.best, note="*(The model broke off here.)*", is_cut=True)
                    if is_last:
                        raise
    except Stopped:
        return heard.answer(heard.text, note="*(stopped)*" if heard.text else "Stopped.")
    raise AssertionError("unreachable: the second attempt returns or raises")


@dataclass(slots=True)
class _Heard:
    """What came from the model so far; `best` is the longest text of an earlier attempt that broke off."""

    base: Answer
    started: float
    text: str = ""
    best: str = ""
    first_ms: int = 0
    usage: Usage = field(default_factory=lambda: Usage(input_tokens=0, output_tokens=0))
    tried: list[str] = field(default_factory=list)

    def answer(self, text: str, *, note: str = "", is_cut: bool = False, end: Finished | None = None) -> Answer:
        """The answer as it is recorded."""
        return replace(
            self.base,
            text=text,
            note=note,
            is_cut=is_cut,
            model=end.model if end else "",
            tried=(*self.tried, *(end.tried if end else ())),
            input_tokens=self.usage.input_tokens or 0,
            cached_tokens=self.usage.cached_tokens,
            output_tokens=self.usage.output_tokens or len(text) // 4,
            first_ms=self.first_ms,
            total_ms=round((time.monotonic() - self.started) * 1000),
        )


async def _listen(kit: Kit, reply: Reply, request: ModelRequest, prompt: Prompt, heard: _Heard) -> Answer:
    """One attempt: every delta is shown, the end makes an answer of it. Raises ModelInterrupted, EmptyAnswer."""
    heard.text, end = "", None
    try:
        async with aclosing(kit.model.stream(request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text):
                        if not heard.text:
                            heard.first_ms = heard.first_ms or round((time.monotonic() - heard.started) * 1000)
                            reach(CrashPoint.FIRST_TOKEN)
                        heard.text += text
                        reply.show(heard.text)
                    case Usage():
                        heard.usage = event
                        kit.tokens.learn(request.model, prompt.tokens, event.input_tokens)
                    case ToolCall():
                        # No tools are offered yet, so a call is the model's own idea: it has no text to show.
                        heard.tried.append(f"unasked tool call {event.name}")
                    case Finished():
                        end = event
    finally:
        heard.best = max(heard.best, heard.text, key=len)
    if not heard.text.strip():
        raise EmptyAnswer(end.reason if end else "")
    note = _NOTES.get(end.reason, "") if end else ""
    return heard.answer(heard.text, note=note, is_cut=bool(note), end=end)


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
