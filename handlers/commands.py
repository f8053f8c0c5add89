"""What each command does: one function a command. The table that declares them is in `table`."""

import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bot.channels import NAMES, Persona, scopes_of
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

    async def places(self) -> list[Conversation]:
        """Where something of this person may lie: what everybody here sees, and their own private conversation."""
        me = self.event.author.id
        places = [self.place, replace(self.place, person=me)]
        # A command may know only the channel of the thread that it is about (Slack has none in threads).
        if not self.place.thread and (thread := await self.kit.inbox.answered_in(self.place, me)):
            places.append(thread)
        return places

    async def seen(self) -> list[tuple[Conversation, list[Entry]]]:
        """The transcripts that may be told of here: what is private only where nobody else reads the reply."""
        is_alone = self.event.address.is_private or self.event.is_direct
        return [(one, await self.history.load(one)) for one in await self.places() if is_alone or not one.person]

    async def newest(self, kind: Literal["asked", "answer"]) -> tuple[Conversation, Entry | None]:
        """This person's newest question here, whatever became of it, or the newest answer to them."""
        me, found = self.event.author.id, list[tuple[Conversation, Entry]]()
        for place, entries in await self.seen():
            found += [(place, one) for one in entries if one.kind == kind and me in (one.author, *one.askers)]
        return max(found, key=lambda one: one[1].at, default=(self.place, None))

    def scope(self) -> Conversation:
        """The scope that this is about, as the conversation that it is named by. Raises WrongUse."""
        match self.options.get("scope"):
            case "workspace":
                return replace(self.place, channel="", thread="")
            case "thread" if not self.place.thread:
                raise WrongUse(self.spec, "this is no thread")
            case "channel":
                return replace(self.place, thread="")
        return self.place

    async def may_manage(self, scope: Conversation) -> bool:
        """Whether this person may change what holds there for others: no narrower scope's managers may."""
        author = self.event.author
        if author.is_admin or f"{scope.platform}:{author.id}" in self.kit.settings.admins:
            return True
        return (await self.kit.channels.of(scope)).managers == "everyone"

    async def must_manage(self, scope: Conversation) -> None:
        """Raises NotAllowed where this person may not change that."""
        if not await self.may_manage(scope):
            raise NotAllowed(self.spec.name, notice=texts()["not_a_manager"])

    async def must_read(self) -> None:
        """Raises NotAllowed where the platform does not let this person read here now; its memory is not ours."""
        scrollback = self.kit.scrollback.get(self.place.platform)
        if scrollback and not self.event.is_direct:
            await scrollback.since(self.place, self.event.author, "", 1)


Run = Callable[[Call], Awaitable[str]]


async def start_afresh(call: Call) -> str:
    """A border in the transcript: what stands before it is kept and goes into no prompt any more."""
    event = call.event
    border = Entry(id=f"new-{event.id}", kind="border", text="", at=event.at)
    for place in (call.place, replace(call.place, person=event.author.id)):
        await call.history.append(place, border, load=1)
    return texts()["started_afresh"]


async def act(call: Call) -> str:
    """The same as the button of that name: under the newest answer to this person, or for their last question."""
    if call.spec.name == "stop":  # as its intake has done
        return texts()["stopping"]
    if (taken := await action_of(call)) is None:
        return texts()["no_answer_yet"]
    await call.kit.inbox.admit(taken, None)
    return texts()["on_it"]


async def action_of(call: Call) -> ActionTaken | None:
    """What `retry` and `continue` come to; None where there is nothing that they could be about."""
    event = call.event
    action: Action = "retry" if call.spec.name == "retry" else "continue"
    place, entry = await call.newest("asked" if action == "retry" else "answer")
    if entry is None:
        return None
    asked, thread = entry.questions[-1] if entry.questions else entry.id, event.address.thread or place.thread
    where = replace(event.address, token="", expires_at=0.0, is_private=False, reply_to=asked, thread=thread)
    return ActionTaken(
        id=f"{event.id}-{action}",
        conversation=place,
        author=event.author,
        at=event.at,
        address=where if not place.person else event.address,
        is_direct=event.is_direct,
        action=action,
        turn=entry.turn,
    )


