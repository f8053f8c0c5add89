"""Writes one reply over a platform's messages that can be edited: the one owner of a turn's delivery.

Knows no platform. Time is the running loop's, so a test's loop may jump.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable
from bot.events import MessageRef
from bot.pacing import Limits, Part, due_at, seal, split
from bot.ports import Button, Draft

_RETRIES_S = (1.0, 2.0, 4.0)
"""After how long the final text is tried again, at least, before the queue has to."""
_STRAYS = 1000
"""Messages that stand beside a part's own are numbered from here on, beyond all parts: so the end deletes them."""
_IN_FILE = "\n\n*(This is its beginning; the whole answer is in the file.)*"


class Surface(Protocol):
    """The primitives over which one reply's messages are written on a platform.

    They raise PlatformUnavailable (try again; a `create` that raises it may have happened) or ReplyUndeliverable (never
    again). `edit` and `delete` raise MessageGone where the message does not exist any more. Each call is bounded by the
    caller and may be cancelled at that bound.
    """

    @property
    def limits(self) -> Limits: ...

    async def sign(self) -> None:
        """Show typing or a status. Best effort: a platform's refusal is not raised."""

    async def budget(self, *, is_final: bool) -> float:
        """Ask for the next write of what all replies of this place share: seconds to wait, 0 = go ahead.

        A final text comes before the growing ones of others, and a store that is away does not hold it up.
        """

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        """Post a part so that `find` (and the platform's nonce, where it has one) recognises it by turn and part."""

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        """Replace text and buttons of a message."""

    async def delete(self, ref: MessageRef) -> None: ...

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        """All that this turn has created, with its part, in order: after a takeover, a failed `create`, in a repair."""


@runtime_checkable
class Attaching(Protocol):
    """A surface that shows so many messages of an answer, and of a longer one the whole as a file at the last."""

    @property
    def messages(self) -> int: ...

    async def attach(self, ref: MessageRef, text: str, buttons: Sequence[Button], file: str) -> None:
        """As `edit`, with this Markdown as the one file at the message. An `edit` takes the file away again."""


@dataclass(frozen=True, slots=True)
class _Page:
    """What a message shows."""

    text: str
    buttons: tuple[Button, ...] = ()
    file: str = ""


