"""What a turn does, by what its questions are."""

from typing import assert_never

from bot.conversation import Kit, answer, close, recorded_answer
from bot.errors import BotError
from bot.events import ActionTaken, CommandInvoked, MessageReceived, ReplyLapsed
from bot.lease import Lease, Outcome
from bot.ports import Reply
from bot.stored import Entry, entry_of, load_entries


async def handle(kit: Kit, lease: Lease, reply: Reply) -> Outcome:
    """One turn. Its questions are ordinary messages together, or one command, action or lapse alone."""
    event = lease.open.questions[-1]
    conversation = lease.open.conversation
    if not isinstance(event, ReplyLapsed):
        is_direct = isinstance(event, MessageReceived) and event.is_direct
        kit.limits.permit(conversation, event.author, is_direct=is_direct)
    match event:
        case MessageReceived() | CommandInvoked(name="ask"):
            said = [one for one in lease.open.questions if isinstance(one, MessageReceived | CommandInvoked)]
            return await answer(kit, lease, reply, [entry_of(one) for one in said])
        case CommandInvoked():
            raise BotError(event.name, notice=f"I don't know the command `{event.name[:40]}`. I answer `ask`.")
        case ActionTaken():
            return await _answer_again(kit, lease, reply, event)
        case ReplyLapsed():
            return await _send_again(kit, lease, reply)
        case _:
            assert_never(event)


async def _answer_again(kit: Kit, lease: Lease, reply: Reply, event: ActionTaken) -> Outcome:
    """Another version: of the answer of `event.turn` or, if that is empty, of this person's last question."""
    entries = load_entries(lease.open.transcript)
    last = [entry.id for entry in entries if entry.kind == "asked" and entry.author == event.author.id][-1:]
    answers = [entry for entry in reversed(entries) if entry.kind == "answer"]
    meant = (e for e in answers if (e.turn == event.turn if event.turn else set(last) & set(e.questions)))
    old: Entry | None = next(meant, None)
    ids = old.questions if old else () if event.turn else last
    questions = [entry for entry in entries if entry.kind == "asked" and entry.id in ids]
    if not questions:
        raise BotError(event.turn, notice="I don't remember that question any more. Please ask it again.")
    return await answer(kit, lease, reply, questions, replaces=old)


async def _send_again(kit: Kit, lease: Lease, reply: Reply) -> Outcome:
    """The text of a turn whose reply was written to after its lease had ended (see `Lease.writing`)."""
    if final := recorded_answer(lease):
        await reply.finish(final.shown)
    elif lease.open.record.get("outcome") == "deleted":
        await reply.discard()
    return await close(kit, lease, "repaired")
