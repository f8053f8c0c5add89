"""A wire fake of Slack on loopback: the Web API and Socket Mode, as slack-sdk 3.47 and slack-bolt 1.30 speak them.

Built from Slack's documentation, not recorded from it. State is data: `server.general.messages` is what a reader sees,
each message with every text it has shown. Bad days are data too: `server.faults.append(Fault(...))`,
`server.redeliver()`, `server.drop()`. As a process of its own: `python -m tests.servers.slack`, whose first line is its
address. What people do besides writing is in `server.acts`. With an `http_url` it sends signed requests there, and uses
no sockets.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import WSMsgType, web

from tests.servers.common import Call, Fault, Json, WireServer, run_alone
from tests.servers.slack_acts import METHODS, Acts, signed
from tests.servers.slack_streams import Refused, Streams, Tiers
from tests.servers.slack_world import APP, BOT_ID, TEAM, Channel, Message, User, World, escape

BOT_TOKEN = "xoxb-of-the-tests"
APP_TOKEN = "xapp-of-the-tests"
UPDATE_BYTES = 4000
"""About where Slack answers msg_too_long to the text of chat.update."""
SIGNING_SECRET = "signed-by-the-tests"
SCOPES = (
    "app_mentions:read,chat:write,commands,im:history,channels:history,groups:history,mpim:history,assistant:write,"
    "users:read,channels:read,groups:read,files:read"
)
RETRIES_S = (0.0, 60.0, 300.0)
"""When Slack sends again what was not acknowledged."""
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in to Slack</title></head></html>"


class ApiError(Exception):
    """An answer `{"ok": false, "error": ...}`."""

    def __init__(self, error: str, **more: str) -> None:
        super().__init__(error)
        self.body: Json = {"ok": False, "error": error, **more}


@dataclass(slots=True, kw_only=True)
class Envelope:
    """Something told over Socket Mode, until it is acknowledged. `attempts` counts how often it went out."""

    id: str
    type: str
    payload: Json
    attempts: int = 0
    is_acknowledged: bool = False
    due: list[float] = field(default_factory=list)
    """When it goes out again, by the server's clock."""
    status: int = 0
    """What an app that is told over HTTP answered last."""
    answer: Json = field(default_factory=dict)


