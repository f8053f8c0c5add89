"""An answer for its asker alone, by a response_url or as an ephemeral message: Slack cannot look it up or change it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Self

from adapters.slack.blocks import whole
from adapters.slack.markup import harmless
from adapters.slack.workspace import Workspace
from bot.errors import PlatformUnavailable, ReplyUndeliverable
from bot.events import Address, MessageRef
from bot.pacing import Limits, seal, split
from bot.ports import Button, Draft

USES = 5
"""A response_url takes five posts in half an hour (docs.slack.dev/interactivity/handling-user-interaction)."""


class PrivateReply:
    """A `bot.ports.Reply`. Nothing is shown before the end. Each message is posted when no record tells that it was.

    A worker that dies between a post and its record leaves a second one to the next worker: seen twice, for once is
    not in Slack's gift here, rather than never. What five posts cannot hold goes into the asker's direct message.
    """

    def __init__(
        self,
        workspace: Workspace,
        address: Address,
        draft: Draft,
        limits: Limits,
        call_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._workspace, self._to, self._draft, self._limits = workspace, address, draft, limits
        self._call_s, self._clock, self._text = call_s, clock, ""
        self._person = address.recipient.rpartition("/")[2]
        thread = {"thread_ts": address.thread} if address.thread else {}
        self._place = {"channel": address.channel, "user": self._person, **thread}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return

    def show(self, text: str) -> None:
        self._text = text

    async def finish(self, text: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        pages = [part.text for part in split(harmless(text), self._limits) if part.text.strip()]
        for part, page in enumerate(pages):
            if self._draft.refs.get(part) is None:
                await self._post(part, page, buttons if part == len(pages) - 1 else ())
        return tuple(ref for _, ref in sorted(self._draft.refs.items()) if ref is not None)

    async def fail(self, notice: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        shown = seal(self._text.rstrip())
        return await self.finish(f"{shown}\n\n{notice}" if shown else notice, buttons)

    async def discard(self) -> None:
        """Nothing is shown yet; what an earlier attempt has posted cannot be taken back."""
        for part in list(self._draft.refs):
            await self._draft.drop(part)

    async def _post(self, part: int, text: str, buttons: Sequence[Button]) -> None:
        if self._to.token and self._to.expires_at <= self._clock():
            raise ReplyUndeliverable("expired_url")
        if part not in self._draft.refs:
            await self._draft.keep(part, None)
        async with self._draft.writing():
            try:
                async with asyncio.timeout(self._call_s):
                    if not self._to.token:
                        await self._workspace.call("chat.postEphemeral", {**self._place, **whole(text, buttons)})
                    elif part < USES - 1:
                        body = {"response_type": "ephemeral", "replace_original": False, **whole(text, buttons)}
                        await self._workspace.web.respond(self._to.token, body)
                    else:
                        await self._workspace.call(
                            "chat.postMessage", {"channel": self._person, **whole(text, buttons)}
                        )
            except TimeoutError:
                raise PlatformUnavailable(f"no answer within {self._call_s} s") from None
        await self._draft.keep(part, MessageRef(channel=self._to.channel, id=f"{self._draft.turn}.{part}"))