class _Messages:
    """The messages of one reply: what each is known to show, and every call that changes them or `draft.refs`.

    A call and the record of it are one step that is never broken off by who leaves the reply: a request that was sent
    may still arrive, and then over the text of the next worker.
    """

    def __init__(self, surface: Surface, draft: Draft, call_s: float) -> None:
        self.draft = draft
        self._surface = surface
        self._call_s = call_s
        self._shown: dict[int, _Page] = {}
        # A fresh turn's first intent is recorded by its claim; any other was followed by an attempt to create.
        self._must_find = any(ref is None and (part or draft.is_takeover) for part, ref in draft.refs.items())
        self._is_unsure = False
        self._is_bound = False
        self._is_left = False

    def shows(self, part: int, page: _Page) -> bool:
        """Whether the message of this part is known to show exactly this."""
        return self._shown.get(part) == page

    async def put(self, part: int, page: _Page) -> None:
        """Make the message of this part show exactly this."""
        await self.find()
        self._shown.pop(part, None)
        if not await self._changed(part, page):
            await self._create(part, page)
            if page.file and not await self._changed(part, page):
                return
        self._shown[part] = page

    async def delete_from(self, first: int) -> None:
        """Delete the messages of this part and of all behind it, the last one first."""
        # A create that seemed to fail may have taken effect after the look that followed it.
        self._must_find, self._is_unsure = self._must_find or self._is_unsure, False
        await self.find()
        for part, ref in sorted(self.draft.refs.items(), reverse=True):
            if part >= first and ref is not None:
                with suppress(MessageGone):
                    async with self._calling():
                        await self._surface.delete(ref)
                await self.draft.drop(part)
                self._shown.pop(part, None)

    async def find(self) -> None:
        """Take over the messages that nobody has recorded, where there may be any."""
        if not self._must_find:
            return
        async with self._calling():
            found = await self._surface.find()
        for part, ref in found:
            known = self.draft.refs
            if ref not in known.values():
                await self.draft.keep(max(_STRAYS, *known) + 1 if known.get(part) else part, ref)
        self._must_find = False

    def leave(self, writer: asyncio.Task[None]) -> None:
        """Cancel the writer, at once or as soon as its step is done."""
        self._is_left = True
        if not self._is_bound:
            writer.cancel()

    def pause(self) -> None:
        """From here until the next call the writer may be cancelled."""
        self._is_bound = False
        if self._is_left:
            raise asyncio.CancelledError

    async def _changed(self, part: int, page: _Page) -> bool:
        """Change the message of this part, if there is one."""
        if (ref := self.draft.refs.get(part)) is None:
            return False
        try:
            async with self._calling():
                if page.file and isinstance(self._surface, Attaching):
                    await self._surface.attach(ref, page.text, page.buttons, page.file)
                else:
                    await self._surface.edit(ref, page.text, page.buttons)
        except MessageGone:
            await self.draft.drop(part)
            return False
        return True

    async def _create(self, part: int, page: _Page) -> None:
        if part not in self.draft.refs:
            self.pause()
            await self.draft.keep(part, None)
        ref = None
        try:
            async with self._calling():
                self._must_find = True
                ref = await self._surface.create(part, page.text, page.buttons)
        finally:
            # Even where the lease has ended meanwhile: this message is then an orphan that only we know of.
            self._is_unsure = self._is_unsure or ref is None
            if ref is not None:
                await self.draft.keep(part, ref)
                self._must_find = False

    @asynccontextmanager
    async def _calling(self) -> AsyncIterator[None]:
        self.pause()
        async with self.draft.writing():
            self._is_bound = True
            try:
                async with asyncio.timeout(self._call_s):
                    yield
            except TimeoutError:
                raise PlatformUnavailable(f"no answer within {self._call_s} s") from None


