"""What people do in the fake Slack besides writing: commands, shortcuts, modals, the App Home, what they look at."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.servers.common import Json
from tests.servers.slack_world import APP, TEAM, Channel, Message, User

if TYPE_CHECKING:
    from tests.servers.slack import Envelope, SlackServer


@dataclass(slots=True, kw_only=True)
class Modal:
    """A modal that the app has opened for somebody."""

    id: str
    user: User
    view: Json


@dataclass(slots=True, kw_only=True)
class File:
    """A file in the workspace; `url` is where its bytes are, `is_open` whether the token may have them."""

    id: str
    name: str
    mimetype: str
    data: bytes
    url: str = ""
    is_open: bool = True

    def json(self, *, is_bare: bool = False) -> Json:
        """As an event tells it; `is_bare`: as one of Slack Connect, about which one must ask."""
        if is_bare:
            return {"id": self.id, "file_access": "check_file_info", "mode": "file_access"}
        told = {"id": self.id, "name": self.name, "title": self.name, "mimetype": self.mimetype}
        return told | {"size": len(self.data), "mode": "hosted", "file_access": "visible", "url_private": self.url}


@dataclass(slots=True, kw_only=True)
class Acts:
    """Everything that goes over interactivity, and what the app shows there."""

    server: "SlackServer"
    triggers: dict[str, User] = field(default_factory=dict)
    modals: list[Modal] = field(default_factory=list)
    homes: dict[str, Json] = field(default_factory=dict)
    """The App Home of each person."""
    prompts: dict[str, list[Json]] = field(default_factory=dict)
    """The suggested prompts of each direct message."""
    responses: dict[str, list[Json]] = field(default_factory=dict)
    """What was answered to each response_url, by its id."""
    files: dict[str, File] = field(default_factory=dict)

    # ---- what people do

    def command(self, channel: Channel, text: str, *, user: User | None = None, name: str = "/ask") -> "Envelope":
        """Somebody sends a slash command; its text is escaped as it comes."""
        who = user or self.server.alice
        told = {"command": name, "text": text, "user_id": who.id, "user_name": who.name.lower(), "team_id": who.team}
        where = {"channel_id": channel.id, "channel_name": channel.name, "team_domain": "team", "api_app_id": APP}
        more = {"trigger_id": self._trigger(who), "response_url": self.response_url(), "is_enterprise_install": "false"}
        return self.server.dispatch("slash_commands", told | where | more)

    def shortcut(self, message: Message, callback: str, *, user: User | None = None) -> "Envelope":
        """Somebody uses a shortcut of a message."""
        who, channel = user or self.server.alice, self.server.channel(message.channel)
        told = {"type": "message_action", "callback_id": callback, "message": message.json(), "message_ts": message.ts}
        told |= {"channel": {"id": channel.id, "name": channel.name}, "response_url": self.response_url()}
        return self._interact(who, told | {"trigger_id": self._trigger(who), "action_ts": self.server.world.stamp()})

    def control(
        self, message: Message, action: Json, *, user: User | None = None, is_private: bool = False
    ) -> "Envelope":
        """Somebody uses a control under a message: `action` as Slack tells it."""
        who = user or self.server.alice
        container: Json = {"type": "message", "message_ts": message.ts, "channel_id": message.channel}
        container |= {"is_ephemeral": is_private} | ({"thread_ts": message.thread_ts} if message.thread_ts else {})
        told: Json = {"type": "block_actions", "channel": {"id": message.channel}, "container": container}
        told |= {} if is_private else {"message": message.json()}
        told |= {"actions": [{"block_id": "b", "action_ts": self.server.world.stamp()} | action]}
        return self._interact(who, told | {"trigger_id": self._trigger(who), "response_url": self.response_url()})

    def submit(self, modal: Modal, text: str | None) -> "Envelope":
        """Somebody sends a modal off with this in its field."""
        [block] = modal.view["blocks"]
        field: Json = {"type": "plain_text_input", "value": text}
        state: Json = {"values": {block["block_id"]: {block["element"]["action_id"]: field}}}
        view = modal.view | {"id": modal.id, "state": state, "app_id": APP, "team_id": TEAM}
        return self._interact(modal.user, {"type": "view_submission", "view": view, "response_urls": []})

    def open_home(self, tab: str, *, user: User | None = None, context: Json | None = None) -> None:
        """Somebody opens the app: the tab `home` or `messages`."""
        who = user or self.server.alice
        direct = self.server.world.add_direct(who)
        told = {"type": "app_home_opened", "user": who.id, "tab": tab} | ({"context": context} if context else {})
        self.server._event(direct, told | {"ts": self.server.world.stamp()})

    def look_at(self, *entities: Json, user: User | None = None) -> None:
        """Somebody goes to look at something else while the app is open."""
        who = user or self.server.alice
        context = {"entities": list(entities)} if entities else {}
        told = {"type": "app_context_changed", "user": who.id, "context": context, "ts": self.server.world.stamp()}
        self.server._event(self.server.world.add_direct(who), told)

    def stop(self, channel: Channel, thread_ts: str, *, user: User | None = None) -> None:
        """Somebody presses the native Stop button of a thread."""
        who = user or self.server.alice
        live = [message for message in channel.thread(thread_ts) if self.server.streams.is_live(message)]
        for message in live:  # Slack ends the streams itself, and leaves the session's status to the app
            message.stream_ends_at = 0.0
        told: Json = {"type": "agent_session_stopped", "user": who.id, "thread_ts": thread_ts}
        more = {"streaming_message_ts": [message.ts for message in live], "ts": self.server.world.stamp()}
        self.server._event(channel, told | more)

    def share(
        self, channel: Channel, text: str, *files: File, is_bare: bool = False, author: User | None = None
    ) -> Message:
        """Somebody writes a message with files."""
        message = self.server.world.add_message(channel, author or self.server.alice, text)
        message.subtype, message.files = "file_share", [file.json(is_bare=is_bare) for file in files]
        self.server._tell(message)
        return message

    def add_file(self, name: str, mimetype: str, data: bytes, *, url: str = "") -> File:
        id = f"F0{len(self.files) + 1}"
        file = File(id=id, name=name, mimetype=mimetype, data=data, url=url or f"{self.server.address}/files/{id}")
        self.files[id] = file
        return file

    def response_url(self) -> str:
        """A new one: five answers, and no more."""
        id = f"R{len(self.responses) + 1}"
        self.responses[id] = []
        return f"{self.server.address}/respond/{id}"

    @property
    def whispered(self) -> list[str]:
        """The texts of all answers to response_urls."""
        return [body["text"] for answers in self.responses.values() for body in answers]

    # ---- what the app does

    def answer(self, method: str, body: Json) -> Json:
        """The methods of the Web API that belong here; None where it is another."""
        match method:
            case "views.open":
                who = self.triggers.pop(str(body.get("trigger_id")), None)
                if who is None:
                    return {"ok": False, "error": "expired_trigger_id"}
                self.modals.append(Modal(id=f"V{len(self.modals) + 1}", user=who, view=body["view"]))
                return {"view": {"id": self.modals[-1].id}}
            case "views.publish":
                self.homes[body["user_id"]] = body["view"]
                return {"view": {"id": "VHOME"}}
            case "assistant.threads.setSuggestedPrompts":
                self.prompts[body["channel_id"]] = body["prompts"]
                return {}
        file = self.files.get(str(body.get("file")))
        return {"file": file.json()} if file is not None else {"ok": False, "error": "file_not_found"}

    def _trigger(self, who: User) -> str:
        trigger = f"{self.server.world.stamp()}.t"
        self.triggers[trigger] = who
        return trigger

    def _interact(self, who: User, told: Json) -> "Envelope":
        user = {"id": who.id, "name": who.name.lower(), "username": who.name.lower(), "team_id": who.team}
        return self.server._interact(told | {"user": user})


METHODS = ("views.open", "views.publish", "assistant.threads.setSuggestedPrompts", "files.info")


def signed(secret: str, kind: str, payload: Json, at: float) -> tuple[str, dict[str, str]]:
    """A payload as Slack sends it over HTTP: the body, and the headers that sign it."""
    if kind == "events_api":
        body, form = json.dumps(payload), "application/json"
    else:
        fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
        body, form = urlencode(fields), "application/x-www-form-urlencoded"
    digest = hmac.new(secret.encode(), f"v0:{int(at)}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Signature": f"v0={digest}", "X-Slack-Request-Timestamp": str(int(at)), "Content-Type": form}
    return body, headers
