"""What becomes of an event at admit: a question, heard talk, a control, or nothing. The port `Intake`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from bot.crashpoints import CrashPoint, reach
from bot.events import ActionTaken, CommandInvoked, Event, MessageDeleted, MessageEdited, MessageReceived, ReplyLapsed
from bot.inbox import Inbox
from bot.ports import Admission
from bot.stored import entry_of

Hear = Literal["off", "threads", "all"]
EDIT_MAY_ASK_S = 24 * 3600.0
"""An edit of an older message asks nothing: its claim (kept 48 h) may be gone, and it would be answered twice."""


def addressed(event: MessageReceived, hear: Hear) -> Literal["ask", "hear", "ignore"]:
    """Whether a message is for us, only to be heard, or neither. Pure; bots are never answered."""
    is_asked = event.is_direct or event.mentions_bot or event.replies_to_bot
    is_heard = hear == "all" or (hear == "threads" and bool(event.conversation.thread))
    return "ignore" if event.author.is_bot else "ask" if is_asked else "hear" if is_heard else "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventIntake:
    """Takes every event of every adapter. Raises StoreUnavailable where it could not be taken."""

    inbox: Inbox
    hear: Hear = "threads"
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
                return await self._said(event, addressed(event, self.hear))
            case MessageEdited(message=message):
                return await self._edited(message)
            case MessageDeleted():
                await self.inbox.delete(event.conversation, event.id)
            case CommandInvoked():
                return await self.inbox.admit(event, entry_of(event) if event.name == "ask" else None)
            case ActionTaken(action="stop"):
                await self.inbox.stop(event.conversation, event.author, event.turn)
            case ActionTaken() | ReplyLapsed():
                return await self.inbox.admit(event, None)
            case _:
                assert_never(event)
        return Admission.ADMITTED

    async def _said(self, event: MessageReceived, kind: Literal["ask", "hear", "ignore"]) -> Admission:
        if kind == "ignore":
            return Admission.IGNORED
        is_heard = kind == "hear"
        entry = entry_of(event, is_heard=is_heard)
        return await self.inbox.admit(event, entry, is_heard=is_heard, only_joined=is_heard and self.hear == "threads")

    async def _edited(self, message: MessageReceived) -> Admission:
        kind = addressed(message, self.hear)
        was = await self.inbox.edit(message, entry_of(message, is_heard=kind != "ask"))
        if was == "gone":
            return Admission.IGNORED
        if was == "asked" or kind != "ask" or self.clock() - message.at > EDIT_MAY_ASK_S:
            return Admission.ADMITTED
        # A mention that was added by the edit: what was only heard, or not for us at all, is a question now.
        return await self._said(message, "ask")
