"""The sign that an answer is under way: Slack's session with its Stop button, else a status; swept where left on."""

import asyncio
from contextlib import suppress

from adapters.slack.workspace import Busy, Workspace, is_lasting
from bot.errors import BotError, ReplyUndeliverable, StoreUnavailable

STATUS = "agents.sessions.setStatus"
_ALIVE_S = 60.0
_KEPT_S = 3_700.0
"""Slack itself clears a session after an hour."""
_TITLE = 200


class Session:
    """The session of one thread, while one reply is written. A refusal is no error: a sign is a courtesy."""

    def __init__(
        self, workspace: Workspace, channel: str, thread: str, title: str, *, is_takeover: bool = False
    ) -> None:
        self._workspace, self._channel, self._thread, self._title = workspace, channel, thread, title
        self._holder = f"{channel}:{thread}"
        self._begun = asyncio.Event()
        if is_takeover and thread:  # who died may have begun it, and told nobody
            self._begun.set()
        self._is_shown = False
        self._place: str | None = None
        self.is_released = False
        """Slack has been told that no more follows, with the end of a stream."""

    async def begin(self) -> None:
        """Show it, or show it again: a status goes out by itself after two minutes."""
        if not self._thread or self._is_shown:
            return
        with suppress(BotError):
            if not self._workspace.is_refused(STATUS) and await self._is_processing():
                return
            status = {"channel_id": self._channel, "thread_ts": self._thread, "status": "is thinking…"}
            await self._workspace.call("assistant.threads.setStatus", status)

    async def stay(self) -> None:
        """Until cancelled: tell the sweeps of all processes that somebody is at work on it."""
        await self._begun.wait()
        while True:
            with suppress(StoreUnavailable):
                self._place = await self._workspace.sessions.take(self._holder, expires_s=_KEPT_S)
                await self._workspace.shelf.put(f"alive:{self._holder}", "1", expires_s=_ALIVE_S)
            await asyncio.sleep(_ALIVE_S / 3)

    async def end(self) -> None:
        """Nothing more follows. What cannot be told now is told by a sweep."""
        if not self._begun.is_set() or self._workspace.is_refused(STATUS):
            return
        with suppress(BotError):
            if not self.is_released:
                if await self._workspace.wait_s(STATUS, is_final=True):
                    return
                await self._set("active", {})
            if self._place is not None:
                await self._workspace.sessions.give_back(self._place, self._holder)

    async def _is_processing(self) -> bool:
        """Show the native sign; false where this app may not, or too many were shown, so that the older one does."""
        if await self._workspace.wait_s(STATUS):
            return False
        was_begun = self._begun.is_set()
        self._begun.set()
        try:
            await self._set("processing", {"title": self._title[:_TITLE]} if self._title else {})
        except (Busy, ReplyUndeliverable) as error:
            if not was_begun:
                self._begun.clear()
            if is_lasting(error):
                self._workspace.refuse(STATUS)
            return False
        self._is_shown = True
        return True

    async def _set(self, status: str, more: dict[str, str]) -> None:
        where = {"channel_id": self._channel, "thread_ts": self._thread}
        await self._workspace.call(STATUS, {**where, "status": status, **more})


async def keep_swept(workspace: Workspace) -> None:
    """Sweep at once and every minute, until cancelled."""
    while True:
        await sweep(workspace)
        await asyncio.sleep(_ALIVE_S)


async def sweep(workspace: Workspace) -> None:
    """Release the sessions whose process has died; any process does it for all."""
    with suppress(BotError):
        for place, holder in (await workspace.sessions.holders()).items():
            if await workspace.shelf.get(f"alive:{holder}") is not None:
                continue
            if await workspace.wait_s(STATUS):
                return
            channel, _, thread = holder.rpartition(":")
            told = {"channel_id": channel, "thread_ts": thread, "status": "active"}
            with suppress(BotError):
                await workspace.call(STATUS, told)
            await workspace.sessions.give_back(place, holder)
