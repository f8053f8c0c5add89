"""A wire fake of Discord on loopback: REST v10 and the gateway, as discord.py 2.7 speaks them.

Built from its documentation, not recorded from it. State is data: `server.general.messages` is what a reader sees, each
message with every text it has shown. Bad days are data too: `server.faults.append(Fault(...))`, `server.limit`,
`server.reconnect()`. As a process of its own: `python -m tests.servers.discord`, whose first line is its address.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from aiohttp import WSMsgType, web

from tests.servers.common import Call, Fault, Json, WireServer, run_alone
from tests.servers.discord_world import SEND, TEXT, THREAD, VIEW, Channel, File, Message, User, World, stamp

TOKEN = "discord-token-of-the-tests"
API = "/api/v10"
NONCE_S = 300.0
"""How long the fake takes a nonce for the same message ("the past few minutes" in Discord's documentation)."""
CONTENT_INTENT = 1 << 15
CONTENT_FLAG = 1 << 18


class ApiError(Exception):
    """An answer that is an error in Discord's form."""

    def __init__(self, status: int, code: int, message: str, errors: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"message": message, "code": code}
        if errors is not None:
            self.body["errors"] = errors


UNKNOWN_MESSAGE = (404, 10008, "Unknown Message")


def bad_form(field_name: str, code: str, message: str) -> ApiError:
    error = {field_name: {"_errors": [{"code": code, "message": message}]}}
    return ApiError(400, 50035, "Invalid Form Body", error)


@dataclass(slots=True, kw_only=True)
class Session:
    """One gateway session: what was sent is kept, so that it can be resumed."""

    id: str
    shard: tuple[int, int]
    intents: int
    seq: int = 0
    sent: deque[Json] = field(default_factory=lambda: deque(maxlen=1000))
    outbox: asyncio.Queue[Json | int] | None = None
    """Frames to send, or a close code; None while no socket is connected."""


@dataclass(slots=True, kw_only=True)
class Interaction:
    """A use of a button or command, and what was answered: `kind` is the callback's type, 0 until then."""

    id: str
    token: str
    at: float
    channel: str
    message: str = ""
    kind: int = 0
    is_private: bool = False
    is_foreign: bool = False
    data: Json = field(default_factory=dict)


class DiscordServer(WireServer):
    """The fake. `world` holds what exists; `limit` is (requests, seconds) of each channel's bucket."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.world = World(clock)
        self.token = TOKEN
        self.limit: tuple[int, float] = (50, 1.0)
        self.is_limit_real = False
        """Answer 429 once a bucket is used up, as Discord does; a client that heeds the headers never gets there."""
        self.has_content_intent = True
        self.refused_connects = 0
        self.session_starts = 1000
        self.shards = 1
        self.heartbeat_s = 41.25
        self.is_half_open = False
        """Sockets stay open, and nothing comes through them any more; a new one is sound again."""
        self.commands: list[Json] = []
        self.strangers: set[str] = set()
        """Users who are in no guild."""
        self.sessions: dict[str, Session] = {}
        self.identifies = 0
        self.resumes = 0
        self.interactions: dict[str, Interaction] = {}
        self._nonces: dict[str, Message] = {}
        self._buckets: dict[str, tuple[float, int]] = {}
        self.fullest: dict[str, int] = {}
        """The most requests that came within one window, by the method and the names in the path."""
        self.limited = 0
        """Requests that were refused with a 429 because their bucket was used up."""

    @property
    def api_base(self) -> str:
        return self.address + API

    @property
    def bot(self) -> User:
        return self.world.bot

    @property
    def alice(self) -> User:
        return self.world.alice

    @property
    def general(self) -> Channel:
        return self.world.general

    def channel(self, channel_id: str) -> Channel:
        return self.world.channels[channel_id]

    # ---- what people do

    def say(
        self, channel: Channel, text: str, *, author: User | None = None, reply_to: str = "", pings: bool = True
    ) -> Message:
        """Somebody writes a message (Alice, unless told otherwise)."""
        message = self.world.add_message(channel, author or self.alice, text, reply_to=reply_to)
        message.pings = self.world.pings(message, {"parse": ["users", "everyone"], "replied_user": pings})
        self._tell("MESSAGE_CREATE", message)
        return message

    def ask(self, channel: Channel, text: str, *, author: User | None = None) -> Message:
        """Somebody mentions the bot."""
        return self.say(channel, f"{self.bot.mention} {text}", author=author)

    def edit(self, message: Message, text: str) -> None:
        message.versions.append(text)
        message.edited_at = self.clock()
        self._tell("MESSAGE_UPDATE", message)

    def delete(self, message: Message) -> None:
        message.is_deleted = True
        plain = {"id": message.id, "channel_id": message.channel}
        self.dispatch("MESSAGE_DELETE", plain | ({"guild_id": message.guild} if message.guild else {}), message.guild)

    def click(self, message: Message, custom_id: str, *, user: User | None = None) -> Interaction:
        """Somebody uses a button."""
        if custom_id not in message.buttons:
            raise ValueError(f"there is no button {custom_id!r}, only {message.buttons}")
        data = {"component_type": 2, "custom_id": custom_id}
        return self._interact(self.channel(message.channel), user or self.alice, 3, data, message)

    def command(
        self,
        channel: Channel,
        name: str,
        options: dict[str, str | bool],
        *,
        user: User | None = None,
        file: File | None = None,
        is_foreign: bool = False,
    ) -> Interaction:
        """Somebody uses a slash command; a file is its option `attachment`. `is_foreign`: by a user install alone."""
        chosen: list[Json] = [
            {"name": key, "type": 5 if isinstance(value, bool) else 3, "value": value} for key, value in options.items()
        ]
        data: Json = {"id": self.world.snowflake(), "name": name, "type": 1, "options": chosen}
        if file is not None:
            chosen.append({"name": "attachment", "type": 11, "value": file.id})
            data["resolved"] = {"attachments": {file.id: file.json(self.address) | {"ephemeral": True}}}
        return self._interact(channel, user or self.alice, 2, data, None, is_foreign=is_foreign)

    def typing(self, channel: Channel, name: str, option: str, typed: str) -> Interaction:
        """Somebody is typing an option of a slash command."""
        options = [{"name": option, "type": 3, "value": typed, "focused": True}]
        data: Json = {"id": self.world.snowflake(), "name": name, "type": 1, "options": options}
        return self._interact(channel, self.alice, 4, data, None)

    def menu(self, message: Message, name: str, *, user: User | None = None, is_foreign: bool = False) -> Interaction:
        """Somebody uses an entry of a message's menu."""
        data = {"id": self.world.snowflake(), "name": name, "type": 3, "target_id": message.id}
        data["resolved"] = {"messages": {message.id: self.world.json(message)}}
        channel = self.channel(message.channel)
        return self._interact(channel, user or self.alice, 2, data, None, is_foreign=is_foreign)

    def submit(self, opened: Interaction, text: str, *, user: User | None = None) -> Interaction:
        """Somebody sends the dialog that was the answer to an interaction, with this text in its one field."""
        if opened.kind != 9:
            raise ValueError("no dialog was opened")
        field = opened.data["components"][0]["component"]
        answer = {"type": 4, "custom_id": field["custom_id"], "value": text}
        data = {"custom_id": opened.data["custom_id"], "components": [{"type": 18, "component": answer}]}
        message = self.world.find(opened.message) if opened.message else None
        channel = self.channel(opened.channel)
        return self._interact(channel, user or self.alice, 5, data, message, is_foreign=opened.is_foreign)

    def add_thread(self, channel: Channel, starter: Message, name: str = "thread") -> Channel:
        """A thread on a message; its id is the message's."""
        thread = self.world.add_channel(name, guild=channel.guild, type=THREAD, parent=channel.id, id=starter.id)
        self.dispatch("THREAD_CREATE", thread.json() | {"newly_created": True}, thread.guild)
        return thread

    def _interact(
        self,
        channel: Channel,
        user: User,
        type: int,
        data: Json,
        message: Message | None,
        *,
        is_foreign: bool = False,
    ) -> Interaction:
        id, token = self.world.snowflake(), f"token-{self.world.snowflake()}"
        interaction = Interaction(id=id, token=token, at=self.clock(), channel=channel.id, is_foreign=is_foreign)
        interaction.message = "" if message is None else message.id
        self.interactions[interaction.id] = interaction
        plain: Json = {
            "id": interaction.id,
            "token": interaction.token,
            "application_id": self.bot.id,
            "type": type,
            "version": 1,
            "channel_id": channel.id,
            "channel": channel.json(),
            "data": data,
            "entitlements": [],
            "authorizing_integration_owners": {"1": user.id} if is_foreign else {"0": channel.guild or "0"},
            "context": 0 if channel.guild else 2 if is_foreign else 1,
            "app_permissions": "0",
            "attachment_size_limit": 10 * 1024 * 1024,
            "locale": "en-GB",
        }
        if message is not None:
            plain["message"] = self.world.json(message)
        if channel.guild:
            may = sum({self.world.roles[role][1] for role in self.world.roles_of.get(user.id, ())})
            member = self.world.member_json(user) | {"permissions": str(may)}
            plain |= {"guild_id": channel.guild, "guild": {"id": channel.guild, "features": []}, "member": member}
        else:
            plain["user"] = user.json()
        self.dispatch("INTERACTION_CREATE", plain, channel.guild)
        return interaction

    # ---- the gateway

    def dispatch(self, event: str, data: Json, guild: str = "") -> None:
        """An event for every session of the guild's shard (direct messages: shard 0)."""
        for session in self.sessions.values():
            number, count = session.shard
            if (int(guild or 0) >> 22) % count == number:
                self._send(session, event, self._visible(session, event, data))
        self.note()

    def reconnect(self) -> None:
        """Ask every client to resume (op 7)."""
        self._everywhere({"op": 7, "d": None})

    def invalidate(self, *, is_resumable: bool) -> None:
        """Tell every client that its session is invalid (op 9)."""
        self._everywhere({"op": 9, "d": is_resumable})
        if not is_resumable:
            self.sessions = {id: session for id, session in self.sessions.items() if session.outbox is None}

    def drop(self, code: int = 4000) -> None:
        """Close every socket with this code."""
        self._everywhere(code)

    async def disconnect(self) -> None:
        self.drop(1001)

    def _everywhere(self, frame: Json | int) -> None:
        for session in self.sessions.values():
            if session.outbox is not None:
                session.outbox.put_nowait(frame)

    def _tell(self, event: str, message: Message) -> None:
        self.dispatch(event, self.world.json(message, is_event=True), message.guild)

    def _send(self, session: Session, event: str, data: Json) -> None:
        session.seq += 1
        frame: Json = {"op": 0, "t": event, "s": session.seq, "d": data}
        session.sent.append(frame)
        if session.outbox is not None:
            session.outbox.put_nowait(frame)

    def _visible(self, session: Session, event: str, data: Json) -> Json:
        """A message without its content where the session lacks the intent and Discord makes no exception."""
        if event not in ("MESSAGE_CREATE", "MESSAGE_UPDATE") or session.intents & CONTENT_INTENT:
            return data
        is_for_us = any(user["id"] == self.bot.id for user in data.get("mentions", ()))
        if is_for_us or "guild_id" not in data or data.get("author", {}).get("id") == self.bot.id:
            return data
        return data | {"content": "", "embeds": [], "attachments": [], "components": []}

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        if self.refused_connects:
            self.refused_connects -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.is_half_open = False
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": round(self.heartbeat_s * 1000)}})
        outbox: asyncio.Queue[Json | int] = asyncio.Queue()
        writer = asyncio.create_task(self._write(socket, outbox))
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._hear(json.loads(frame.data), outbox)
        finally:
            writer.cancel()
            for session in self.sessions.values():
                if session.outbox is outbox:
                    session.outbox = None
            self.note()
        return socket

    async def _write(self, socket: web.WebSocketResponse, outbox: asyncio.Queue[Json | int]) -> None:
        while not socket.closed:
            frame = await outbox.get()
            if self.is_half_open:
                continue
            if isinstance(frame, int):
                await socket.close(code=frame)
            else:
                await socket.send_json(frame)

    def _hear(self, frame: Json, outbox: asyncio.Queue[Json | int]) -> None:
        match frame["op"]:
            case 1:
                outbox.put_nowait({"op": 11, "d": None})
            case 2:
                self._identify(frame["d"], outbox)
            case 6:
                self._resume(frame["d"], outbox)
        self.note()

    def _identify(self, data: Json, outbox: asyncio.Queue[Json | int]) -> None:
        self.identifies += 1
        if data["token"] != self.token:
            outbox.put_nowait(4004)
            return
        if data["intents"] & CONTENT_INTENT and not self.has_content_intent:
            outbox.put_nowait(4014)
            return
        number, count = data.get("shard", (0, 1))
        session = Session(id=self.world.snowflake(), shard=(number, count), intents=data["intents"], outbox=outbox)
        self.sessions[session.id] = session
        mine = [guild for guild in self.world.guilds if (int(guild) >> 22) % count == number]
        ready = {
            "v": 10,
            "user": self.bot.json(),
            "guilds": [{"id": guild, "unavailable": True} for guild in mine],
            "session_id": session.id,
            "resume_gateway_url": self._gateway_url(),
            "application": {"id": self.bot.id, "flags": CONTENT_FLAG if self.has_content_intent else 0},
            "shard": [number, count],
        }
        self._send(session, "READY", ready)
        for guild in mine:
            self._send(session, "GUILD_CREATE", self.world.guild_json(guild))

    def _resume(self, data: Json, outbox: asyncio.Queue[Json | int]) -> None:
        session = self.sessions.get(data["session_id"])
        if session is None or data["token"] != self.token:
            outbox.put_nowait({"op": 9, "d": False})
            return
        self.resumes += 1
        session.outbox = outbox
        for frame in [frame for frame in session.sent if frame["s"] > data["seq"]]:
            outbox.put_nowait(frame)
        self._send(session, "RESUMED", {})

    def _gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/gw/"

    # ---- REST

    async def start(self, port: int = 0) -> None:
        await super().start(port)
        self.world.address = self.address

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/gw/", self._gateway),
            web.get("/cdn/{id}/{name}", self._cdn),
            web.route("*", API + "/{path:.*}", self._rest),
        ]

    async def _cdn(self, request: web.Request) -> web.StreamResponse:
        file = self.world.file(request.match_info["id"])

        def handle() -> web.Response:
            if file is None:
                return web.Response(status=404)
            return web.Response(body=file.data, content_type=file.media_type)

        return await self.serve(
            request, Call(name=f"GET {request.path}", body={}), handle, lambda fault: web.Response(status=fault.status)
        )

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        path = "/" + request.match_info["path"]
        body: Json = dict(request.query)
        if request.content_type == "application/json" and request.can_read_body:
            told = await request.json()
            body |= told if isinstance(told, dict) else {"list": told}
        elif request.content_type.startswith("multipart/"):
            form = await request.post()
            files = [
                field for key, field in form.items() if key.startswith("files") and isinstance(field, web.FileField)
            ]
            body |= json.loads(str(form["payload_json"])) | {"files": [field.file.read().decode() for field in files]}
        parts = [unquote(part) for part in path.strip("/").split("/")]

        def handle() -> web.Response:
            try:
                if (
                    parts[0] not in ("interactions", "webhooks")
                    and request.headers.get("Authorization") != f"Bot {self.token}"
                ):
                    raise ApiError(401, 0, "401: Unauthorized")
                if (after_s := self._use_bucket(request.method, parts)) > 0:
                    return self._limited(after_s)
                status, answer = self._answer(request.method, parts, body)
            except ApiError as error:
                status, answer = error.status, error.body
            return self._reply(request.method, parts, status, answer)

        def refuse(fault: Fault) -> web.Response:
            if fault.status == 429 and "Via" not in fault.headers:
                return self._limited(fault.body.get("retry_after", 0.01))
            answer = fault.body or {"message": "scripted", "code": 0}
            response = self._reply(request.method, parts, fault.status, answer)
            response.headers.update(fault.headers)
            return response

        return await self.serve(request, Call(name=f"{request.method} {path}", body=body), handle, refuse)

    def _reply(self, method: str, parts: list[str], status: int, answer: object) -> web.Response:
        start, used = self._buckets.get(self._bucket(method, parts), (self.clock(), 0))
        limit, window_s = self.limit
        reset_after = max(0.0, start + window_s - self.clock())
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(max(0, limit - used)),
            "X-RateLimit-Reset": f"{self.clock() + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": f"{method}-{parts[0]}-{parts[2] if len(parts) > 2 else ''}-{len(parts)}",
        }
        if status == 204:
            return web.Response(status=204, headers=headers)
        data = json.dumps(answer).encode()
        return web.Response(body=data, status=status, headers=headers, content_type="application/json")

    def _limited(self, after_s: float) -> web.Response:
        body = {"message": "You are being rate limited.", "retry_after": after_s, "global": False}
        headers = {"Via": "1.1 google", "Retry-After": f"{after_s:.0f}", "X-RateLimit-Scope": "shared"}
        data = json.dumps(body).encode()
        return web.Response(body=data, status=429, headers=headers, content_type="application/json")

    def _bucket(self, method: str, parts: list[str]) -> str:
        return f"{method} {' '.join(parts[:3])} {len(parts)}"

    def _use_bucket(self, method: str, parts: list[str]) -> float:
        """Count a request; the seconds to wait where limits are real and this bucket is used up."""
        key, now, (limit, window_s) = self._bucket(method, parts), self.clock(), self.limit
        start, used = self._buckets.get(key, (now, 0))
        if now - start >= window_s:
            start, used = now, 0
        if self.is_limit_real and used >= limit:
            self.limited += 1
            return start + window_s - now
        self._buckets[key] = (start, used + 1)
        name = " ".join([method, *parts[:1], *parts[2:3]])
        self.fullest[name] = max(self.fullest.get(name, 0), used + 1)
        return 0.0

    def _answer(self, method: str, parts: list[str], body: Json) -> tuple[int, object]:
        match method, parts:
            case "GET", ["users", "@me"]:
                return 200, self.bot.json()
            case "GET", ["oauth2", "applications", "@me"]:
                return 200, self._application()
            case "GET", ["gateway", "bot"]:
                left = max(0, self.session_starts - self.identifies)
                starts = {"total": 1000, "remaining": left, "reset_after": 7_200_000, "max_concurrency": 1}
                return 200, {"url": self._gateway_url(), "shards": self.shards, "session_start_limit": starts}
            case "POST", ["users", "@me", "channels"]:
                return 200, self.world.add_direct(self.world.users[str(body["recipient_id"])]).json()
            case (("PUT" | "GET"), ["applications", _, *_, "commands"]):
                if method == "PUT":
                    self.commands = [{"id": self.world.snowflake()} | command for command in body["list"]]
                return 200, self.commands
            case "GET", ["guilds", guild, *rest]:
                return 200, self._guild(guild, rest)
            case _, ["channels", channel_id, *rest]:
                if channel_id not in self.world.channels:
                    raise ApiError(404, 10003, "Unknown Channel")
                return self._channel(method, self.channel(channel_id), rest, body)
            case "POST", ["interactions", interaction_id, token, "callback"]:
                return self._callback(interaction_id, token, body)
            case _, ["webhooks", _, token, *rest]:
                return self._webhook(method, token, rest, body)
        raise ApiError(404, 0, "404: Not Found")

    def _guild(self, guild: str, parts: list[str]) -> Json:
        if guild not in self.world.guilds:
            raise ApiError(404, 10004, "Unknown Guild")
        match parts:
            case ["members", user] if user in self.world.users and user not in self.strangers:
                return self.world.member_json(self.world.users[user])
            case ["members", _]:
                raise ApiError(404, 10007, "Unknown Member")
        return self.world.guild_json(guild)

    def _application(self) -> Json:
        flags = CONTENT_FLAG if self.has_content_intent else 0
        return {
            "id": self.bot.id,
            "name": self.bot.name,
            "description": "",
            "icon": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "owner": self.alice.json(),
            "verify_key": "",
            "flags": flags,
        }

    def _channel(self, method: str, channel: Channel, parts: list[str], body: Json) -> tuple[int, object]:
        if channel.denied & VIEW:
            raise ApiError(403, 50001, "Missing Access")
        if channel.denied & SEND and method == "POST":
            raise ApiError(403, 50013, "Missing Permissions")
        if channel.is_archived and method != "GET" and parts:
            raise ApiError(400, 50083, "Thread is archived")
        match method, parts:
            case "GET", []:
                return 200, channel.json()
            case "PATCH", []:
                channel.is_archived = body.get("archived", channel.is_archived)
                return 200, channel.json()
            case "POST", ["typing"]:
                channel.typed.append(self.clock())
                return 204, None
            case "GET", ["thread-members", user]:
                if user not in channel.members:
                    raise ApiError(404, 10007, "Unknown Member")
                joined = stamp(0.0)
                return 200, {"id": channel.id, "user_id": user, "join_timestamp": joined, "flags": 0}
            case "GET", ["messages"]:
                asked = {key: int(body.get(key, 0)) for key in ("after", "before")}
                found = self.world.history(channel, **asked, limit=int(body.get("limit", 50)))
                return 200, [self.world.json(message) for message in found]
            case "POST", ["messages"]:
                return 200, self.world.json(self._create(channel, body), is_event=True)
            case "POST", ["threads"]:
                thread = self.world.add_channel(body["name"], guild=channel.guild, type=THREAD, parent=channel.id)
                if "message" in body:
                    self._create(thread, body["message"])
                return 201, thread.json()
            case _, ["messages", message_id, *rest]:
                message = channel.everything.get(message_id)
                if message is None or message.is_deleted:
                    raise ApiError(*UNKNOWN_MESSAGE)
                return self._message(method, channel, message, rest, body)
        raise ApiError(404, 0, "404: Not Found")

    def _message(
        self, method: str, channel: Channel, message: Message, parts: list[str], body: Json
    ) -> tuple[int, object]:
        match method, parts:
            case "GET", []:
                return 200, self.world.json(message)
            case "PATCH", []:
                self._change(message, body)
                return 200, self.world.json(message, is_event=True)
            case "DELETE", []:
                self.delete(message)
                return 204, None
            case "PUT", ["reactions", emoji, "@me"]:
                message.reactions.append(emoji)
                return 204, None
            case "DELETE", ["reactions", emoji, "@me"]:
                message.reactions = [other for other in message.reactions if other != emoji]
                return 204, None
            case "POST", ["threads"]:
                if message.id in self.world.channels:
                    raise ApiError(400, 160004, "A thread has already been created for this message")
                return 201, self.add_thread(channel, message, body["name"]).json()
        raise ApiError(404, 0, "404: Not Found")

    def _check(self, body: Json) -> str:
        """The text of a new or edited message, as Discord keeps it."""
        text = str(body.get("content") or "")
        if len(text) > 2000:
            raise bad_form("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.")
        if body.get("flags", 0) & (1 << 15):
            if text or body.get("embeds"):
                raise bad_form("content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "Cannot be used.")
        elif not text.strip() and not body.get("embeds") and not body.get("files") and not body.get("sticker_ids"):
            raise ApiError(400, 50006, "Cannot send an empty message")
        return text

    def _create(self, channel: Channel, body: Json) -> Message:
        nonce = str(body.get("nonce") or "")
        if len(nonce) > 25:
            raise bad_form("nonce", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        known = self._nonces.get(nonce) if body.get("enforce_nonce") else None
        if nonce and known is not None and self.clock() - known.at < NONCE_S:
            if known.is_deleted:
                raise ApiError(*UNKNOWN_MESSAGE)
            return known
        text = self._check(body)
        reference: Json = body.get("message_reference") or {}
        reply_to = str(reference.get("message_id", ""))
        target = channel.everything.get(reply_to)
        if reply_to and (target is None or target.is_deleted):
            if reference.get("fail_if_not_exists", True):
                raise bad_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
            reply_to = ""
        message = self.world.add_message(channel, self.bot, text, reply_to=reply_to, nonce=nonce)
        message.components = body.get("components") or []
        message.embeds = body.get("embeds") or []
        message.files = body.get("files") or []
        message.flags = body.get("flags", 0)
        message.pings = self.world.pings(message, body.get("allowed_mentions"))
        if nonce:
            self._nonces[nonce] = message
        self._tell("MESSAGE_CREATE", message)
        return message

    def _change(self, message: Message, body: Json) -> None:
        if message.author != self.bot:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        if "content" in body:
            message.versions.append(self._check(body | {"flags": message.flags}).strip())
            message.edited_at = self.clock()
        if "components" in body:
            message.components = body["components"] or []
        if "attachments" in body:
            message.files = body.get("files") or []
        self._tell("MESSAGE_UPDATE", message)

    # ---- interactions

    def _callback(self, interaction_id: str, token: str, body: Json) -> tuple[int, object]:
        interaction = self.interactions.get(interaction_id)
        if interaction is None or interaction.token != token or self.clock() - interaction.at > 3.0:
            raise ApiError(404, 10062, "Unknown interaction")
        if interaction.kind:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        interaction.kind = body["type"]
        data: Json = body.get("data") or {}
        resource: Json = {"type": interaction.kind}
        interaction.is_private, interaction.data = bool(data.get("flags", 0) & 64), data
        if interaction.kind in (4, 5):
            text = self._check(data) if interaction.kind == 4 else ""
            interaction.message = self._respond(interaction, text, data).id
        elif interaction.kind == 7 and (message := self.world.find(interaction.message)) is not None:
            self._change(message, data)
        if interaction.kind in (4, 5, 7) and (shown := self.world.find(interaction.message)) is not None:
            resource["message"] = self.world.json(shown)
        told = {"id": interaction_id, "type": 2, "response_message_id": interaction.message or None}
        return 200, {"interaction": told, "resource": resource}

    def _respond(self, interaction: Interaction, text: str, data: Json) -> Message:
        message = self.world.add_message(self.channel(interaction.channel), self.bot, text)
        message.webhook, message.interaction = self.bot.id, interaction.id
        message.components, message.flags = data.get("components") or [], data.get("flags", 0)
        self.note()
        return message

    def _webhook(self, method: str, token: str, parts: list[str], body: Json) -> tuple[int, object]:
        interaction = next((known for known in self.interactions.values() if known.token == token), None)
        if interaction is None or self.clock() - interaction.at > 900.0:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        if method == "POST" and not parts:
            return 200, self.world.json(self._respond(interaction, self._check(body), body))
        message = self.world.find(interaction.message if parts[-1] == "@original" else parts[-1])
        if message is None:
            raise ApiError(*UNKNOWN_MESSAGE)
        match method:
            case "PATCH":
                self._change(message, body)
            case "DELETE":
                self.delete(message)
                return 204, None
        return 200, self.world.json(message)

    # ---- in a process of its own

    def state(self) -> Json:
        return {
            "guild": self.world.guild,
            "bot": self.bot.id,
            "general": self.general.id,
            "identifies": self.identifies,
            "channels": {channel.id: self._channel_state(channel) for channel in self.world.channels.values()},
        }

    def _channel_state(self, channel: Channel) -> Json:
        told = [
            {
                "id": message.id,
                "author": message.author.name,
                "text": message.content,
                "versions": message.versions,
                "reply_to": message.reply_to,
                "buttons": message.buttons,
                "is_deleted": message.is_deleted,
            }
            for message in channel.everything.values()
        ]
        return {"name": channel.name, "parent": channel.parent, "typed": len(channel.typed), "messages": told}

    async def control(self, verb: str, body: Json) -> Json:
        """`say {channel?, author?, text, asks?}`, `channel {name}`, `edit`/`delete {message, text}`, `drop {code}`."""
        world = self.world
        match verb:
            case "say":
                name = body.get("author", "Alice")
                author = next((user for user in world.users.values() if user.name == name), None) or world.add_user(
                    name
                )
                channel = self.channel(body.get("channel", self.general.id))
                tell = self.ask if body.get("asks", True) else self.say
                return {"id": tell(channel, body["text"], author=author).id}
            case "channel":
                channel = world.add_channel(body["name"], type=TEXT)
                self.dispatch("CHANNEL_CREATE", channel.json(), channel.guild)
                return {"id": channel.id}
            case "edit" | "delete":
                message = world.find(body["message"])
                if message is not None:
                    self.edit(message, body["text"]) if verb == "edit" else self.delete(message)
                return {}
            case "drop":
                self.drop(body.get("code", 4000))
                return {}
        raise web.HTTPNotFound


if __name__ == "__main__":
    run_alone(DiscordServer)
