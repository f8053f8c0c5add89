"""What a turn does, by what its questions are."""

from typing import assert_never

from bot.commands import checked
from bot.conversation import Kit, answer, close, recorded_answer
from bot.errors import BotError, texts
from bot.events import ActionTaken, CommandInvoked, MessageReceived, MessageRef, ReplyLapsed
from bot.lease import Lease, Outcome
from bot.ports import Reply
from bot.stored import Entry, entry_of, load_entries
from handlers.commands import Call
from handlers.summary import summarise
from handlers.table import TABLE
from handlers.why import explained


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
            zone = (await kit.channels.of(conversation)).time_zone
            return await answer(kit, lease, reply, [entry_of(one, zone=zone) for one in said])
        case CommandInvoked(name="summarise"):
            return await summarise(kit, lease, reply, event)
        case CommandInvoked():
            return await _command(kit, lease, reply, event)
        case ActionTaken(action="why"):
            await reply.finish(await explained(kit, event.conversation, event.turn))
            return await close(kit, lease, "answered")
        case ActionTaken():
            return await _acted(kit, lease, reply, event)
        case ReplyLapsed():
            return await _send_again(kit, lease, reply)
        case _:
            assert_never(event)


async def _command(kit: Kit, lease: Lease, reply: Reply, event: CommandInvoked) -> Outcome:
    """A command that answers by itself. Nothing of it enters a transcript; a takeover does it again."""
    row = TABLE.get(event.name)
    if row is None or row.run is None:
        raise BotError(event.name, notice=texts()["no_such_command"].format(name=event.name[:40]))
    options = checked(row.spec, dict(event.options))
    await reply.finish(await row.run(Call(kit=kit, spec=row.spec, event=event, options=options)))
    return await close(kit, lease, "answered")


async def _acted(kit: Kit, lease: Lease, reply: Reply, event: ActionTaken) -> Outcome:
    """Another version of an answer, more of it, or its end: the answer of `event.turn`, else this person's last."""
    entries = load_entries(lease.open.transcript)
    old, questions = await _meant(kit, event, entries)
    if old:
        await lease.adopt([MessageRef(channel=event.address.channel, id=part) for part in old.parts])
    if event.action == "delete":
        await reply.discard()
        if old:
            await kit.inbox.delete(lease.open.conversation, old.id)
        return await close(kit, lease, "deleted")
    if not questions:
        raise BotError(event.turn, notice=texts()["forgotten"])
    try:
        return await answer(kit, lease, reply, questions, replaces=old, goes_on=event.action == "continue")
    except BotError:
        if old:  # what was there must not give way to a notice
            reply.show(old.text)
        raise


async def _meant(kit: Kit, event: ActionTaken, entries: list[Entry]) -> tuple[Entry | None, list[Entry]]:
    """The answer that an action is about, if there is one, and the questions that it answers."""
    last = [entry.id for entry in entries if entry.kind == "asked" and entry.author == event.author.id][-1:]
    answers = [entry for entry in reversed(entries) if entry.kind == "answer"]
    meant = (e for e in answers if (e.turn == event.turn if event.turn else set(last) & set(e.questions)))
    old: Entry | None = next(meant, None)
    ids = set(old.questions if old else last)
    if event.turn and not old:  # it failed, so only its record tells what it was about
        ids = set((await kit.inbox.closed(event.conversation, event.turn)).get("questions", "").split(" "))
    return old, [entry for entry in entries if entry.kind == "asked" and entry.id in ids]


async def _send_again(kit: Kit, lease: Lease, reply: Reply) -> Outcome:
    """The text of a turn whose reply was written to after its lease had ended (see `Lease.writing`)."""
    if final := recorded_answer(lease):
        await reply.finish(final.shown)
    elif lease.open.record.get("outcome") == "deleted":
        await reply.discard()
    return await close(kit, lease, "repaired")
