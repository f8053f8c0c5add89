"""What our fakes of the platforms share: a loopback server, faults as data, waits without polling. Knows neither."""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Self

import aiohttp
from aiohttp import web

Json = dict[str, Any]


class Clock:
    """A server's time that only a test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to the next `times` requests named like `match` (a shell pattern, as `POST /channels/*/messages`).

    `status` 0 drops the connection. `is_applied`: the request takes effect first, so that only its answer is lost.
    `is_held`: nothing happens until the server's `release`; then the request goes on (`status` 200, no body) or fails.
    """

    match: str
    status: int = 0
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    is_applied: bool = False
    is_held: bool = False
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as it came in: `name` as faults match it, and its body or query."""

    name: str
    body: Json


class Watched:
    """Something whose state tests wait for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Something changed: whoever waits in `until` looks again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, check: Callable[[], object], reason: str, *, within_s: float = 10.0) -> None:
        """Wait until the check holds; an AssertionError with the reason where it does not within the time."""
        try:
            async with asyncio.timeout(within_s):
                while not check():
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never happened: {reason}") from None


class WireServer(Watched):
    """One fake platform on loopback. `async with` starts and stops it; tests read its state and call its methods."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.clock = clock
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.held = 0
        self.port = 0
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def routes(self) -> list[web.RouteDef]:
        """The platform's own routes."""
        raise NotImplementedError

    def state(self) -> Json:
        """What a reader sees now, as JSON, for tests that run the server in a process of its own."""
        raise NotImplementedError

    async def control(self, verb: str, body: Json) -> Json:
        """Do what a test in another process asks for."""
        raise NotImplementedError

    async def disconnect(self) -> None:
        """Close what would keep the server from stopping."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.add_routes(self.routes())
        app.add_routes(
            [web.get("/control/state", self._control_state), web.post("/control/{verb}", self._control_verb)]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.release()
        await self.disconnect()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def release(self) -> None:
        """Let the requests go on that a fault holds."""
        self._released.set()
        self._released = asyncio.Event()

    def named(self, match: str) -> list[Call]:
        """The calls so far that are named like this."""
        return [call for call in self.calls if fnmatchcase(call.name, match)]

    async def serve(
        self,
        request: web.Request,
        call: Call,
        handle: Callable[[], web.Response],
        refuse: Callable[[Fault], web.Response],
    ) -> web.StreamResponse:
        """Answer one request with its handler, or with the fault that waits for it."""
        self.calls.append(call)
        self.note()
        fault = next((fault for fault in self.faults if fault.times and fnmatchcase(call.name, fault.match)), None)
        if fault is None:
            return self._done(handle())
        fault.times -= 1
        answer = handle() if fault.is_applied else None
        self.note()
        if fault.is_held:
            self.held += 1
            self.note()
            await self._released.wait()
            self.held -= 1
        if fault.status == 0:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        if fault.status == 200 and not fault.body:
            return answer or self._done(handle())
        return refuse(fault)

    def _done(self, response: web.Response) -> web.Response:
        self.note()
        return response

    async def _control_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _control_verb(self, request: web.Request) -> web.Response:
        body: Json = await request.json()
        verb = request.match_info["verb"]
        if verb == "fault":
            self.faults.append(Fault(**body))
            return web.json_response({})
        return web.json_response(await self.control(verb, body))


Control = Callable[[str, Json | None], Awaitable[Json]]
"""Asks a server in another process: `control("state", None)`, `control("say", {"text": "hello"})`."""


@asynccontextmanager
async def in_own_process(module: str) -> AsyncIterator[tuple[str, Control]]:
    """Run a server's module as a process of its own: its address, and how to control it."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, stdout=pipe)
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession() as session:

        async def control(verb: str, body: Json | None) -> Json:
            asked = session.get if body is None else session.post
            async with asked(f"{address}/control/{verb}", json=body) as answer:
                answer.raise_for_status()
                told: Json = await answer.json()
                return told

        try:
            yield address, control
        finally:
            process.terminate()
            await process.wait()


async def _run(server: WireServer, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await server.start(port)
    print(server.address, flush=True)
    await stopped.wait()
    await server.stop()


def run_alone(build: Callable[[], WireServer]) -> None:
    """Serve in a process of its own until SIGTERM: the first line of output is the address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    port = parser.parse_args().port

    async def main() -> None:
        await _run(build(), port)

    asyncio.run(main())
