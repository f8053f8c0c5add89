"""One turn, readable on one screen: limits -> transcript -> prompt -> model -> reply -> commit."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from math import inf

from bot.channels import Channels, ChannelSettings
from bot.crashpoints import CrashPoint, reach
from bot.errors import EmptyAnswer, ModelInterrupted, texts
from bot.events import Action, Conversation, ReplyLapsed
from bot.files import Haul, Seeing
from bot.history import History
from bot.inbox import Inbox
from bot.lease import Lease, Outcome, Stopped
from bot.limits import Limits
from bot.ports import (
    Button,
    Files,
    Finished,
    Message,
    Model,
    ModelRequest,
    Reply,
    Scrollback,
    TextDelta,
    ToolCall,
    Usage,
)
from bot.prompt import Material, Tokens, build
from bot.settings import Settings
from bot.stored import Entry, dump, load, load_entries

KEPT_VERSIONS = 5
"""So many earlier texts of an answer are kept with it."""
VERSION_CHARACTERS = 4_000
"""So much of each."""
READ_TRIES = 4
"""So many calls to a platform may the reading of a file take, with its adapter's own tries."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer while it comes, and as it is recorded before its last edits. Times are in milliseconds.

    `begun` is what an earlier answer said that this one goes on with, `remark` what is said about files under it,
    `attached` what the model read of them, `footer` the line that a channel may want under each answer.
    """

    text: str = ""
    begun: str = ""
    note: str = ""
    remark: str = ""
    attached: str = ""
    is_cut: bool = False
    model: str = ""
    tried: list[str] = field(default_factory=list)
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    first_ms: int = 0
    total_ms: int = 0
    day: str = ""
    persona: str = ""
    system: str = ""
    footer: str = ""
    included: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The text as the reader sees it."""
        return "\n\n".join(filter(None, (f"{self.begun}{self.text}", self.note, self.remark, self.footer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a turn needs, wired by app."""

    inbox: Inbox
    model: Model
    limits: Limits
    settings: Settings
    channels: Channels
    seeing: Seeing
    files: Mapping[str, Files] = field(default_factory=dict)
    scrollback: Mapping[str, Scrollback] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)
    clock: Callable[[], float] = time.time


async def answer(
    kit: Kit,
    lease: Lease,
    reply: Reply,
    questions: Sequence[Entry],
    replaces: Entry | None = None,
    *,
    asker: str,
    here: ChannelSettings,
    goes_on: bool = False,
) -> Outcome:
    """Answer these questions in this reply. Raises BotError, LeaseLost or TurnChanged, which the worker handles.

    The new answer `replaces` an earlier one, or goes on with its text. `asker` pays for it.
    """
    recorded = recorded_answer(lease)
    if recorded:
        final = recorded
    elif goes_on and replaces:
        ask = Entry(id=lease.turn, kind="asked", text=texts()["go_on"], at=kit.clock(), author=asker)
        # What was said after it is left out: the text that goes on is the last.
        final = await _generate(kit, lease, reply, [ask], asker, here, upto=replaces.n, begun=replaces.text)
        final.attached = replaces.attached
    else:
        attached = replaces.attached if replaces else ""
        final = await _generate(kit, lease, reply, questions, asker, here, attached=attached)
        if replaces and final.note == texts()["stopped"]:
            final.text = ""  # half an answer is no better than the whole one that stands
    if not recorded and final.text:
        await lease.record({"final": dump(final)})
        reach(CrashPoint.ANSWER_RECORDED)
    if not final.text:
        await tell(lease, reply, final.note)
        return await close(kit, lease, "stopped", final, questions=questions)
    refs = await reply.finish(final.shown, buttons(lease.turn, is_cut=final.is_cut))
    reach(CrashPoint.SHOWN_WHOLE)
    ids, parts = tuple(question.id for question in questions), tuple(ref.id for ref in refs)
    text = final.begun + final.text
    told = Entry(id=parts[0], kind="answer", text=text, at=kit.clock(), questions=ids, turn=lease.turn)
    askers = tuple(dict.fromkeys(question.author for question in questions))
    entry = replace(told, parts=parts, askers=askers, is_cut=final.is_cut, attached=final.attached)
    if replaces:
        versions = (*replaces.versions, replaces.text[:VERSION_CHARACTERS])[-KEPT_VERSIONS:]
        entry = replace(entry, versions=replaces.versions if goes_on else versions, replaces=replaces.id)
    outcome = await close(kit, lease, "answered", final, entry, questions=questions, follow_up_s=here.follow_up_s)
    if outcome == "deleted":  # what it replaces was deleted or forgotten meanwhile
        await reply.discard()
        await close(kit, lease, outcome, final, questions=questions)
    return outcome


async def tell(lease: Lease, reply: Reply, notice: str) -> None:
    """Show a notice: below an answer that stands and keeps its buttons, or in place of the one that did not come."""
    text, controls = lease.stands
    if text:
        await reply.finish(f"{text}\n\n{notice}", controls)
    else:
        await reply.fail(notice)


async def standing(kit: Kit, conversation: Conversation, entry: Entry) -> tuple[str, tuple[Button, ...]]:
    """An answer as it is shown, with its buttons; its marks are known as long as its turn's record is."""
    final = (await kit.inbox.closed(conversation, entry.turn)).get("final")
    return load(Answer, final).shown if final else entry.text, buttons(entry.turn, is_cut=entry.is_cut)


def buttons(turn: str, *, is_cut: bool = False) -> tuple[Button, ...]:
    """What people can do with an answer, the weightiest first."""
    rate: tuple[Action, ...] = ("up", "down")
    actions: tuple[Action, ...] = ("continue", *rate, "retry") if is_cut else ("retry", *rate)
    labels = texts()
    return tuple(Button(action=one, label=labels[f"button_{one}"], turn=turn) for one in (*actions, "delete", "why"))


async def close(
    kit: Kit,
    lease: Lease,
    outcome: Outcome,
    final: Answer | None = None,
    entry: Entry | None = None,
    *,
    questions: Sequence[Entry] = (),
    why: str = "",
    follow_up_s: int = 0,
) -> Outcome:
    """Commit the turn with its record: who asked, what went in, what came of it, `why` it was given up.

    "deleted" where nothing is committed, because the answer that `entry` replaces is gone.
    """
    turn, bill = lease.open, ""
    said = [event for event in turn.questions if not isinstance(event, ReplyLapsed)]
    people = dict.fromkeys([question.author for question in questions] + [event.author.id for event in said])
    ids = [question.id for question in questions] or [event.id for event in said]
    record = {"outcome": outcome, "closed_at": f"{kit.clock():.3f}", "authors": " ".join(people)}
    record |= {"questions": " ".join(ids), "entry": entry.id if entry else ""}
    if final and final.day:
        record["final"] = dump(final)
        lease.detail = f"{final.model} {final.input_tokens}+{final.output_tokens} tokens"
        bill = kit.limits.bill(turn.id, turn.conversation, final.day, final.input_tokens + final.output_tokens)
    if not await kit.inbox.commit(turn, entry, record, bill=bill, given_up=why, follow_up_s=follow_up_s):
        return "deleted"
    reach(CrashPoint.COMMITTED)
    return outcome


def recorded_answer(lease: Lease) -> Answer | None:
    """The finished answer of an earlier attempt, which only has to be delivered."""
    recorded = lease.open.record.get("final")
    return load(Answer, recorded) if recorded else None


async def _generate(
    kit: Kit,
    lease: Lease,
    reply: Reply,
    questions: Sequence[Entry],
    asker: str,
    here: ChannelSettings,
    *,
    attached: str = "",
    upto: float = inf,
    begun: str = "",
) -> Answer:
    """Ask the model, showing its words as they come; a stop keeps what was said."""
    started = time.monotonic()
    # The answer that these questions have so far does not go in (see `prompt`).
    entries = [entry for entry in load_entries(lease.open.transcript) if entry.n <= upto]
    # Positions come from the stored entries, which know them; the batch itself may have left the transcript.
    settings, weigh = kit.settings, kit.tokens.weigher("")
    voice = await _voice(kit, lease.open.conversation, here)
    budgets = (voice.system, settings.prompt_tokens, settings.history_messages)
    haul = Haul(model=voice.model)
    try:
        given = await _given(kit, lease, questions, haul, attached)
    except Stopped:
        return Answer(note=texts()["stopped_before"])
    prompt = build(entries, questions, *budgets, weigh, given)
    final = Answer(begun=begun, included=prompt.included, left_out=prompt.left_out, persona=voice.persona)
    final.attached, final.remark, final.system = prompt.attached, haul.remark(prompt.cut), voice.system
    voice = replace(voice, model=haul.model)
    await composed(kit, lease, reply, prompt.messages, final, voice=voice, asker=asker, tokens=prompt.tokens)
    if not haul.images:  # what they cost says nothing about text
        kit.tokens.learn("", prompt.tokens, final.input_tokens)
    final.total_ms = _ms_since(started)
    if here.footer:
        final.footer = texts()["footer"].format(model=final.model, input=final.input_tokens, output=final.output_tokens)
    return final


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who answers in a conversation: its system prompt, and the model with what it is asked for."""

    system: str
    persona: str = ""
    model: str = ""
    effort: str = ""
    temperature: float | None = None


async def _voice(kit: Kit, conversation: Conversation, here: ChannelSettings) -> Voice:
    known = await kit.inbox.store.surely(lambda: kit.channels.personas(conversation)) if here.persona else {}
    persona = known.get(here.persona)
    heat = here.temperature if persona is None or persona.temperature is None else persona.temperature
    return Voice(
        system=persona.prompt if persona else kit.settings.system_prompt,
        persona=here.persona if persona else "",
        model=here.model or (persona.model if persona else ""),
        effort=here.effort,
        temperature=heat,
    )


async def composed(
    kit: Kit,
    lease: Lease,
    reply: Reply,
    messages: tuple[Message, ...],
    final: Answer,
    *,
    voice: Voice,
    asker: str,
    tokens: int,
) -> None:
    """Reserve `tokens`, ask the model and show its words as they come; `final` grows with them.

    A stop keeps what was said. Raises BotError, LeaseLost or TurnChanged.
    """
    conversation, settings, started = lease.open.conversation, kit.settings, time.monotonic()
    final.day = await kit.limits.reserve(lease.turn, conversation, asker, tokens + settings.answer_tokens // 4)
    reach(CrashPoint.RESERVED)
    request = ModelRequest(
        messages=messages,
        model=voice.model,
        max_tokens=settings.answer_tokens,
        temperature=voice.temperature,
        effort=voice.effort,
        cache_key=_hashed(conversation.key),
        person=_hashed(f"{conversation.platform}:{asker}"),
    )
    try:
        await lease.attend(_ask_twice(kit, reply, request, final, started))
    except Stopped:
        final.note = texts()["stopped" if final.text else "stopped_before"]
    # Where the server told no usage, or was stopped before it could, our estimate is charged.
    final.input_tokens = final.input_tokens or tokens
    final.output_tokens = final.output_tokens or len(final.text) // 4


async def _given(kit: Kit, lease: Lease, questions: Sequence[Entry], haul: Haul, kept: str) -> Material:
    """What goes before the question: its files, or what was `kept` of them, and in private the channel's talk."""
    conversation, store = lease.open.conversation, kit.inbox.store
    if attachments := [one for question in questions for one in question.attachments]:
        within_s = READ_TRIES * kit.settings.call_s
        await lease.attend(haul.read(kit.files.get(conversation.platform), attachments, kit.seeing, within_s))
    if not conversation.person:
        return haul.given(kept, ())
    in_public, newest = replace(conversation, person=""), kit.settings.history_messages
    return haul.given(kept, await store.surely(lambda: History(store).load(in_public, newest)))


async def _ask_twice(kit: Kit, reply: Reply, request: ModelRequest, final: Answer, started: float) -> None:
    """Ask the model; once more where it broke off after text was shown. The longest text of both stays, marked."""
    best = ""
    for is_last in (False, True):
        try:
            await _listen(kit, reply, request, final, started)
            return
        except ModelInterrupted as error:
            final.tried.append(str(error))
            best = max(best, final.text, key=len)
            if is_last and not best:
                raise
    final.text, final.note, final.is_cut = best, texts()["broke_off"], True


async def _listen(kit: Kit, reply: Reply, request: ModelRequest, final: Answer, started: float) -> None:
    """One attempt: every delta is shown. Raises ModelError."""
    final.text = ""
    async with aclosing(kit.model.stream(request)) as events:
        async for event in events:
            match event:
                case TextDelta(text):
                    if not final.text:
                        final.first_ms = final.first_ms or _ms_since(started)
                        reach(CrashPoint.FIRST_TOKEN)
                    final.text += text
                    reply.show(final.begun + final.text)
                case Usage():
                    final.input_tokens, final.output_tokens = event.input_tokens, event.output_tokens
                    final.cached_tokens = event.cached_tokens
                case ToolCall():
                    # No tools are offered yet, so a call is the model's own idea: it has no text to show.
                    final.tried.append(f"unasked tool call {event.name}")
                case Finished():
                    final.model, final.note = event.model, texts().get(event.reason, "")
                    final.tried += event.tried
    if not final.text.strip():
        raise EmptyAnswer(final.note)
    final.is_cut = bool(final.note)


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]