class PartsReply:
    """A `bot.ports.Reply` over a Surface. `show` raises too, once the lease is known to be lost."""

    def __init__(
        self,
        surface: Surface,
        draft: Draft,
        *,
        call_s: float = 5.0,
        markup: Callable[[str], str] = str,
        running: Sequence[Button] = (),
    ) -> None:
        """`markup` turns the model's Markdown into the platform's, before the text is split; `call_s` bounds a call.

        The `running` buttons stand under the text while it grows.
        """
        self._surface = surface
        self._messages = _Messages(surface, draft, call_s)
        self._call_s = call_s
        self._markup = markup
        self._running = tuple(running)
        self._text = ""
        self._written = ""
        self._parts: tuple[Part, ...] = ()
        self._first_at: float | None = None
        self._not_before = 0.0
        self._is_quiet = False
        self._timer: asyncio.TimerHandle | None = None
        self._signer: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._signer = asyncio.create_task(self._sign())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Outlasts its tasks even where we are cancelled meanwhile: the cancellation follows.

        Who is cancelled does so for `call_s`: a store that is away may have a record wait for ever. The next worker
        looks for the message that was not recorded.
        """
        self._stop()
        if self._writer is not None:
            self._messages.leave(self._writer)
        cancelled: asyncio.CancelledError | None = None
        patience_s = self._call_s if exc[0] is asyncio.CancelledError else None
        # What was raised in them is known: a lost lease, which finish or show raise where they are called.
        ended = asyncio.gather(*(task for task in (self._signer, self._writer) if task), return_exceptions=True)
        while not ended.done():
            try:
                async with asyncio.timeout(patience_s):
                    await asyncio.shield(ended)
            except TimeoutError:
                ended.cancel()
            except asyncio.CancelledError as error:
                cancelled, patience_s = error, self._call_s
        if cancelled is not None:
            raise cancelled

    def show(self, text: str) -> None:
        self._text = text
        if self._first_at is None and text.strip():
            self._first_at = asyncio.get_running_loop().time()
        self._plan()

    async def finish(self, text: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        self._text = text
        self._stop()
        await self._written_out()
        self._writer = asyncio.create_task(self._write_final(tuple(buttons)))
        await self._written_out()
        return tuple(ref for _, ref in sorted(self._messages.draft.refs.items()) if ref is not None)

    async def fail(self, notice: str, buttons: Sequence[Button] = ()) -> tuple[MessageRef, ...]:
        shown = seal(self._text.rstrip())
        return await self.finish(f"{shown}\n\n{notice}" if shown else notice, buttons)

    async def discard(self) -> None:
        await self.finish("")

    def _plan(self) -> None:
        """See to it that the newest text is written when it is due."""
        if self._writer is not None:
            if not self._writer.done():
                return
            self._writer.result()
        if self._is_quiet or self._first_at is None or self._text == self._written:
            return
        due = self._not_before or due_at(self._text, self._surface.limits, self._first_at)
        if self._timer is not None:
            self._timer.cancel()
        if due > (loop := asyncio.get_running_loop()).time():
            self._timer = loop.call_at(due, self._plan)
        else:
            self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """One write of the text so far. Trouble is not lost: the final text is written whole."""
        loop, text = asyncio.get_running_loop(), self._text
        self._not_before = loop.time() + self._surface.limits.cadence_s
        try:
            news = [one for one in enumerate(self._pages(text, self._running)) if not self._messages.shows(*one)]
            wait_s = await self._surface.budget(is_final=False) if news and not self._is_quiet else 0.0
            for part, page in news if not wait_s else ():
                if self._is_quiet:
                    return
                await self._messages.put(part, page)
            if wait_s:
                self._not_before = loop.time() + wait_s
            else:
                self._written = text
        except ReplyUndeliverable:
            self._is_quiet = True
        except BotError as trouble:
            self._not_before = loop.time() + (trouble.retry_in_s or self._surface.limits.cadence_s)
        loop.call_soon(self._plan)

    async def _write_final(self, buttons: tuple[Button, ...]) -> None:
        for delay_s in _RETRIES_S:
            try:
                return await self._write_whole(buttons)
            except PlatformUnavailable as trouble:
                self._messages.pause()
                await asyncio.sleep(max(trouble.retry_in_s or 0.0, delay_s))
        return await self._write_whole(buttons)

    async def _write_whole(self, buttons: tuple[Button, ...]) -> None:
        pages = self._pages(self._text, buttons, is_final=True)
        for part, page in enumerate(pages):
            while not self._messages.shows(part, page):
                if wait_s := await self._surface.budget(is_final=True):
                    self._messages.pause()
                    await asyncio.sleep(wait_s)
                    continue
                await self._messages.put(part, page)
        await self._messages.delete_from(len(pages))

    async def _written_out(self) -> None:
        """Wait for the writer; what it could not write is raised."""
        if self._writer is not None:
            await asyncio.wait({self._writer})
            writer, self._writer = self._writer, None
            writer.result()

    def _pages(self, text: str, buttons: tuple[Button, ...], *, is_final: bool = False) -> list[_Page]:
        """What the messages show; the buttons stand under the last one."""
        limits, most = self._surface.limits, self._surface.messages if isinstance(self._surface, Attaching) else _STRAYS
        self._parts = split(self._markup(text), limits, self._parts)
        shown, file = [part.text for part in self._parts if part.text.strip()], ""
        if len(shown) > most:
            shown = shown[:most]
            if is_final:
                room = replace(limits, characters=limits.characters - len(_IN_FILE))
                shown[-1], file = split(shown[-1], room)[0].text + _IN_FILE, text
        last = len(shown) - 1
        return [_Page(page, buttons, file) if part == last else _Page(page) for part, page in enumerate(shown)]

    async def _sign(self) -> None:
        while not self._written:
            with suppress(BotError, TimeoutError):
                async with asyncio.timeout(self._call_s):
                    await self._surface.sign()
            await asyncio.sleep(self._surface.limits.sign_every_s)

    def _stop(self) -> None:
        self._is_quiet = True
        for running in (self._timer, self._signer):
            if running is not None:
                running.cancel()
