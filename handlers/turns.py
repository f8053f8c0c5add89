"""What a turn does, by what its questions are."""

from typing import assert_never

from bot.channels import ChannelSettings
from bot.commands import checked
from bot.conversation import Kit, answer, close, recorded_answer, standing
from bot.errors import BotError, texts
from bot.events import ActionTaken, CommandInvoked, MessageReceived, MessageRef, ReplyLapsed
from bot.lease import Lease, Outcome
from bot.ports import Reply
from bot.stored import Entry, entry_of, load_entries
from handlers.commands import Call, action_of
from handlers.summary import summarise
from handlers.table import TABLE
from handlers.why import explained

OWN_DATA = ("forget", "export", "optout")
"""What people may do with what is kept of them, wherever they may do nothing else."""


async def handle(kit: Kit, lease: Lease, reply: Reply) -> Outcome:
    """One turn. Its questions are ordinary messages together, or one command, action or lapse alone."""
    event = lease.open.questions[-1]
    conversation = lease.open.conversation
    here = await kit.inbox.store.surely(lambda: kit.channels.of(conversation))
    if not isinstance(event, ReplyLapsed) and not (isinstance(event, CommandInvoked) and event.name in OWN_DATA):
        kit.limits.permit(conversation, event.author, is_direct=event.is_direct)
    match event:
        case MessageReceived() | CommandInvoked(name="ask"):
            said = [one for one in lease.open.questions if isinstance(one, MessageReceived | CommandInvoked)]
            questions = [entry_of(one, zone=here.time_zone) for one in said]
            return await answer(kit, lease, reply, questions, asker=event.author.id, here=here)
        case CommandInvoked(name="summarise"):
            return await summarise(kit, lease, reply, event)
        case CommandInvoked():
            return await _command(kit, lease, reply, event, here)
        case ActionTaken(action="why"):
            await reply.finish(await explained(kit, event.conversation, event.turn))
            return await close(kit, lease, "answered")
        case ActionTaken():
            return await _acted(kit, lease, reply, event, here)
        case ReplyLapsed():
            return await _send_again(kit, lease, reply)
        case _:
            assert_never(event)


async def _command(kit: Kit, lease: Lease, reply: Reply, event: CommandInvoked, here: ChannelSettings) -> Outcome:
    """A command that answers by itself. Nothing of it enters a transcript; a takeover does it again."""
    row = TABLE.get(event.name)
    if row is None or row.run is None:
        raise BotError(event.name, notice=texts()["no_such_command"].format(name=event.name[:40]))
    options = checked(row.spec, dict(event.options))
    call = Call(kit=kit, spec=row.spec, event=event, options=options)
    taken = await action_of(call) if event.name in ("retry", "continue") and event.conversation.person else None
    if taken and taken.conversation == event.conversation:  # one token has one answer
        return await _acted(kit, lease, reply, taken, here)
    await reply.finish(await row.run(call))
    return await close(kit, lease, "answered")


async def _acted(kit: Kit, lease: Lease, reply: Reply, event: ActionTaken, here: ChannelSettings) -> Outcome:
    """Another version of an answer, more of it, or its end: the answer of `event.turn`, else this person's last."""
    conversation = lease.open.conversation
    lease.open.transcript = await kit.inbox.transcript(conversation)
    old, questions = await _meant(kit, event, load_entries(lease.open.transcript))
    is_known = {"delete": old or questions, "continue": old and questions}.get(event.action, questions)
    if not is_known:
        raise BotError(event.turn, notice=texts()["forgotten"])
    if old:
        lease.stands = await standing(kit, conversation, old)
        await lease.adopt([MessageRef(channel=event.address.channel, id=part) for part in old.parts])
    if event.action == "delete":
        await reply.discard()
        if old:
            id = old.id
            await kit.inbox.store.surely(lambda: kit.inbox.delete(conversation, id))
        return await close(kit, lease, "deleted")
    goes_on = event.action == "continue"
    return await answer(kit, lease, reply, questions, old, asker=event.author.id, here=here, goes_on=goes_on)


async def _meant(kit: Kit, event: ActionTaken, entries: list[Entry]) -> tuple[Entry | None, list[Entry]]:
    """The answer that an action is about, if there is one, and the questions that it answers.

    The answer of that turn may have been replaced meanwhile: then it is the one that its questions have now.
    """
    answers = [entry for entry in reversed(entries) if entry.kind == "answer"]
    if event.turn:
        known = next((entry.questions for entry in answers if entry.turn == event.turn), ())
        ids = set(known or (await kit.inbox.closed(event.conversation, event.turn)).get("questions", "").split(" "))
    else:
        ids = set([entry.id for entry in entries if entry.kind == "asked" and entry.author == event.author.id][-1:])
    old = next((entry for entry in answers if ids & set(entry.questions)), None)
    ids = set(old.questions if old else ids)
    return old, [entry for entry in entries if entry.kind == "asked" and entry.id in ids]


async def _send_again(kit: Kit, lease: Lease, reply: Reply) -> Outcome:
    """What stands where a reply was written to after its lease had ended (see `Lease.writing`), with its buttons."""
    conversation, record = lease.open.conversation, lease.open.record
    parts = {ref.id for ref in lease.refs.values() if ref}
    entries = [entry for entry in load_entries(await kit.inbox.transcript(conversation)) if entry.kind == "answer"]
    mine = [entry for entry in entries if entry.turn == lease.turn or parts & set(entry.parts)]
    if mine:
        await reply.finish(*await standing(kit, conversation, mine[-1]))
    elif record.get("outcome") == "deleted" or record.get("entry"):
        await reply.discard()
    elif final := recorded_answer(lease):
        await reply.finish(final.shown)
    return await close(kit, lease, "repaired")
