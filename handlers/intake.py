"""What becomes of an event at admit: a question, heard talk, a control, or nothing. The port `Intake`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from bot.channels import Channels, ChannelSettings
from bot.crashpoints import CrashPoint, reach
from bot.errors import NotAllowed, texts
from bot.events import ActionTaken, CommandInvoked, Event, MessageDeleted, MessageEdited, MessageReceived, ReplyLapsed
from bot.inbox import Inbox, Rating, Talk
from bot.ports import Admission
from bot.stored import entry_of

EDIT_MAY_ASK_S = 24 * 3600.0
"""An edit of an older message asks nothing: its claim (kept 48 h) may be gone, and it would be answered twice."""
EDIT_ANSWERS_AGAIN_S = 120.0
"""An edit of the newest question has it answered again for so long after it was written."""


def addressed(event: MessageReceived, here: ChannelSettings) -> Literal["ask", "ignore"] | Talk:
    """Whether a message is for us, for nobody of us, or talk. Pure; bots are never answered."""
    if event.author.is_bot or here.answer == "never":
        return "ignore"
    if event.is_direct or event.mentions_bot or event.replies_to_bot:
        return "ask"
    if here.answer == "always" and not event.to_others:
        return "ask"
    is_in_thread, is_open = bool(event.conversation.thread), not event.to_others
    talk = Talk(
        keep=here.hear if here.hear == "all" or is_in_thread else "off",
        asks_in_thread=is_open and is_in_thread and here.answer == "threads",
        asks_in_window=is_open and here.follow_up_s > 0,
    )
    return "ignore" if talk == Talk("off") else talk


@dataclass(frozen=True, slots=True, kw_only=True)
class EventIntake:
    """Takes every event of every adapter. Raises StoreUnavailable where it could not be taken, or NotAllowed."""

    inbox: Inbox
    channels: Channels
    clock: Callable[[], float] = time.time

    async def __call__(self, event: Event) -> Admission:
        """One event; after this returns the platform may be told "received"."""
        reach(CrashPoint.BEFORE_ADMIT)
        admission = await self._admit(event)
        reach(CrashPoint.ADMITTED)
        return admission

    async def _admit(self, event: Event) -> Admission:
        match event:
            case MessageReceived():
                here = await self.channels.of(event.conversation)
                return await self._said(event, addressed(event, here), here.time_zone)
            case MessageEdited(message=message):
                return await self._edited(message)
            case MessageDeleted():
                await self.inbox.delete(event.conversation, event.id)
            case CommandInvoked():
                if event.name == "stop":  # at once, however many turns run here
                    await self.inbox.stop(event.conversation, event.author, "")
                zone = (await self.channels.of(event.conversation)).time_zone
                return await self.inbox.admit(event, entry_of(event, zone=zone) if event.name == "ask" else None)
            case ActionTaken():
                return await self._acted(event)
            case ReplyLapsed():
                return await self.inbox.admit(event, None)
            case _:
                assert_never(event)
        return Admission.ADMITTED

    async def _said(self, event: MessageReceived, what: Literal["ask", "ignore"] | Talk, zone: str) -> Admission:
        if what == "ignore":
            return Admission.IGNORED
        talk = None if what == "ask" else what
        if talk and not await self.channels.hears(event.conversation, event.author.id):
            talk = Talk("off", talk.asks_in_thread, talk.asks_in_window)
        return await self.inbox.admit(event, entry_of(event, is_heard=talk is not None, zone=zone), talk)

    async def _edited(self, message: MessageReceived) -> Admission:
        if message.author.is_bot:  # we ourselves, too
            return Admission.IGNORED
        here = await self.channels.of(message.conversation)
        what, zone, age_s = addressed(message, here), here.time_zone, self.clock() - message.at
        again = ActionTaken(
            id=f"{message.id}-again",
            conversation=message.conversation,
            author=message.author,
            at=self.clock(),
            address=message.address,
            is_direct=message.is_direct,
            action="retry",
            turn="",
        )
        entry = entry_of(message, is_heard=what != "ask", zone=zone)
        was = await self.inbox.edit(message, entry, again if age_s <= EDIT_ANSWERS_AGAIN_S else None)
        if was == "gone":
            return Admission.IGNORED
        if was == "asked" or what != "ask" or age_s > EDIT_MAY_ASK_S:
            return Admission.ADMITTED
        # A mention that was added by the edit: what was only heard, or not for us at all, is a question now.
        return await self._said(message, "ask", zone)

    async def _acted(self, event: ActionTaken) -> Admission:
        """A control of an answer is for the person who asked and for admins; everybody may rate.

        Whoever uses it, it waits in the lane of the person who asked: one after the other.
        """
        place, me, lane = event.conversation, event.author.id, ""
        if event.turn and event.action not in ("up", "down"):
            askers = await self.inbox.askers(place, event.turn)
            if askers is None:
                raise NotAllowed(event.turn, notice=texts()["forgotten"])
            is_admin = event.author.is_admin or f"{place.platform}:{me}" in self.inbox.settings.admins
            if not (is_admin or {"", me} & {*askers}):
                raise NotAllowed(event.turn, notice=texts()["not_yours"])
            if event.action != "why":
                lane = f"{place.key}|{'' if event.is_direct else askers[0]}"
        match event.action:
            case "stop":
                # A platform's own button of a thread does not say whose turn it has stopped showing.
                await self.inbox.stop(place, None if place.thread and not event.turn else event.author, event.turn)
            case "up" | "down":
                rating = Rating(who=me, at=event.at, is_good=event.action == "up", text=event.text)
                await self.inbox.rate(event.conversation, event.turn, rating)
            case "retry" | "continue" | "delete" | "why":
                return await self.inbox.admit(event, None, lane=lane)
            case _:
                assert_never(event.action)
        return Admission.ADMITTED
