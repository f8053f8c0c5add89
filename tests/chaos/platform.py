"""A small platform on loopback: channels of messages that only `find` can look up again, and people who write there.

As on Slack a create is not idempotent, and an event that was not acknowledged is delivered again, perhaps elsewhere.
"""

import asyncio
import itertools
import random
import time
from collections import deque
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal, cast

from aiohttp import WSMsgType, web

from tests.chaos.check import Asked, Verb, Write
from tests.chaos.script import question
from tests.servers.common import Call, Fault, Json, WireServer

_VERBS: tuple[Verb, ...] = ("create", "edit", "delete", "find")
Trouble = Literal["none", "refused", "lost", "dropped", "slow", "late"]


@dataclass(slots=True, eq=False)
class _Gateway:
    """One process that listens, and what it was told but has not acknowledged."""

    socket: web.WebSocketResponse
    told: dict[str, "asyncio.Future[bool]"] = field(default_factory=dict)

    def acknowledge(self, receipt: str, *, is_taken: bool) -> None:
        waiting = self.told.pop(receipt, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(is_taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """What a person did with a question."""

    kind: Literal["say", "edit", "delete"]
    asked: Asked


class Platform(WireServer):
    """Its `writes` are what took effect, in order; `asked` is what people wrote. People of one lane wait for the
    acknowledgement of what they wrote before: so the order in which they ask is known.

    Of all calls `trouble` (0 to 1, may be changed) go wrong in a way that the seed chooses; an effect that comes late
    comes within `call_s`, the bound of the callers' patience. Each call takes up to `pace_s` before its effect and as
    long again after it. `redeliver_s`: when an event is delivered again.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        trouble: float = 0.0,
        pace_s: float = 0.0,
        call_s: float = 0.3,
        redeliver_s: float = 2.0,
    ) -> None:
        super().__init__(time.monotonic)
        self.trouble = trouble
        self.writes: list[Write] = []
        self.posted = 0
        self.acknowledged = 0
        self.refusals = 0
        """Events that no process took."""
        self._marks: dict[str, tuple[str, int]] = {}
        self._count = 0
        self._asked: dict[str, Asked] = {}
        self._pace_s = pace_s
        self._call_s = call_s
        self._redeliver_s = redeliver_s
        self._dice = random.Random(seed)
        self._receipts = itertools.count()
        self._gateways: list[_Gateway] = []
        self._waiting: dict[str, deque[_Post]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/events", self._listen), web.post("/{verb}", self._called)]

    async def disconnect(self) -> None:
        for task in self._tasks:
            task.cancel()
        for gateway in list(self._gateways):
            await gateway.socket.close()

    # ---- people

    def say(self, channel: str, author: str) -> Asked:
        """A person asks something."""
        # From 7 on, because the answers to the first three then have several messages.
        asked = Asked(id=f"q{7 + len(self._asked)}", channel=channel, author=author)
        self._asked[asked.id] = asked
        self._post("say", asked)
        return asked

    def edit(self, id: str) -> None:
        """Its author gives a question another text."""
        asked = self._asked[id]
        self._asked[id] = asked = replace(asked, version=asked.version + 1, edited_at=inf)
        self._post("edit", asked)

    def delete(self, id: str) -> None:
        """Its author deletes a question; whether it is answered until then is open."""
        self._post("delete", self._asked[id])

    @property
    def asked(self) -> list[Asked]:
        """What people wrote, in this order."""
        return list(self._asked.values())

    def _post(self, kind: Literal["say", "edit", "delete"], asked: Asked) -> None:
        self.posted += 1
        lane = self._waiting.setdefault(asked.lane, deque())
        lane.append(_Post(kind=kind, asked=asked))
        if len(lane) == 1:
            task = asyncio.create_task(self._deliver(lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @property
    def gateways(self) -> int:
        """How many processes listen."""
        return len(self._gateways)

    async def _deliver(self, lane: deque[_Post]) -> None:
        while lane:
            while not self._gateways:
                await self._changed.wait()
            if await self._tell(self._dice.choice(self._gateways), lane[0]):
                self._taken(lane.popleft())
            else:
                self.refusals += 1
            self.note()

    def _taken(self, post: _Post) -> None:
        self.acknowledged += 1
        asked, now = self._asked[post.asked.id], time.time()
        if post.kind == "edit" and post.asked.version == asked.version:
            asked = replace(asked, edited_at=now)
        elif post.kind == "delete":
            asked = replace(asked, deleted_at=now)
        self._asked[asked.id] = asked

    async def _tell(self, gateway: _Gateway, post: _Post) -> bool:
        asked, receipt = post.asked, str(next(self._receipts))
        gateway.told[receipt] = answer = asyncio.get_running_loop().create_future()
        event = {"kind": post.kind, "receipt": receipt, "id": asked.id, "channel": asked.channel}
        event |= {
            "author": asked.author,
            "text": question(f"{asked.id}v{asked.version}" if asked.version else asked.id),
        }
        try:
            async with asyncio.timeout(self._redeliver_s):
                await gateway.socket.send_json(event)
                return bool(await answer)
        except (TimeoutError, ConnectionError):
            return False

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        gateway = _Gateway(web.WebSocketResponse())
        await gateway.socket.prepare(request)
        self._gateways.append(gateway)
        self.note()
        try:
            async for message in gateway.socket:
                if message.type is WSMsgType.TEXT:
                    said: Json = message.json()
                    gateway.acknowledge(said["receipt"], is_taken=said["taken"])
        finally:
            self._gateways.remove(gateway)
            for receipt in list(gateway.told):
                gateway.acknowledge(receipt, is_taken=False)
            self.note()
        return gateway.socket

    # ---- the bot

    async def _called(self, request: web.Request) -> web.StreamResponse:
        verb, body = cast(Verb, request.match_info["verb"]), cast(Json, await request.json())
        if verb not in _VERBS:
            return web.json_response({}, status=400)
        trouble = self._chosen()
        await asyncio.sleep(self._dice.uniform(0.1, 0.8) * (self._call_s if trouble == "slow" else self._pace_s))
        if trouble in ("refused", "lost", "dropped"):
            status = 0 if trouble == "dropped" else 503
            self.faults = [*(fault for fault in self.faults if fault.times), Fault(match=verb, status=status)]
            self.faults[-1].is_applied = trouble != "refused"
        response = await self.serve(
            request, Call(name=verb, body=body), lambda: self._effect(verb, body), lambda fault: _refused(fault.status)
        )
        late_s = 2 * self._call_s if trouble == "late" else self._pace_s
        await asyncio.sleep(self._dice.uniform(0.1, 1.0) * late_s)
        return response

    def _chosen(self) -> Trouble:
        if self._dice.random() >= self.trouble:
            return "none"
        return self._dice.choice(("refused", "lost", "dropped", "slow", "late"))

    def _effect(self, verb: Verb, body: Json) -> web.Response:
        if verb == "find":
            mine = [(part, id) for id, (turn, part) in self._marks.items() if turn == body["turn"]]
            return web.json_response({"found": [{"part": part, "id": id} for part, id in mine]})
        if verb == "create":
            self._count += 1
            id = f"m{self._count}"
            self._marks[id] = (body["turn"], body["part"])
        else:
            id = body["id"]
            if id not in self._marks:
                return _refused(404)
        _, part = self._marks[id]
        if verb == "delete":
            del self._marks[id]
        write = Write(
            at=self.clock(),
            verb=verb,
            sender=body["sender"],
            message=id,
            channel=body["channel"],
            turn=body["turn"],  # whose text it is; an answer may be written over by a later turn
            part=part,
            text=body.get("text", ""),
        )
        self.writes.append(write)
        return web.json_response({"id": id})


def _refused(status: int) -> web.Response:
    return web.json_response({}, status=status)
