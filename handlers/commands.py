"""What each command does: one function a command. The table that declares them is in `table`."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from bot.channels import NAMES, Persona
from bot.commands import CommandSpec, WrongUse
from bot.conversation import Kit
from bot.errors import NotAllowed, texts
from bot.events import Action, ActionTaken, CommandInvoked, Conversation
from bot.history import History
from bot.inbox import Rating
from bot.settings import Settings
from bot.stored import Entry
from handlers.why import explained


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One use of a command, its options checked. `place` is the conversation that everybody there sees."""

    kit: Kit
    spec: CommandSpec
    event: CommandInvoked
    options: Mapping[str, str]

    @property
    def place(self) -> Conversation:
        """Where it was used; what only its asker sees lies in the event's own conversation."""
        return replace(self.event.conversation, person="")

    @property
    def history(self) -> History:
        """The transcripts, kept as the settings say."""
        settings = self.kit.settings
        days, most = settings.transcript_days, settings.transcript_messages
        return History(self.kit.inbox.store, keep_s=days * 86_400, keep_entries=most)

    async def seen(self) -> list[tuple[Conversation, list[Entry]]]:
        """What this person may see here: the transcript that everybody sees, and their own private one."""
        me = self.event.author.id
        places = [self.place, replace(self.place, person=me)]
        # A command may know only the channel of the thread that it is about (Slack has none in threads).
        if not self.place.thread and (thread := await self.kit.inbox.answered_in(self.place, me)):
            places.append(thread)
        return [(place, await self.history.load(place)) for place in places]

    async def last_answer(self) -> tuple[Conversation, Entry | None]:
        """The newest answer to this person here."""
        found: tuple[Conversation, Entry | None] = (self.place, None)
        for place, entries in await self.seen():
            mine = {entry.id for entry in entries if entry.kind == "asked" and entry.author == self.event.author.id}
            for entry in entries:
                is_newer = found[1] is None or entry.at >= found[1].at
                if entry.kind == "answer" and mine & set(entry.questions) and is_newer:
                    found = (place, entry)
        return found

    async def must_manage(self) -> None:
        """Raises NotAllowed where this person may not change what holds for others."""
        author = self.event.author
        is_admin = author.is_admin or f"{self.place.platform}:{author.id}" in self.kit.settings.admins
        if not is_admin and (await self.kit.channels.of(self.place)).managers != "everyone":
            raise NotAllowed(self.spec.name, notice=texts()["not_a_manager"])


Run = Callable[[Call], Awaitable[str]]


async def start_afresh(call: Call) -> str:
    """A border in the transcript: what stands before it is kept and goes into no prompt any more."""
    event = call.event
    border = Entry(id=f"new-{event.id}", kind="border", text="", at=event.at, author=event.author.id)
    for place in (call.place, replace(call.place, person=event.author.id)):
        await call.history.append(place, border, load=1)
    return texts()["started_afresh"]


async def act(call: Call) -> str:
    """The same as the button of that name under the newest answer to this person."""
    actions: dict[str, Action] = {"stop": "stop", "retry": "retry", "continue": "continue"}
    event, action = call.event, actions[call.spec.name]
    if action == "stop":  # as its intake has done
        return texts()["stopping"]
    place, entry = await call.last_answer()
    if entry is None:
        return texts()["no_answer_yet"]
    where = replace(event.address, token="", expires_at=0.0, is_private=False, reply_to=entry.questions[-1])
    taken = ActionTaken(
        id=f"{event.id}-{action}",
        conversation=place,
        author=event.author,
        at=event.at,
        address=where if not place.person else event.address,
        action=action,
        turn=entry.turn,
    )
    await call.kit.inbox.admit(taken, None)
    return texts()["on_it"]


async def show_history(call: Call) -> str:
    """What is kept of this conversation and may be seen by this person, the newest last."""
    most = int(float(call.options.get("count", "20")))
    entries = sorted((entry for _, found in await call.seen() for entry in found), key=lambda entry: entry.at)
    shown = [entry for entry in entries if entry.text][-max(1, min(most, 100)) :]
    if not shown:
        return texts()["nothing_kept"]
    lines = [
        f"- {entry.stamp or _when(entry.at)} **{entry.name or 'Parley'}**: {_short(entry.text)}" for entry in shown
    ]
    return "\n".join([texts()["history"].format(count=len(entries)), *lines])


async def change_settings(call: Call) -> str:
    """Show the channel settings, or change one."""
    name, value, scope = (call.options.get(key, "") for key in ("name", "value", "scope"))
    here = await call.kit.channels.of(call.place)
    if not value:
        names = [name] if name in NAMES else NAMES
        audit = await call.kit.channels.audit(call.place, 5)
        changes = [f"- {_when(one.at)} {one.who}: {one.name} {_was(one.before)} → {_was(one.after)}" for one in audit]
        rows = [f"- `{each}`: {json.dumps(getattr(here, each))}" for each in names]
        return "\n".join([texts()["settings"], *rows, *([texts()["changes"], *changes] if changes else [])])
    await call.must_manage()
    return await _change(call, name, "" if value == "default" else value, scope)


