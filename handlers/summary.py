"""The command `summarise`: what was said in a channel or thread, streamed, with links to the messages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.commands import WrongUse, checked
from bot.conversation import Answer, Kit, Voice, close, composed, recorded_answer
from bot.errors import texts
from bot.events import CommandInvoked, Conversation
from bot.history import History
from bot.lease import Lease, Outcome
from bot.ports import Message, Reply
from bot.prompt import Weigh
from bot.stored import dump, entry_of, material
from handlers.table import TABLE

MOST = 500
"""So many messages are read at most: what a summary of one channel can do justice to."""
_SPAN = re.compile(r"(\d{1,4})\s*([mhd])")
# A message's id, or its link on Discord or Slack, which names the channel (on Discord the thread, where it is in one).
_MESSAGE = re.compile(
    r"(?:https?://\S+?/(?:archives|channels/[^/\s]+)/(?P<place>\w+)/)?"
    r"(?:p(?P<s>\d{10})(?P<us>\d{6})|(?P<id>\d{15,20}|\d{10}\.\d{6}))(?:\?\S*)?"
)
_UNIT_S = {"m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Line:
    """One message to be summarised."""

    id: str
    who: str
    name: str
    text: str
    at: float


async def summarise(kit: Kit, lease: Lease, reply: Reply, event: CommandInvoked) -> Outcome:
    """Summarise from where `from` says; who asks must be able to read there now. Raises BotError."""
    spec, place = TABLE["summarise"].spec, replace(event.conversation, person="")
    wanted = checked(spec, dict(event.options)).get("from", "last")
    first = message_of(wanted, place)
    if not (first or wanted in ("last", "thread") or _SPAN.fullmatch(wanted)):
        raise WrongUse(spec, "`from` is last, thread, a time such as 2h or 3d, or the link or id of a message here")
    lines = since(await _read(kit, place, event, first), wanted, event)
    if not lines:
        await reply.finish(texts()["summary_nothing"])
        return await close(kit, lease, "answered")
    final = recorded_answer(lease)
    if final is None:
        weigh, final = kit.tokens.weigher(""), Answer()
        system = Message(role="system", content=texts()["summary_system"])
        said = fitting(lines, kit.settings.prompt_tokens - weigh(system.content), weigh)
        messages = (system, Message(role="user", content=f"<quote>\n{said}\n</quote>"))
        tokens = sum(weigh(message.content) for message in messages)
        voice = Voice(system="", model=(await kit.channels.of(place)).model)
        await composed(kit, lease, reply, messages, final, voice=voice, asker=event.author.id, tokens=tokens)
        final.text = linked(final.text, lines, kit, place)
        await lease.record({"final": dump(final)})
    await reply.finish(final.shown)
    return await close(kit, lease, "answered", final)


async def _read(kit: Kit, place: Conversation, event: CommandInvoked, first: str) -> list[Line]:
    """What the platform lets this person read; on one without a memory of its own, what is in our transcript."""
    if scrollback := kit.scrollback.get(place.platform):
        found = await scrollback.since(place, event.author, first, MOST)
        entries = [entry_of(message) for message in found]
    else:
        entries = [entry for entry in await History(kit.inbox.store).load(place, MOST) if entry.kind != "border"]
    return [Line(one.id, one.author, one.name or one.author or "Parley", one.text, one.at) for one in entries]


def message_of(wanted: str, place: Conversation) -> str:
    """The id of the message of this place that somebody meant by its id or its link; empty where they meant none."""
    found = _MESSAGE.fullmatch(wanted.strip("<> "))
    if not found or found["place"] not in (None, place.channel, place.thread):
        return ""
    return found["id"] or f"{found['s']}.{found['us']}"


def since(lines: Sequence[Line], wanted: str, event: CommandInvoked) -> list[Line]:
    """Those that are meant: from a message on, of the last hours or days, since this person last spoke, or all."""
    if span := _SPAN.fullmatch(wanted):
        return [line for line in lines if line.at >= event.at - int(span[1]) * _UNIT_S[span[2]]]
    if wanted == "last":
        mine = [i for i, line in enumerate(lines) if line.who == event.author.id and line.id != event.id]
        after = list(lines[mine[-1] + 1 :]) if mine else list(lines)
        return after or list(lines)
    return list(lines)


def fitting(lines: Sequence[Line], most: int, weigh: Weigh) -> str:
    """The newest lines that fit into so many tokens, numbered as in `lines`.

    Nothing in them can end the quote, nor pose as another line: what follows a line break is indented.
    """
    kept: list[str] = []
    for number, line in reversed(list(enumerate(lines, 1))):
        text = f"[{number}] {line.name}: " + "\n    ".join(material(line.text).splitlines())
        most -= weigh(text)
        if most < 0:
            break
        kept.append(text)
    return "\n".join(reversed(kept))


def linked(text: str, lines: Sequence[Line], kit: Kit, place: Conversation) -> str:
    """The numbers of messages as links, where the platform has any."""
    scrollback = kit.scrollback.get(place.platform)
    if scrollback is None:
        return text

    def link(found: re.Match[str]) -> str:
        number = int(found[1])
        return f"[{number}]({scrollback.link(place, lines[number - 1].id)})" if 0 < number <= len(lines) else found[0]

    return re.sub(r"\[(\d{1,4})\](?!\()", link, text)
