"""One answer on Slack: as `adapters.parts` plans it, with the sign that it is under way; errors leave as ours."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Literal, Self

from adapters.parts import PartsReply
from adapters.slack.markup import harmless
from adapters.slack.private import PrivateReply
from adapters.slack.session import Session
from adapters.slack.surface import SlackSurface
from adapters.slack.workspace import Workspace
from bot.errors import ReplyUndeliverable
from bot.events import Address, MessageRef
from bot.pacing import Limits
from bot.ports import Button, Draft, Reply

Channels = Literal["native", "edit"]
"""How answers grow in channels: a native stream, live for the asker alone, or edits that all see."""


class SlackReply(PartsReply):
    """A PartsReply over a SlackSurface, whose session ends with it."""

    def __init__(
        self, session: Session, surface: SlackSurface, draft: Draft, *, call_s: float, people_ring: bool = False
    ) -> None:
        # Its mark on all that still grows; on a native stream Slack shows a Stop of its own.
        running = (Button(action="stop", label="Stop", turn=draft.turn),)
        markup = partial(harmless, people_ring=people_ring)
        super().__init__(surface, draft, call_s=call_s, markup=markup, running=running)
        self._session, self._place, self._session_s = session, surface, call_s
        self._staying: asyncio.Task[None] | None = None
        self._is_over = False

    async def __aenter__(self) -> Self:
        self._staying = asyncio.create_task(self._session.stay())
        return await super().__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        """A reply that another attempt follows stays under way."""
        try:
            await super().__aexit__(*exc)
        finally:
            if self._staying is not None:
                self._staying.cancel()
                await asyncio.wait({self._staying})
            await self._place.close()
        if self._is_over and exc[0] is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._session_s):
                    await self._session.end()

    async def finish(self, text: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        try:
            refs = await super().finish(text, buttons)
        except ReplyUndeliverable:
            self._is_over = True
            raise
        self._is_over = True
        return refs


def reply_at(
    workspace: Workspace,
    address: Address,
    draft: Draft,
    *,
    limits: Limits,
    call_s: float = 5.0,
    channels: Channels = "native",
    people_ring: bool = False,
) -> Reply:
    """The reply at this address: its asker's alone, or in the thread."""
    if address.is_private:
        return PrivateReply(workspace, address, draft, limits, call_s)
    session = Session(workspace, address.channel, address.thread, address.quote, is_takeover=draft.is_takeover)
    is_native = bool(address.thread) and (channels == "native" or address.channel.startswith("D"))
    surface = SlackSurface(workspace, session, address, draft.turn, limits, is_native=is_native)
    return SlackReply(session, surface, draft, call_s=call_s, people_ring=people_ring)
