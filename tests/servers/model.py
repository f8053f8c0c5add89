"""A model server on loopback: both wires, and every fault of a bad day as data. Knows nothing of `bot`.

In tests: `async with ModelServer() as server: server.script(Answer(chunks=("he", "llo")), Answer(status=503))`; what
came in is in `server.requests`. As its own process, for benchmarks and chaos tests: `python -m tests.servers.model
--chunks 20`, whose first line of output is its port. One callback writes one chunk, so that it costs little CPU.
"""

import argparse
import asyncio
import json
import random
from collections import deque
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Self, cast

import uvloop

from tests.servers.model_answers import Answer, Call, Gap, Request, echo, frames, listed, unstreamed

__all__ = ["Answer", "Call", "ModelServer", "Request", "at_random", "echo"]


class ModelServer:
    """Serves `/v1/chat/completions`, `/v1/responses` (streamed and not) and `/v1/models` on a free loopback port.

    Scripted answers are used up in order; after them `answer` decides. `gap_s` is the time between two chunks.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        chunks: int = 20,
        gap_s: float = 0.0,
        models: tuple[tuple[str, str | None], ...] = (("gpt-6-luna", None),),
        answer: Callable[[Request], Answer] = lambda request: Answer(),
        keeps_requests: bool = True,
    ) -> None:
        self.port = port
        self.chunks = chunks
        self.gap_s = gap_s
        self.models = models
        self.answer = answer
        self.keeps_requests = keeps_requests
        self.listing: Answer | None = None
        """What to say to `GET /v1/models` in place of the list of `models`."""
        self.requests: list[Request] = []
        self.streams_closed = 0
        """Streams whose client went away before their end."""
        self.connections = 0
        """Connections that clients have opened."""
        self._script: deque[Answer] = deque()
        self._stalled: list[Callable[[], None]] = []
        self._changed = asyncio.Event()
        self._open: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._open):
            connection.abort()
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *answers: Answer) -> None:
        """The next answers, in order."""
        self._script.extend(answers)

    def release(self) -> None:
        """Let every stalled stream go on."""
        stalled, self._stalled = self._stalled, []
        for go_on in stalled:
            go_on()

    async def stalled(self, count: int = 1) -> None:
        """Wait until so many streams stand still."""
        await self._until(lambda: len(self._stalled) >= count)

    async def asked(self, count: int = 1) -> None:
        """Wait until so many requests have come in."""
        await self._until(lambda: len(self.requests) >= count)

    async def closed(self, count: int = 1) -> None:
        """Wait until so many streams were left by their clients before their end."""
        await self._until(lambda: self.streams_closed >= count)

    async def _until(self, is_true: Callable[[], bool]) -> None:
        while not is_true():
            self._changed.clear()
            await self._changed.wait()

    def next_answer(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return self.listing or Answer(body=listed(self.models))
        return self._script.popleft() if self._script else self.answer(request)

    def heard(self, request: Request) -> None:
        if self.keeps_requests:
            self.requests.append(request)
            self._changed.set()

    def stall(self, go_on: Callable[[], None]) -> None:
        self._stalled.append(go_on)
        self._changed.set()

    def came(self, connection: "_Connection") -> None:
        self._open.add(connection)
        self.connections += 1

    def went(self, connection: "_Connection", *, in_stream: bool) -> None:
        self._open.discard(connection)
        self.streams_closed += in_stream
        self._changed.set()


class _Connection(asyncio.Protocol):
    """One client's connection: requests come in one after another, each is answered in full before the next."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._frames: Iterator[Gap] | None = None
        self._ends_broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports are no subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._server.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._server.went(self, in_stream=self._frames is not None)
        self._frames = None

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        body = json.loads(rest[:length]) if length else {}
        self._answer(Request(path=first.split(" ")[1], headers=headers, body=body))

    def _answer(self, request: Request) -> None:
        self._server.heard(request)
        answer = self._server.next_answer(request)
        if answer.is_silent:
            return
        if answer.hang_up:
            self.abort()
        elif answer.raw is not None:
            assert self._transport is not None
            self._transport.write(answer.raw)
            self._transport.close()
        elif answer.status != 200:
            error = {
                "error": {"message": answer.message, "code": answer.code or None, "type": "scripted", "param": None}
            }
            body = json.dumps(error).encode() if answer.body is None else answer.body
            self._whole(answer.status, body, answer.headers)
        elif answer.body is not None:
            self._whole(200, answer.body, answer.headers)
        elif not request.body.get("stream"):
            self._whole(200, unstreamed(request, answer, self._server.chunks), answer.headers)
        else:
            self._stream(request, answer)

    def _whole(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        assert self._transport is not None
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n{extra}"
        self._transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)

    def _stream(self, request: Request, answer: Answer) -> None:
        assert self._transport is not None
        self._frames = frames(request, answer, self._server.chunks)
        self._ends_broken = answer.drop_at is not None
        extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        self._transport.write(f"{head}{extra}transfer-encoding: chunked\r\n\r\n".encode())
        self._write_next()

    def _write_next(self) -> None:
        if self._transport is None or self._frames is None:
            return
        frame = next(self._frames, None)
        if frame == "stall":
            self._server.stall(self._write_next)
        elif frame is not None:
            self._transport.write(b"%x\r\n%b\r\n" % (len(frame), frame))
            loop = asyncio.get_running_loop()
            if self._server.gap_s:
                loop.call_later(self._server.gap_s, self._write_next)
            else:
                loop.call_soon(self._write_next)
        else:
            self._frames = None
            if self._ends_broken:
                self._transport.close()
            else:
                self._transport.write(b"0\r\n\r\n")


# ---- as a process of its own


def at_random(seed: int, rate: float, chunks: int) -> Callable[[Request], Answer]:
    """Answers of which `rate` (0 to 1) have a fault, each kind as likely as the others."""
    dice = random.Random(seed)

    def answer(request: Request) -> Answer:
        if dice.random() >= rate:
            return Answer()
        at = dice.randrange(chunks + 1)
        faults = (
            Answer(status=500),
            Answer(status=503),
            Answer(status=429, headers=(("retry-after", "1"),)),
            Answer(hang_up=True),
            Answer(body=b""),
            Answer(body=b'{"choices": ['),
            Answer(drop_at=at),
            Answer(truncate_at=at),
            Answer(malformed_at=at),
        )
        return dice.choice(faults)

    return answer


async def serve(*, port: int, chunks: int, gap_s: float, seed: int, fault_rate: float) -> None:
    """Print the port, then serve until killed."""
    answer = at_random(seed, fault_rate, chunks)
    server = ModelServer(port=port, chunks=chunks, gap_s=gap_s, answer=answer, keeps_requests=False)
    async with server:
        print(server.port, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.servers.model", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--chunks", type=int, default=20, help="chunks of an answer")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between two chunks")
    parser.add_argument("--seed", type=int, default=0, help="of the random faults")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="part of the answers that have a fault, 0 to 1")
    options = parser.parse_args()
    uvloop.run(
        serve(
            port=options.port,
            chunks=options.chunks,
            gap_s=options.gap,
            seed=options.seed,
            fault_rate=options.fault_rate,
        )
    )


if __name__ == "__main__":
    main()