async def change_persona(call: Call) -> str:
    """List, use, create, edit or delete the personas of this workspace."""
    do, name = call.options.get("do", "list"), call.options.get("name", "")
    channels, event = call.kit.channels, call.event
    known = await channels.personas(call.place)
    if do == "list":
        rows = [f"- **{one.name}** {one.model}: {_short(one.prompt)}" for one in known.values()]
        return "\n".join(rows) or texts()["no_personas"]
    await call.must_manage()
    if do == "use" and name in ("", "default"):
        return await _change(call, "persona", "", call.options.get("scope", ""))
    if not name or (do != "create" and name not in known):
        raise WrongUse(call.spec, f"`name` is one of {', '.join(known) or '(there is none yet)'}")
    if do == "use":
        return await _change(call, "persona", name, call.options.get("scope", ""))
    persona = None
    if do != "delete":
        old = known.get(name) or Persona(name=name, prompt="")
        heat = call.options.get("temperature")
        persona = Persona(
            name=name,
            prompt=call.options.get("prompt") or old.prompt,
            model=_allowed(call, call.options.get("model", "")) or old.model,
            temperature=float(heat) if heat else old.temperature,
        )
        if not persona.prompt:
            raise WrongUse(call.spec, "`prompt` is missing")
    await channels.put_persona(call.place, name, persona, who=event.author.id, at=event.at)
    return texts()["persona_kept" if persona else "persona_gone"].format(name=name)


async def change_model(call: Call) -> str:
    """List the models that may be chosen, or choose one for the channel."""
    name = call.options.get("name", "")
    if not name:
        here = await call.kit.channels.of(call.place)
        rows = [f"- `{model}`" for model in allowed_models(call.kit.settings)]
        return "\n".join([texts()["model"].format(name=here.model or texts()["default"]), *rows])
    await call.must_manage()
    return await _change(
        call, "model", "" if name == "default" else _allowed(call, name), call.options.get("scope", "")
    )


async def show_usage(call: Call) -> str:
    """The tokens of today, and what is left of them."""
    spent = await call.kit.limits.spent_today(call.place)
    most, rate = call.kit.settings.workspace_daily_tokens, call.kit.settings.person_rate
    share = min(10, spent * 10 // most) if most else 0
    shown = texts()["usage"].format(
        spent=spent, most=f"{most:,}" if most else "∞", bar="█" * share + "░" * (10 - share)
    )
    return shown + (texts()["usage_rate"].format(count=rate.count, minutes=rate.per_s / 60) if rate.count else "")


async def show_why(call: Call) -> str:
    """What went into the newest answer to this person."""
    place, entry = await call.last_answer()
    if entry is None:
        return texts()["no_answer_yet"]
    return await explained(call.kit, place, entry.turn)


async def forget(call: Call) -> str:
    """Erase what this person said, and the answers to nobody else."""
    if call.options.get("sure") != "on":
        raise WrongUse(call.spec, "say `sure` to erase; nothing can bring it back")
    count = 0
    for place in await _mine(call):
        count += await call.history.erase(place, call.event.author.id)
    return texts()["forgotten_now"].format(count=count)


async def export(call: Call) -> str:
    """All that is kept of this person, as JSON."""
    kept = [await call.history.export(place, call.event.author.id) for place in await _mine(call)]
    return "```json\n" + json.dumps(kept, ensure_ascii=False, indent=1).replace("```", "`\u200b``") + "\n```"


async def opt_out(call: Call) -> str:
    """Whether talk of this person that addresses nobody of us may be kept."""
    is_out = call.options.get("heard", "off") == "off"
    await call.kit.channels.opt_out(call.place, call.event.author.id, is_out=is_out, at=call.event.at)
    return texts()["opted_out" if is_out else "opted_in"]


async def give_feedback(call: Call) -> str:
    """Rate the newest answer to this person."""
    place, entry = await call.last_answer()
    if entry is None:
        return texts()["no_answer_yet"]
    is_good, text = call.options["rating"] == "good", call.options.get("better", "")
    rating = Rating(who=call.event.author.id, at=call.event.at, is_good=is_good, text=text)
    await call.kit.inbox.rate(place, entry.turn, rating)
    return texts()["thanks"]


def allowed_models(settings: Settings) -> tuple[str, ...]:
    """The models that people may choose."""
    return settings.models or tuple(dict.fromkeys(name for name in (settings.model, *settings.fallback_models) if name))


def _allowed(call: Call, model: str) -> str:
    known = allowed_models(call.kit.settings)
    if model and model not in known:
        raise WrongUse(call.spec, f"the model is one of {', '.join(known) or '(only the default)'}")
    return model


async def _change(call: Call, name: str, value: str, scope: str) -> str:
    place = call.place
    scopes = {"workspace": "", "channel": place.channel, "thread": f"{place.channel}/{place.thread}"}
    if scope == "thread" and not place.thread:
        raise WrongUse(call.spec, "this is no thread")
    where = scope or ("thread" if place.thread else "channel")
    event = call.event
    before = await call.kit.channels.change(place, scopes[where], name, value, who=event.author.id, at=event.at)
    now = value or texts()["default"]
    return texts()["changed"].format(name=name, scope=where, value=now, before=before or texts()["default"])


async def _mine(call: Call) -> list[Conversation]:
    """The conversations that a person means: this one with its private one, or all of the workspace."""
    if call.options.get("scope", "here") == "here":
        return [place for place, _ in await call.seen()]
    found = call.history.conversations(call.place.platform)
    mine = [place async for place in found if place.workspace_key == call.place.workspace_key]
    return [place for place in mine if place.person in ("", call.event.author.id)]


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))


def _was(value: str) -> str:
    return _short(value, 60) or texts()["default"]


def _short(text: str, most: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"
