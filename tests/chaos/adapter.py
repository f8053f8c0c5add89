"""The adapter to the platform of these tests: a real one over HTTP, with the parts and the reply of the real ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import aiohttp

from adapters.parts import PartsReply
from bot.errors import MessageGone, PlatformUnavailable, StoreUnavailable
from bot.events import Address, Conversation, Event, MessageDeleted, MessageEdited, MessageReceived, MessageRef, Person
from bot.pacing import Limits
from bot.ports import Button, Draft, Intake
from tests.chaos.script import LIMITS

PLATFORM = "chaos"
AT = 1_800_000_000.0


def conversation(channel: str) -> Conversation:
    """Where a channel's transcript lives."""
    return Conversation(platform=PLATFORM, workspace="w1", channel=channel)


class ChaosAdapter:
    """A `bot.ports.Adapter`; `sender` names this process in the platform's log."""

    platform = PLATFORM

    def __init__(self, address: str, sender: str, call_s: float) -> None:
        self._address = address
        self._sender = sender
        self._call_s = call_s
        self._session: aiohttp.ClientSession | None = None

    async def run(self, intake: Intake, ready: Callable[[], None]) -> None:
        """Acknowledges only what was admitted; the rest is delivered again."""
        async with self._opened().ws_connect(f"{self._address}/events") as socket:
            ready()
            async for message in socket:
                said: dict[str, str] = message.json()
                try:
                    await intake(_event(said))
                except StoreUnavailable:
                    await socket.send_json({"receipt": said["receipt"], "taken": False})
                else:
                    await socket.send_json({"receipt": said["receipt"], "taken": True})

    def reply(self, address: Address, draft: Draft) -> PartsReply:
        surface = ChaosSurface(self._opened(), self._address, self._sender, address.channel, draft.turn)
        return PartsReply(surface, draft, call_s=self._call_s)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self._session


class ChaosSurface:
    """An `adapters.parts.Surface`: creates are not idempotent, `find` looks up by turn."""

    def __init__(self, session: aiohttp.ClientSession, address: str, sender: str, channel: str, turn: str) -> None:
        self._session = session
        self._address = address
        self._about = {"sender": sender, "channel": channel, "turn": turn}
        self._channel = channel

    @property
    def limits(self) -> Limits:
        return LIMITS

    async def budget(self, *, is_final: bool) -> float:
        return 0.0

    async def sign(self) -> None:
        """This platform shows none."""

    async def create(self, part: int, text: str, buttons: Sequence[Button]) -> MessageRef:
        answer = await self._call("create", part=part, text=text)
        return MessageRef(channel=self._channel, id=answer["id"])

    async def edit(self, ref: MessageRef, text: str, buttons: Sequence[Button]) -> None:
        await self._call("edit", id=ref.id, text=text)

    async def delete(self, ref: MessageRef) -> None:
        await self._call("delete", id=ref.id)

    async def find(self) -> Sequence[tuple[int, MessageRef]]:
        answer = await self._call("find")
        return [(one["part"], MessageRef(channel=self._channel, id=one["id"])) for one in answer["found"]]

    async def _call(self, verb: str, **body: str | int) -> dict[str, Any]:
        try:
            async with self._session.post(f"{self._address}/{verb}", json={**self._about, **body}) as response:
                if response.status == 404:
                    raise MessageGone(str(body.get("id")))
                if response.status != 200:
                    raise PlatformUnavailable(f"HTTP {response.status}", retry_in_s=0.1)
                return cast(dict[str, Any], await response.json())
        except aiohttp.ClientError as error:
            raise PlatformUnavailable(str(error), retry_in_s=0.1) from error


def _event(said: Mapping[str, str]) -> Event:
    place = conversation(said["channel"])
    if said["kind"] == "delete":
        return MessageDeleted(id=said["id"], conversation=place, at=AT)
    message = MessageReceived(
        id=said["id"],
        conversation=place,
        author=Person(id=said["author"], name=said["author"].title()),
        text=said["text"],
        at=AT,
        address=Address(channel=place.channel, reply_to=said["id"]),
        is_direct=place.channel.startswith("d"),
        mentions_bot=True,
    )
    return MessageEdited(message=message) if said["kind"] == "edit" else message
