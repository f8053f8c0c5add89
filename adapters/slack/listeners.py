"""What happens when Slack tells something: it is named, sifted, admitted, and only then acknowledged."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from adapters.slack import controls, translate, views
from adapters.slack.errors import NOTICES
from adapters.slack.markup import ids_in, readable
from adapters.slack.names import Names
from adapters.slack.options import Options
from adapters.slack.translate import Known, Profile, Raw, Seat
from adapters.slack.web import SlackWeb
from bot.commands import WrongUse, form, is_private, parsed
from bot.errors import BotError, NotAllowed, StoreUnavailable
from bot.events import ActionTaken, CommandInvoked, Event, MessageEdited, MessageReceived, Quote
from bot.ports import Admission, Intake, Shelf

log = logging.getLogger(__name__)
_ADMIT_S = 1.0
_COURTESY_S = 2.0
"""Slack waits three seconds in all."""
_VIEW_S = 600.0
_HINTED_S = 24 * 3600.0
GUEST = "I only answer full members of this workspace. The people who run me can change that."
STRANGER = "I only answer people of the company that runs me. The people who run me can change that."
NO_QUESTION = "What would you like to know? For example: /ask What is a leap second?"


class Listeners:
    """Everything that one workspace tells us. Nothing is acknowledged that was not admitted."""

    def __init__(
        self, *, web: SlackWeb, shelf: Shelf, names: Names, options: Options, seat: Seat, intake: Intake
    ) -> None:
        self._web, self._shelf, self._names = web, shelf, names
        self._options, self._seat, self._admit = options, seat, intake
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def attach(self, app: AsyncApp) -> None:
        """Listen to everything; what means nothing to us is acknowledged and dropped."""
        anything = re.compile("")
        app.event(anything)(self.on_event)
        app.command(anything)(self.on_command)
        app.shortcut(anything)(self.on_shortcut)
        app.action(anything)(self.on_action)
        app.view(anything)(self.on_view)

    async def _intake(self, event: Event) -> Admission:
        if isinstance(event, CommandInvoked | ActionTaken):  # a message tells it itself
            event = replace(event, is_direct=event.conversation.channel.startswith("D"))
        return await self._admit(event)

    # ---- events

    async def on_event(self, body: dict[str, Any]) -> BoltResponse | None:
        """An event of the Events API. Only a store that is away keeps it from being acknowledged."""
        event = body["event"]
        try:
            match event["type"]:
                case "message" | "app_mention" | "agent_session_stopped":
                    # What was said in a channel is admitted in its order, however long a name takes.
                    lock = self._locks.setdefault(event["channel"], asyncio.Lock())
                    async with lock:
                        await self._heard(body)
                case "app_context_changed":
                    await self._looked(event)
                case "app_home_opened":
                    await self._looked(event)
                    await self._opened(event)
                case "app_uninstalled":
                    self._web.refuse("app_uninstalled")
                case "tokens_revoked" if self._seat.user in event["tokens"].get("bot", ()):
                    self._web.refuse("tokens_revoked")
        except StoreUnavailable as error:
            log.warning("not taken; Slack will deliver it again: %s", error)
            return BoltResponse(status=503)
        return None

    async def _heard(self, body: Raw) -> None:
        if translate.happened(body, self._seat) is None:
            return
        known = await self._names.known(self._seat.team, translate.concerned(body, self._seat))
        event, raw = translate.happened(body, self._seat, known), body["event"].get("message") or body["event"]
        message = event.message if isinstance(event, MessageEdited) else event
        if isinstance(message, MessageReceived):
            if message.author.is_bot:
                return
            who = message.author.id
            if reason := self._declined(known.by_id.get(who), translate.home_of(raw, known), who):
                is_asked = message.is_direct or message.mentions_bot or message.replies_to_bot
                key = f"hint:{self._seat.team}:{who}"
                if is_asked and await self._shelf.take_once(key, expires_s=_HINTED_S):
                    await self._tell(message, reason)
                return
            if event is message and message.is_direct and (view := await self._view_of(raw)):
                event = replace(message, quotes=(*message.quotes, view))
        try:
            if isinstance(event, MessageReceived) and (command := await self._exclaimed(event)):
                await self._intake(command)
            elif event is not None:
                await self._intake(event)
        except (NotAllowed, WrongUse) as refusal:
            if isinstance(event, MessageReceived | ActionTaken):
                await self._tell(event, refusal.notice)

    def _declined(self, profile: Profile | None, home: str, user: str) -> str:
        """Why this person is not answered, for them to read; empty where they are."""
        if home and home != self._seat.team:
            return "" if {home, user} & self._options.strangers else STRANGER
        return GUEST if profile is not None and profile.is_guest and not self._options.guests else ""

    async def _tell(self, event: MessageReceived | ActionTaken, notice: str) -> None:
        """For this person's eyes alone. Slack shows it in a thread only where somebody has answered there already."""
        to = event.address
        where = {"channel": to.channel} | ({"thread_ts": to.thread} if to.thread != to.reply_to else {})
        await self._politely("chat.postEphemeral", {**where, "user": event.author.id, "text": notice})

    async def _politely(self, method: str, body: Mapping[str, object]) -> None:
        """Do what nobody's question hangs on, in a bounded time."""
        try:
            await self._web.call(method, body, within_s=_COURTESY_S)
        except BotError as error:
            log.info("%s was not taken: %s", method, error)

    # ---- the Messages tab, the App Home, and what somebody is viewing

    async def _opened(self, event: Raw) -> None:
        if event.get("tab") == "home":
            await self._politely("views.publish", {"user_id": event["user"], "view": views.home(self._options.facts)})
        elif self._options.prompts:
            prompts = [{"title": prompt[:75], "message": prompt} for prompt in self._options.prompts]
            where = {"channel_id": event["channel"], "prompts": prompts}
            await self._politely("assistant.threads.setSuggestedPrompts", where)

    async def _looked(self, event: Raw) -> None:
        """Remember for some minutes what this person is viewing; an empty context is that they view nothing."""
        context, user = event.get("context"), event.get("user")
        if context is not None and user:
            entities = list(context.get("entities") or ())[:1]
            await self._shelf.put(f"view:{self._seat.team}:{user}", json.dumps(entities), expires_s=_VIEW_S)

    async def _view_of(self, raw: Raw) -> Quote | None:
        """What the person is viewing, as Slack told us with this message or before it."""
        if (context := raw.get("app_context")) is not None:
            entities = context.get("entities") or ()
        else:
            entities = json.loads(await self._shelf.get(f"view:{self._seat.team}:{raw['user']}") or "[]")
        if not entities:
            return None
        channel = translate.viewed_channel(entities[0])
        return translate.viewed(entities[0], await self._names.known(self._seat.team, [channel] if channel else []))

    # ---- commands, shortcuts, buttons, modals

    async def on_command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """A slash command: its question is shown to the channel, unless it was asked privately."""
        if str(body["command"]).endswith("parley"):
            word, _, rest = str(body.get("text") or "").strip().partition(" ")
            if word != "ask":
                await ack(await self._commanded(body, word or "help", rest))
                return
            body = {**body, "text": rest}
        user, channel = body["user_id"], body["channel_id"]
        known = await self._known(user, *ids_in(str(body.get("text") or "")))
        question = controls.question_of(body, self._seat, known)
        notice, root = self._declined(known.by_id.get(user), str(body.get("team_id") or ""), user), ""
        notice = notice or ("" if question else NO_QUESTION)
        if not notice and not controls.wants_privacy(body):
            shown = {"channel": channel, "text": views.public_question(known.name(user), question)}
            try:
                root = str((await self._web.call("chat.postMessage", shown, within_s=_ADMIT_S))["ts"])
            except BotError as error:
                notice = error.notice
        if not notice:
            notice = await self._admitted(controls.asked(body, self._seat, known, root=root, now=time.time()))
        if notice and root:
            await self._politely("chat.delete", {"channel": channel, "ts": root})
        await ack(notice)

    async def _commanded(self, body: dict[str, Any], name: str, rest: str) -> str:
        """`/parley NAME`: what its user reads where it was not taken. Long options are asked for in a dialog."""
        user = body["user_id"]
        known = await self._known(user, *ids_in(rest))
        if notice := self._declined(known.by_id.get(user), str(body.get("team_id") or ""), user):
            return notice
        if (spec := self._options.command(name)) is None:
            return f"I don't know the command `{name[:40]}`. `/parley help` lists what there is."
        try:
            options = parsed(spec, readable(rest, self._seat.user, known.names(self._seat)))
        except BotError as error:
            return error.notice
        if asked := form(spec, options):
            carried = {key: body[key] for key in ("channel_id", "user_id", "response_url")}
            view = views.form(name, asked, json.dumps([name, options, carried]))
            opened = {"trigger_id": body["trigger_id"], "view": view}
            return await self._tried(self._web.call("views.open", opened, within_s=_COURTESY_S))
        return await self._invoked(body, known, name, options)

    async def _invoked(self, body: Raw, known: Known, name: str, options: Mapping[str, str]) -> str:
        spec = self._options.command(name)
        hidden = spec is None or is_private(spec, options)
        event = controls.invoked(body, self._seat, known, name, options, is_private=hidden, now=time.time())
        return (not hidden and await self._absent(event.address.channel)) or await self._admitted(event)

    async def _exclaimed(self, event: MessageReceived) -> CommandInvoked | None:
        """The command that `!name` means in a thread of ours. Raises what `parsed` raises."""
        name, _, rest = event.text[1:].partition(" ")
        spec, where = self._options.command(name.strip()), event.conversation
        if not event.text.startswith("!") or spec is None or spec.name == "ask" or not where.thread:
            return None
        ours = self._options.takes_part
        is_ours = event.is_direct or event.mentions_bot or (ours is not None and await ours(where))
        options = parsed(spec, rest) if is_ours else {}
        return controls.exclaimed(event, name, options, is_private=is_private(spec, options)) if is_ours else None

    async def on_shortcut(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """`Ask about this` opens a modal; `Summarise thread` asks at once."""
        user, subject = body["user"]["id"], body.get("message") or {}
        known = await self._known(user, subject.get("user") or user, *ids_in(str(subject.get("text") or "")))
        notice = self._declined(known.by_id.get(user), str(body["user"].get("team_id") or ""), user)
        if not notice and subject and body["callback_id"] == "ask_about":
            notice = await self._modal(body, "ask_about", controls.subject(body, self._seat, known))
        elif not notice and subject and body["callback_id"] == "summarise":
            event = controls.summarised(body, self._seat, known, now=time.time())
            notice = await self._absent(event.address.channel) or await self._admitted(event)
        await self._answered(body, notice)
        await ack()

    async def on_action(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """A button, menu or thumb under an answer. A thumb down may say what would have been better."""
        event = controls.acted(body, self._seat, await self._known(body["user"]["id"]))
        if event is not None:
            notice = await self._admitted(event)
            if not notice and event.action == "down":
                notice = await self._modal(body, "correct", controls.rated(event))
            await self._answered(body, notice)
        await ack()

    async def on_view(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """A modal that was sent off; what goes wrong is told in it."""
        known, now, notice = await self._known(body["user"]["id"]), time.time(), ""
        if body["view"]["callback_id"] == "ask_about":
            event = controls.asked_about(body, self._seat, known, now=now)
            notice = await self._absent(event.address.channel) or await self._admitted(event)
        elif body["view"]["callback_id"] == "form":
            name, options, asked = json.loads(body["view"]["private_metadata"])
            given = {key: value for key, value in controls.fields(body).items() if value}
            asked["trigger_id"] = body["view"]["id"]
            notice = await self._invoked(asked, known, name, options | given)
            if notice:
                await ack(response_action="errors", errors=dict.fromkeys(controls.fields(body), notice))
                return
        elif better := controls.corrected(body, self._seat, known, now=now):
            notice = await self._admitted(better)
        await (ack(response_action="errors", errors={views.FIELD: notice}) if notice else ack())

    async def _known(self, *ids: str) -> Known:
        """Names for an interaction, which cannot come again: without the store there are none."""
        try:
            async with asyncio.timeout(_ADMIT_S):
                return await self._names.known(self._seat.team, dict.fromkeys(ids))
        except (StoreUnavailable, TimeoutError):
            return Known()

    async def _admitted(self, event: Event) -> str:
        """Admit within a second; what the person reads where it was not, empty where it was."""
        return await self._tried(asyncio.wait_for(self._intake(event), _ADMIT_S))

    async def _absent(self, channel: str) -> str:
        """What the person reads where we cannot write into the channel; empty where we can, or cannot know."""
        try:
            told = (await self._web.ask("conversations.info", {"channel": channel}, within_s=_ADMIT_S))["channel"]
        except BotError as error:
            return error.notice if str(error) == "channel_not_found" else ""
        return "" if told.get("is_member") or told.get("is_im") or told.get("is_mpim") else NOTICES["not_in_channel"]

    async def _modal(self, body: Raw, name: str, carried: str) -> str:
        """Open a modal; what the person reads where Slack does not."""
        view = {"trigger_id": body["trigger_id"], "view": views.modal(name, carried)}
        return await self._tried(self._web.call("views.open", view, within_s=_COURTESY_S))

    async def _tried(self, doing: Awaitable[object]) -> str:
        """What the person reads where something does not succeed; empty where it does."""
        try:
            await doing
        except (BotError, TimeoutError) as error:
            return error.notice if isinstance(error, BotError) else StoreUnavailable().notice
        return ""

    async def _answered(self, body: Raw, notice: str) -> None:
        """Show a notice to the person alone, where there is one."""
        if notice and body.get("response_url"):
            private = {"response_type": "ephemeral", "replace_original": False, "text": notice}
            await self._tried(self._web.respond(str(body["response_url"]), private))
