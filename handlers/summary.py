"""The command `summarise`: what was said in a channel or thread, streamed, with links to the messages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.conversation import Answer, Kit, Voice, close, composed, recorded_answer
from bot.errors import texts
from bot.events import CommandInvoked, Conversation
from bot.lease import Lease, Outcome
from bot.ports import Message, Reply
from bot.stored import dump, entry_of, material

MOST = 500
"""So many messages are read at most: what a summary of one channel can do justice to."""
_SPAN = re.compile(r"(\d{1,4})\s*([mhd])")
_UNIT_S = {"m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Line:
    """One message to be summarised."""

    id: str
    author: str
    text: str
    at: float


async def summarise(kit: Kit, lease: Lease, reply: Reply, event: CommandInvoked) -> Outcome:
    """Summarise from where `from` says; who asks must be able to read there now. Raises BotError."""
    place, wanted = replace(event.conversation, person=""), dict(event.options).get("from", "last")
    lines = since(await _read(kit, place, event, wanted), wanted, event)
    if not lines:
        await reply.finish(texts()["summary_nothing"])
        return await close(kit, lease, "answered")
    final = recorded_answer(lease)
    if final is None:
        weigh, final = kit.tokens.weigher(""), Answer()
        said = fitting(lines, kit.settings.prompt_tokens * 4)
        system = Message(role="system", content=texts()["summary_system"])
        messages = (system, Message(role="user", content=f"<quote>\n{said}\n</quote>"))
        tokens = sum(weigh(message.content) for message in messages)
        voice = Voice(system="", model=(await kit.channels.of(place)).model)
        await composed(kit, lease, reply, messages, final, voice=voice, asker=event.author.id, tokens=tokens)
        final.text = linked(final.text, lines, kit, place)
        await lease.record({"final": dump(final)})
    await reply.finish(final.shown)
    return await close(kit, lease, "answered", final)


async def _read(kit: Kit, place: Conversation, event: CommandInvoked, wanted: str) -> list[Line]:
    """What the platform lets this person read; on one without a memory of its own, what is in our transcript."""
    if scrollback := kit.scrollback.get(place.platform):
        found = await scrollback.since(place, event.author, message_of(wanted), MOST)
        entries = [entry_of(message) for message in found]
    else:
        from bot.history import History

        entries = [entry for entry in await History(kit.inbox.store).load(place, MOST) if entry.kind != "border"]
    return [Line(entry.id, entry.name or entry.author or "Parley", entry.text, entry.at) for entry in entries]


def message_of(wanted: str) -> str:
    """The id of the message that somebody meant by its id or its link; empty where they meant none."""
    if found := re.search(r"/p(\d{10})(\d{6})\b", wanted):  # a link of Slack's
        return f"{found[1]}.{found[2]}"
    ids: list[str] = re.findall(r"\d{15,20}|\d{10}\.\d{6}", wanted)
    return ids[-1] if ids else ""


def since(lines: Sequence[Line], wanted: str, event: CommandInvoked) -> list[Line]:
    """Those that are meant: from a message on, of the last hours or days, since this person last spoke, or all."""
    if span := _SPAN.fullmatch(wanted):
        return [line for line in lines if line.at >= event.at - int(span[1]) * _UNIT_S[span[2]]]
    if wanted == "last":
        mine = [i for i, line in enumerate(lines) if line.author == event.author.name and line.id != event.id]
        after = list(lines[mine[-1] + 1 :]) if mine else list(lines)
        return after or list(lines)
    return list(lines)


def fitting(lines: Sequence[Line], most: int) -> str:
    """The newest lines that fit into so many characters, numbered as in `lines`; nothing in them can end the quote."""
    kept: list[str] = []
    for number, line in reversed(list(enumerate(lines, 1))):
        text = f"[{number}] {line.author}: {material(line.text)}"
        most -= len(text) + 1
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