class SlackServer(WireServer):
    """The fake. `world` holds what exists; `envelopes` what was told over Socket Mode and whether it was acknowledged.

    `retries_s`: seconds after which an envelope goes out again unless it was acknowledged; none: only `redeliver` does.
    """

    def __init__(self, clock: Callable[[], float] = time.time, *, retries_s: tuple[float, ...] = ()) -> None:
        super().__init__(clock)
        self.world = World(clock)
        self.retries_s = retries_s
        self.bot_token = BOT_TOKEN
        self.app_token = APP_TOKEN
        self.scopes = SCOPES
        self.http_url = ""
        self.acts = Acts(server=self)
        self._sending: set[asyncio.Task[None]] = set()
        self.envelopes: dict[str, Envelope] = {}
        self.connects = 0
        self.refused_connects = 0
        self._outboxes: list[asyncio.Queue[Json | int]] = []
        self.tiers = Tiers(clock)
        self.streams = Streams(clock)
        self._turn = 0

    @property
    def api_url(self) -> str:
        return self.address + "/api/"

    @property
    def bot(self) -> User:
        return self.world.bot

    @property
    def alice(self) -> User:
        return self.world.alice

    @property
    def general(self) -> Channel:
        return self.world.general

    @property
    def waiting(self) -> list[Envelope]:
        """What was not acknowledged yet."""
        return [envelope for envelope in self.envelopes.values() if not envelope.is_acknowledged]

    def channel(self, channel_id: str) -> Channel:
        return self.world.channels[channel_id]

    # ---- what people do

    def say(self, channel: Channel, text: str, *, author: User | None = None, thread_ts: str = "") -> Message:
        """Somebody writes a message (Alice, unless told otherwise) with this text as it stands on their screen."""
        return self._post(channel, escape(text), author or self.alice, thread_ts)

    def ask(self, channel: Channel, text: str, *, author: User | None = None, thread_ts: str = "") -> Message:
        """Somebody mentions the bot: two events for one message, as Slack sends them."""
        return self._post(channel, f"{self.bot.mention} {escape(text)}", author or self.alice, thread_ts)

    def edit(self, message: Message, text: str) -> None:
        """Somebody edits their message."""
        before = message.json()
        message.text, message.edited_ts = escape(text), self.world.stamp()
        self._changed_message(message, before)
        channel = self.channel(message.channel)
        if self.bot.mention in message.text and self.bot.mention not in before["text"] and channel.user is None:
            self._event(channel, message.json() | {"type": "app_mention"})

    def unfurl(self, message: Message) -> None:
        """A link of a message unfolds: it changes, and its text does not."""
        before = message.json()
        message.attachments = [{"title": "a page", "from_url": "https://example.com"}]
        self._changed_message(message, before)

    def delete(self, message: Message) -> None:
        before = message.json()
        message.is_deleted = True
        told = {"subtype": "message_deleted", "deleted_ts": message.ts, "previous_message": before, "hidden": True}
        self._event(self.channel(message.channel), {"type": "message", "ts": self.world.stamp()} | told)

    def press(self, message: Message, action_id: str, *, user: User | None = None) -> Envelope:
        """Somebody uses a button."""
        if action_id not in message.buttons:
            raise ValueError(f"there is no button {action_id!r}, only {list(message.buttons)}")
        return self.acts.control(message, message.controls[action_id], user=user)

    def _post(self, channel: Channel, text: str, author: User, thread_ts: str) -> Message:
        message = self.world.add_message(channel, author, text, thread_ts=thread_ts)
        message.versions.append(message.shown)
        self._tell(message)
        return message

    # ---- Socket Mode

    def _tell(self, message: Message) -> None:
        channel = self.channel(message.channel)
        if channel.is_member:
            self._event(channel, message.json())
        if self.bot.mention in message.text and channel.user is None and message.author != self.bot:
            self._event(channel, message.json() | {"type": "app_mention"})

    def _changed_message(self, message: Message, before: Json) -> None:
        message.versions.append(message.shown)
        told = {"subtype": "message_changed", "message": message.json(), "previous_message": before, "hidden": True}
        self._event(self.channel(message.channel), {"type": "message", "ts": self.world.stamp()} | told)

    def _event(self, channel: Channel, event: Json) -> None:
        event |= {"channel": channel.id, "event_ts": event["ts"]}
        if event["type"] == "message":
            event["channel_type"] = channel.type
        seat = {"enterprise_id": None, "team_id": TEAM, "user_id": self.bot.id, "is_bot": True}
        is_shared = event.get("team", TEAM) != TEAM
        event |= {"user_team": event["team"], "source_team": event["team"]} if is_shared else {}
        self.dispatch(
            "events_api",
            {
                "token": "t",
                "team_id": TEAM,
                "api_app_id": APP,
                "event": event,
                "type": "event_callback",
                "event_id": f"Ev{self.world.stamp()}",
                "event_time": int(self.clock()),
                "authorizations": [seat | {"is_enterprise_install": False}],
                "is_ext_shared_channel": is_shared,
            },
        )

    def _interact(self, payload: Json) -> Envelope:
        return self.dispatch("interactive", payload | {"team": {"id": TEAM, "domain": "team"}, "api_app_id": APP})

    def dispatch(self, type: str, payload: Json) -> Envelope:
        """Tell something to one of the sockets; where there is none it waits for the next."""
        envelope = Envelope(id=f"envelope-{len(self.envelopes) + 1}", type=type, payload=payload)
        self.envelopes[envelope.id] = envelope
        envelope.due = [self.clock() + delay_s for delay_s in RETRIES_S] if type == "events_api" else []
        self._deliver(envelope)
        loop = asyncio.get_running_loop()
        for delay_s in self.retries_s:
            loop.call_later(delay_s, self._deliver, envelope)
        self.note()
        return envelope

    def redeliver(self) -> None:
        """Send again whatever was not acknowledged, as Slack does at once, after a minute and after five."""
        for envelope in self.waiting:
            self._deliver(envelope)

    def redeliver_due(self) -> None:
        """Send again what was not acknowledged and whose time has come: at once, after a minute, after five."""
        for envelope in self.waiting:
            if envelope.due and envelope.due[0] <= self.clock():
                envelope.due.pop(0)
                self._deliver(envelope)

    def refresh(self) -> None:
        """Ask every client to connect anew, as Slack does every few hours."""
        for outbox in self._outboxes:
            outbox.put_nowait({"type": "disconnect", "reason": "refresh_requested", "debug_info": {}})

    def drop(self) -> None:
        """Close every socket."""
        for outbox in self._outboxes:
            outbox.put_nowait(1001)

    async def disconnect(self) -> None:
        self.drop()
        await asyncio.gather(*self._sending)

    async def _send(self, envelope: Envelope) -> None:
        """Over HTTP: only a 200 within three seconds is an acknowledgement."""
        body, headers = signed(SIGNING_SECRET, envelope.type, envelope.payload, time.time())
        if envelope.attempts:
            headers |= {"X-Slack-Retry-Num": str(envelope.attempts), "X-Slack-Retry-Reason": "http_error"}
        envelope.attempts += 1
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(3.0)) as session:
                async with session.post(self.http_url, data=body, headers=headers) as answer:
                    envelope.status, text = answer.status, await answer.text()
                    envelope.is_acknowledged = answer.status == 200
                    envelope.answer = json.loads(text) if text.startswith("{") else {"text": text} if text else {}
        except (aiohttp.ClientError, TimeoutError):
            envelope.status = -1
        self.note()

    def _deliver(self, envelope: Envelope) -> None:
        if self.http_url and not envelope.is_acknowledged:
            sending = asyncio.create_task(self._send(envelope))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
            return
        if envelope.is_acknowledged or not self._outboxes:
            return
        self._turn += 1
        outbox = self._outboxes[self._turn % len(self._outboxes)]
        frame: Json = {"type": envelope.type, "envelope_id": envelope.id, "payload": envelope.payload}
        frame["accepts_response_payload"] = envelope.type != "events_api"
        if envelope.type == "events_api":
            frame |= {"retry_attempt": envelope.attempts, "retry_reason": "timeout" if envelope.attempts else ""}
        envelope.attempts += 1
        outbox.put_nowait(frame)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refused_connects:
            self.refused_connects -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connects += 1
        outbox: asyncio.Queue[Json | int] = asyncio.Queue()
        self._outboxes.append(outbox)
        hello = {"num_connections": len(self._outboxes), "connection_info": {"app_id": APP}, "debug_info": {}}
        outbox.put_nowait({"type": "hello"} | hello)
        writer = asyncio.create_task(self._write(socket, outbox))
        for envelope in [envelope for envelope in self.waiting if not envelope.attempts]:
            self._deliver(envelope)
        self.note()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledge(json.loads(frame.data))
        finally:
            writer.cancel()
            self._outboxes.remove(outbox)
            self.note()
        return socket

    async def _write(self, socket: web.WebSocketResponse, outbox: asyncio.Queue[Json | int]) -> None:
        while not socket.closed:
            frame = await outbox.get()
            if isinstance(frame, int):
                await socket.close(code=frame)
            else:
                await socket.send_json(frame)

    def _acknowledge(self, frame: Json) -> None:
        envelope = self.envelopes[frame["envelope_id"]]
        envelope.is_acknowledged = True
        envelope.answer = frame.get("payload") or {}
        self.note()

    # ---- the Web API

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/link/", self._socket),
            web.route("*", "/api/{method}", self._api),
            web.post("/respond/{id}", self._respond),
            web.get("/files/{id}", self._download),
        ]

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        answers, body = self.acts.responses[request.match_info["id"]], await request.json()

        def handle() -> web.Response:
            if len(answers) == 5:
                return web.Response(status=404, text="used_url")
            answers.append(body)
            return web.Response(text="ok")

        return await self.serve(
            request, Call(name="respond", body=body), handle, lambda f: web.Response(status=f.status)
        )

    async def _download(self, request: web.Request) -> web.StreamResponse:
        file = self.acts.files[request.match_info["id"]]
        is_known = request.headers.get("Authorization") == f"Bearer {self.bot_token}"

        def handle() -> web.Response:
            if not is_known or not file.is_open or "files:read" not in self.scopes:
                return web.Response(body=LOGIN_PAGE, content_type="text/html")
            return web.Response(body=file.data, content_type=file.mimetype)

        return await self.serve(
            request, Call(name="download", body={}), handle, lambda f: web.Response(status=f.status)
        )

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        body: Json = dict(request.query)
        is_json = request.content_type == "application/json" and request.can_read_body
        if is_json:
            body |= await request.json()
        else:
            body |= await request.post()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")

        def handle() -> web.Response:
            try:
                if wait_s := self.tiers.wait_s(method, body):
                    refusal = {"ok": False, "error": "ratelimited"}
                    return web.json_response(refusal, status=429, headers={"Retry-After": str(wait_s)})
                wanted = self.app_token if method == "apps.connections.open" else self.bot_token
                if token != wanted:
                    known = token in (self.app_token, self.bot_token)
                    raise ApiError("not_allowed_token_type" if known else "invalid_auth")
                if is_json and method.rpartition(".")[2] in ("info", "members", "replies", "history"):
                    raise ApiError("invalid_arguments")  # what only tells something takes no JSON
                answer: Json = {"ok": True} | self._answer(method, body)
            except ApiError as error:
                answer = error.body
            except Refused as error:
                answer = {"ok": False, "error": str(error)}
            return web.json_response(answer, headers={"x-oauth-scopes": self.scopes})

        def refuse(fault: Fault) -> web.Response:
            error = "ratelimited" if fault.status == 429 else "internal_error"
            headers = ({"Retry-After": "1"} if fault.status == 429 else {}) | fault.headers
            return web.json_response(fault.body or {"ok": False, "error": error}, status=fault.status, headers=headers)

        return await self.serve(request, Call(name=method, body=body), handle, refuse)

    def _answer(self, method: str, body: Json) -> Json:
        if method in METHODS:
            return self.acts.answer(method, body)
        match method:
            case "auth.test":
                who = {"team": "Team", "user": "parley", "team_id": TEAM, "user_id": self.bot.id, "bot_id": BOT_ID}
                return who | {"url": "https://team.slack.com/", "is_enterprise_install": False}
            case "apps.connections.open":
                return {"url": f"ws://127.0.0.1:{self.port}/link/?ticket={self.world.stamp()}"}
            case "users.info":
                if body["user"] not in self.world.users:
                    raise ApiError("user_not_found")
                return {"user": self.world.users[body["user"]].json()}
            case "conversations.open":
                return {"channel": {"id": self.world.add_direct(self.world.users[body["users"]]).id}}
        place = body.get("channel") or body.get("channel_id", "")
        person = self.world.users.get(place)  # a person's id means the direct message with them
        channel = self.world.add_direct(person) if person is not None else self.world.channels.get(place)
        if channel is None:
            raise ApiError("channel_not_found")
        match method:
            case "conversations.info":
                is_seen = channel.is_member or not channel.is_private
                if not is_seen:
                    raise ApiError("channel_not_found")
                return {"channel": channel.json()}
            case "conversations.members":
                return {"members": sorted(channel.members), "response_metadata": {"next_cursor": ""}}
            case "chat.postEphemeral":
                channel.hints.append((body["user"], body["text"]))
                return {"message_ts": self.world.stamp()}
            case "chat.postMessage":
                return self._create(channel, body)
            case "chat.update":
                return self._update(channel, body)
            case "chat.delete":
                self.delete(self._own(channel, body["ts"], "cant_delete_message"))
                return {"channel": channel.id, "ts": body["ts"]}
            case "conversations.replies" | "conversations.history":
                return self._read(method, channel, body)
            case "chat.startStream" | "chat.appendStream" | "chat.stopStream":
                return self._stream(method, channel, body)
            case "agents.sessions.setStatus":
                self.streams.set_status(channel, body)
                return {}
            case "assistant.threads.setStatus":
                return self._set_status(channel, body)
            case "reactions.add" | "reactions.remove":
                return self._react(method, channel, body)
        raise ApiError("unknown_method")

    def _check(self, body: Json) -> tuple[str, list[Json]]:
        """The text and blocks of a message that was sent; `markdown_text` becomes a block of its own."""
        text, blocks = str(body.get("text") or ""), body.get("blocks") or []
        blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
        if markdown := body.get("markdown_text"):
            if text or blocks:
                raise ApiError("markdown_text_conflict")
            if len(markdown) > 12000:
                raise ApiError("msg_too_long")
            blocks = [{"type": "markdown", "text": markdown}]
        if not text.strip() and not blocks:
            raise ApiError("no_text")
        if len(blocks) > 50:
            raise ApiError("invalid_blocks")
        if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > 12000:
            raise ApiError("msg_blocks_too_long")
        return text[:40000], blocks

    def _create(self, channel: Channel, body: Json) -> Json:
        if not channel.is_member:
            raise ApiError("not_in_channel")
        text, blocks = self._check(body)
        thread_ts, metadata = body.get("thread_ts") or "", body.get("metadata") or {}
        metadata = json.loads(metadata) if isinstance(metadata, str) else metadata
        if metadata and not ({"event_type", "event_payload"} <= metadata.keys()):
            raise ApiError("invalid_metadata_format")
        if thread_ts and not channel.thread(thread_ts):
            raise ApiError("thread_not_found")
        message = self.world.add_message(channel, self.bot, text, thread_ts=thread_ts)
        message.blocks, message.metadata = blocks, metadata
        message.versions.append(message.shown)
        channel.statuses.pop(thread_ts, None)
        self._tell(message)
        return {"channel": channel.id, "ts": message.ts, "message": message.json(has_metadata=True)}

    def _update(self, channel: Channel, body: Json) -> Json:
        message = self._own(channel, body["ts"], "cant_update_message")
        before = message.json()
        text, blocks = self._check(body)
        if len(text.encode()) > UPDATE_BYTES:
            raise ApiError("msg_too_long")
        message.text, message.edited_ts = text, self.world.stamp()
        if body.get("blocks") is not None or body.get("markdown_text"):
            message.blocks = blocks
        if body.get("metadata"):
            message.metadata = body["metadata"]
        self._changed_message(message, before)
        return {"channel": channel.id, "ts": message.ts, "text": text, "message": message.json()}

    def _stream(self, method: str, channel: Channel, body: Json) -> Json:
        if method == "chat.startStream":
            if not channel.is_member:
                raise ApiError("not_in_channel")
            if not channel.thread(body.get("thread_ts") or ""):
                raise ApiError("thread_not_found")
            message = self.world.add_message(channel, self.bot, "", thread_ts=body["thread_ts"])
            self.streams.start(channel, message, body)
            channel.statuses.pop(message.thread_ts, None)
            self._tell(message)
            return {"channel": channel.id, "ts": message.ts}
        message = self._own(channel, body["ts"], "message_not_owned_by_app")
        if method == "chat.appendStream":
            self.streams.append(message, body)
        else:
            before = message.json()
            self.streams.stop(channel, message, body)
            self._changed_message(message, before)
        return {"channel": channel.id, "ts": message.ts}

    def _own(self, channel: Channel, ts: str, refusal: str) -> Message:
        message = channel.everything.get(ts)
        if message is None or message.is_deleted:
            raise ApiError("message_not_found")
        if message.author != self.bot:
            raise ApiError(refusal)
        return message

    def _read(self, method: str, channel: Channel, body: Json) -> Json:
        is_thread = method == "conversations.replies"
        found = channel.thread(body["ts"]) if is_thread else [m for m in channel.messages if not m.thread_ts]
        if is_thread and not found:
            raise ApiError("thread_not_found")
        root, rest = (found[:1], found[1:]) if is_thread else ([], found[::-1])
        oldest, latest = float(body.get("oldest") or 0), float(body.get("latest") or "inf")
        ends = (oldest, latest) if str(body.get("inclusive")) in ("1", "true", "True") else ()
        rest = [one for one in rest if oldest < float(one.ts) < latest or float(one.ts) in ends]
        start, limit = int(body.get("cursor") or 0), int(body.get("limit") or 100)
        has_metadata = str(body.get("include_all_metadata", "")) in ("1", "true", "True")
        told = [message.json(has_metadata=has_metadata) for message in [*root, *rest][start : start + limit]]
        has_more = len(root) + len(rest) > start + limit
        cursor = str(start + limit) if has_more else ""
        return {"messages": told, "has_more": has_more, "response_metadata": {"next_cursor": cursor}}

    def _set_status(self, channel: Channel, body: Json) -> Json:
        if not channel.thread(body["thread_ts"]):
            raise ApiError("thread_not_found")
        channel.statuses[body["thread_ts"]] = body["status"]
        channel.signs.append(body["status"])
        return {}

    def _react(self, method: str, channel: Channel, body: Json) -> Json:
        message = channel.everything.get(body["timestamp"])
        if message is None or message.is_deleted:
            raise ApiError("message_not_found")
        is_there = body["name"] in message.reactions
        if method == "reactions.add":
            if is_there:
                raise ApiError("already_reacted")
            message.reactions.append(body["name"])
        elif is_there:
            message.reactions.remove(body["name"])
        else:
            raise ApiError("no_reaction")
        return {}

    # ---- in a process of its own

    def state(self) -> Json:
        told = [
            {"id": envelope.id, "attempts": envelope.attempts, "is_acknowledged": envelope.is_acknowledged}
            for envelope in self.envelopes.values()
        ]
        return {
            "bot": self.bot.id,
            "general": self.general.id,
            "connects": self.connects,
            "envelopes": told,
            "channels": {channel.id: self._channel_state(channel) for channel in self.world.channels.values()},
        }

    def _channel_state(self, channel: Channel) -> Json:
        told = [
            {
                "id": message.ts,
                "author": message.author.name,
                "text": message.shown,
                "versions": message.versions,
                "thread_ts": message.thread_ts,
                "metadata": message.metadata,
                "buttons": message.buttons,
                "is_deleted": message.is_deleted,
            }
            for message in channel.everything.values()
        ]
        return {"name": channel.name, "statuses": channel.statuses, "messages": told}

    async def control(self, verb: str, body: Json) -> Json:
        """`say {channel?, author?, text, asks?, thread_ts?}`, `channel`, `edit`, `delete`, `redeliver`, `drop`."""
        world = self.world
        match verb:
            case "say":
                name = body.get("author", "Alice")
                author = next((user for user in world.users.values() if user.name == name), None) or world.add_user(
                    name
                )
                channel = self.channel(body.get("channel", self.general.id))
                tell = self.ask if body.get("asks", True) else self.say
                return {"id": tell(channel, body["text"], author=author, thread_ts=body.get("thread_ts", "")).ts}
            case "channel":
                return {"id": world.add_channel(body["name"]).id}
            case "edit" | "delete":
                message = self.channel(body.get("channel", self.general.id)).everything[body["message"]]
                self.edit(message, body["text"]) if verb == "edit" else self.delete(message)
                return {}
            case "redeliver":
                self.redeliver()
                return {}
            case "drop":
                self.drop()
                return {}
        raise web.HTTPNotFound


if __name__ == "__main__":
    run_alone(lambda: SlackServer(retries_s=(1.0, 5.0, 20.0, 60.0)))