async def show_history(call: Call) -> str:
    """What is kept of this conversation and may be seen by this person, the newest last."""
    await call.must_read()
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
    name, value = call.options.get("name", ""), call.options.get("value", "")
    here = await call.kit.channels.of(call.place)
    if not value:
        names = [name] if name in NAMES else NAMES
        workspace = replace(call.place, channel="", thread="")
        audit = await call.kit.channels.audit(call.place, 5) if await call.may_manage(workspace) else []
        changes = [f"- {_when(one.at)} {one.who}: {one.name} {_was(one.before)} → {_was(one.after)}" for one in audit]
        rows = [f"- `{each}`: {json.dumps(getattr(here, each))}" for each in names]
        return "\n".join([texts()["settings"], *rows, *([texts()["changes"], *changes] if changes else [])])
    return await _change(call, name, value)


async def change_persona(call: Call) -> str:
    """List, use, create, edit or delete the personas of this workspace."""
    do, name = call.options.get("do", "list"), call.options.get("name", "")
    channels, event = call.kit.channels, call.event
    known = await channels.personas(call.place)
    if do == "list":
        rows = [f"- **{one.name}** {one.model}: {_short(one.prompt)}" for one in known.values()]
        return "\n".join(rows) or texts()["no_personas"]
    if do == "use":
        return await _change(call, "persona", name)
    await call.must_manage(replace(call.place, channel="", thread=""))
    if not name or (do != "create" and name not in known):
        raise _no_persona(call, known)
    persona = None
    if do != "delete":
        old = known.get(name) or Persona(name=name, prompt="")
        heat = call.options.get("temperature")
        if heat and not 0 <= float(heat) <= 2:
            raise WrongUse(call.spec, "`temperature` is 0 to 2")
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
    return await _change(call, "model", name)


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
    place, entry = await call.newest("answer")
    if entry is None:
        return texts()["no_answer_yet"]
    return await explained(call.kit, place, entry.turn)


async def forget(call: Call) -> str:
    """Erase what this person said, and the answers to nobody else."""
    if call.options.get("sure") != "on":
        raise WrongUse(call.spec, "say `sure` to erase; nothing can bring it back")
    count = await call.history.erase(await _mine(call), call.event.author.id)
    return texts()["forgotten_now"].format(count=count)


async def export(call: Call) -> str:
    """All that is kept of this person, as JSON."""
    await call.must_read()
    kept = await call.history.export(await _mine(call), call.event.author.id)
    return "```json\n" + json.dumps(kept, ensure_ascii=False, indent=1).replace("```", "`\u200b``") + "\n```"


async def opt_out(call: Call) -> str:
    """Whether talk of this person that addresses nobody of us may be kept."""
    is_out = call.options.get("heard", "off") == "off"
    await call.kit.channels.opt_out(call.place, call.event.author.id, is_out=is_out)
    return texts()["opted_out" if is_out else "opted_in"]


async def give_feedback(call: Call) -> str:
    """Rate the newest answer to this person."""
    place, entry = await call.newest("answer")
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


def _no_persona(call: Call, known: Iterable[str]) -> WrongUse:
    return WrongUse(call.spec, f"`name` is one of {', '.join(known) or '(there is none yet)'}")


async def _change(call: Call, name: str, value: str) -> str:
    """Set one value, by whatever command, as who may; the value `default` takes it back."""
    place, event, channels, value = call.scope(), call.event, call.kit.channels, "" if value == "default" else value
    await call.must_manage(place)
    if not name:
        raise WrongUse(call.spec, f"`name` is missing, one of {', '.join(NAMES)}")
    if name == "model":
        _allowed(call, value)
    if name == "persona" and value and value not in (known := await channels.personas(place)):
        raise _no_persona(call, known)
    before = await channels.change(place, scopes_of(place)[-1], name, value, who=event.author.id, at=event.at)
    if name == "hear" and place.channel and (await channels.of(place)).hear == "all":
        where = replace(event.address, token="", is_private=False, reply_to="", recipient="")
        where = where if place.thread else replace(where, channel=place.channel, thread="")
        told = replace(event, id=f"{event.id}-said", conversation=place, address=where, name="hearing", options=())
        await call.kit.inbox.admit(told, None)
    scope, default = "thread" if place.thread else "channel" if place.channel else "workspace", texts()["default"]
    said = texts()["unchanged" if before is None else "changed"]
    return said.format(name=name, scope=scope, value=value or default, before=before or default)


async def tell_hearing(call: Call) -> str:
    """What everybody in a channel is told once its talk is heard."""
    return texts()["hearing"]


async def _mine(call: Call) -> list[Conversation]:
    """The conversations that a person means: this one with its private one, or all of the workspace."""
    if call.options.get("scope", "here") == "here":
        return await call.places()
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
