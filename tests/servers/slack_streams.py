"""Native streams, agent sessions and published tiers of the fake Slack: state as data, refusals as Slack names them."""

from collections import defaultdict, deque
from collections.abc import Callable
from math import ceil

from tests.servers.common import Json
from tests.servers.slack_world import Channel, Message, escape

LIFE_S = 300.0
"""About when Slack ends a stream, whatever flows (python-slack-sdk#1859)."""
TIERS = {
    "apps.connections.open": 1,
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.update": 50,
    "chat.delete": 50,
    "conversations.replies": 50,
    "conversations.history": 50,
    "agents.sessions.setStatus": 50,
    "reactions.add": 50,
    "chat.appendStream": 100,
    "chat.postEphemeral": 100,
    "users.info": 100,
    "views.publish": 100,
}
"""Calls in any 60 seconds, by method and workspace; chat.postMessage is one a second and channel."""


class Refused(Exception):
    """A stream or session method says no, with this code."""


class Tiers:
    """Counts calls; `is_on` makes it refuse those beyond the tier. `refusals` are the methods that were refused."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.is_on = False
        self.refusals: list[str] = []
        self._clock = clock
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def wait_s(self, method: str, body: Json) -> int:
        """Whole seconds until the call may be made, as in Retry-After; 0: it is counted and goes on."""
        window_s, most, key = 60.0, TIERS.get(method, 0), method
        if method == "chat.postMessage":
            window_s, most, key = 1.0, 1, f"{method} {body.get('channel')}"
        if not self.is_on or not most:
            return 0
        now, calls = self._clock(), self._calls[key]
        while calls and calls[0] <= now - window_s:
            calls.popleft()
        if len(calls) < most:
            calls.append(now)
            return 0
        self.refusals.append(method)
        return max(1, ceil(calls[0] + window_s - now))


class Streams:
    """Streams that live for `life_s` of the server's clock. `is_agent`: the app may use agents.sessions.*."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.life_s = LIFE_S
        self.is_agent = True
        self._clock = clock

    def start(self, channel: Channel, message: Message, body: Json) -> None:
        """The message that was made for it begins to stream."""
        if channel.type != "im" and not (body.get("recipient_team_id") and body.get("recipient_user_id")):
            raise Refused("missing_recipient_team_id")
        message.stream_ends_at = self._clock() + self.life_s
        channel.sessions[message.thread_ts] = "processing"
        self._add(message, body)
        message.versions.append(message.shown)

    def append(self, message: Message, body: Json) -> None:
        self._live(message)
        self._add(message, body)
        message.versions.append(message.shown)

    def stop(self, channel: Channel, message: Message, body: Json) -> None:
        self._live(message)
        self._add(message, body)
        message.blocks += body.get("blocks") or []
        message.metadata = body.get("metadata") or message.metadata
        message.stream_ends_at = 0.0
        channel.sessions[message.thread_ts] = body.get("session_status") or "active"

    def is_live(self, message: Message) -> bool:
        return message.stream_ends_at > self._clock()

    def set_status(self, channel: Channel, body: Json) -> None:
        """A session's status; its title is taken only at the beginning."""
        if not self.is_agent:
            raise Refused("not_authorized")
        thread = body.get("thread_ts") or ""
        if not channel.thread(thread):
            raise Refused("thread_not_found")
        channel.sessions[thread] = body["status"]
        channel.titles.setdefault(thread, body.get("title") or "")

    def _live(self, message: Message) -> None:
        if not self.is_live(message):
            raise Refused("message_not_in_streaming_state")

    def _add(self, message: Message, body: Json) -> None:
        """The chunks' text, behind what is there."""
        chunks = [chunk["text"] for chunk in body.get("chunks") or [] if chunk["type"] == "markdown_text"]
        text = body.get("markdown_text") or "".join(chunks)
        if len(text) > 12_000:
            raise Refused("msg_too_long")
        before = message.blocks[0]["text"] if message.blocks else ""
        message.blocks = [{"type": "markdown", "text": before + text}] if before + text else []
        message.text = escape(before + text)
