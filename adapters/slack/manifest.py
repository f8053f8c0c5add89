"""What Parley asks of a workspace: one table of scopes, from which the manifest, the checks and the docs are made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from adapters.slack.sockets import PATH
from adapters.slack.views import ABOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A permission: what it is for, what is off without it, and the events that come by it."""

    name: str
    why: str
    without: str
    events: tuple[str, ...] = ()
    is_minimal: bool = False


_TALK = "unmentioned follow-ups and the talk between the turns are not heard in"
SCOPES = (
    Scope(
        name="app_mentions:read",
        why="To hear when somebody mentions Parley",
        without="mentions are not heard where Parley is not told all messages",
        events=("app_mention",),
        is_minimal=True,
    ),
    Scope(
        name="chat:write",
        why="To answer, and to show that an answer is coming",
        without="Parley cannot answer at all",
        is_minimal=True,
    ),
    Scope(
        name="commands",
        why="`/ask` and the shortcuts of messages",
        without="`/ask`, Ask about this and Summarise thread are missing",
        is_minimal=True,
    ),
    Scope(
        name="im:history",
        why="To hear direct messages",
        without="direct messages are not heard",
        events=("message.im",),
        is_minimal=True,
    ),
    Scope(
        name="channels:history",
        why="To hear threads of public channels, and to find its own answers again after a crash",
        without=f"{_TALK} public channels, and an answer that a crash interrupted can stand there twice",
        events=("message.channels",),
    ),
    Scope(
        name="groups:history",
        why="The same in private channels",
        without=f"{_TALK} private channels, and an answer that a crash interrupted can stand there twice",
        events=("message.groups",),
    ),
    Scope(
        name="mpim:history",
        why="The same in group direct messages",
        without=f"{_TALK} group direct messages",
        events=("message.mpim",),
    ),
    Scope(
        name="assistant:write",
        why="The agent's Messages tab: suggested prompts, titles of sessions, the native Stop button",
        without="there are no suggested prompts, no titles of sessions and no native Stop button",
        events=("app_context_changed", "agent_session_stopped"),
    ),
    Scope(
        name="users:read",
        why="To call people by their names, and to know guests and admins",
        without="people are ids, guests are answered like everybody, and nobody counts as an admin",
    ),
    Scope(
        name="channels:read",
        why="To call channels by their names, and to check who may read a public channel",
        without="channels are ids, and Summarise thread refuses in public channels",
    ),
    Scope(
        name="groups:read",
        why="The same for private channels",
        without="private channels are ids, and Summarise thread refuses in them",
    ),
    Scope(
        name="files:read",
        why="To read images and text files that hang at questions",
        without="files cannot be read",
    ),
)
_UNSCOPED = ("app_home_opened", "app_uninstalled", "tokens_revoked")
"""Events that need no scope (docs.slack.dev/reference/events)."""
COMMANDS = (("/ask", "Ask a question, here or privately", "your question [--private]"),)
SHORTCUTS = (
    ("Ask about this", "ask_about", "Ask a question about this message"),
    ("Summarise thread", "summarise", "Summarise the thread of this message"),
)
_CREATE = "https://api.slack.com/apps?new_app=1&manifest_json="


def missing(granted: str) -> Iterator[str]:
    """A line for each scope that is not among the granted ones (as in `x-oauth-scopes`): which feature is off.

    Nothing where Slack did not say what it granted.
    """
    has = {scope.strip() for scope in granted.split(",")}
    for scope in SCOPES if granted else ():
        if scope.name not in has:
            yield f"Slack has not granted {scope.name}: {scope.without}"


def manifest(*, is_minimal: bool = False, url: str = "") -> str:
    """The app's manifest as JSON, which is YAML too. With a `url` it asks for requests over HTTP, else for sockets."""
    address = {"request_url": url.rstrip("/") + PATH} if url else {}
    scopes = [scope for scope in SCOPES if scope.is_minimal or not is_minimal]
    events = [event for scope in scopes for event in scope.events] + ([] if is_minimal else [*_UNSCOPED])
    commands = [
        {"command": command, "description": text, "usage_hint": hint, "should_escape": True}
        | ({"url": address["request_url"]} if address else {})
        for command, text, hint in COMMANDS
    ]
    features: dict[str, object] = {
        "app_home": {
            "home_tab_enabled": not is_minimal,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": "Parley", "always_online": True},
        "slash_commands": commands,
    }
    if not is_minimal:
        features["agent_view"] = {"agent_description": ABOUT}
        features["shortcuts"] = [
            {"name": name, "type": "message", "callback_id": id, "description": text} for name, id, text in SHORTCUTS
        ]
    whole = {
        "display_information": {"name": "Parley", "description": "Answers your team's questions"},
        "features": features,
        "oauth_config": {"scopes": {"bot": [scope.name for scope in scopes]}},
        "settings": {
            "event_subscriptions": {**address, "bot_events": sorted(events)},
            "interactivity": {"is_enabled": True, **address},
            "org_deploy_enabled": False,
            "socket_mode_enabled": not url,
            "token_rotation_enabled": False,
        },
    }
    return json.dumps(whole, indent=2)


def link(text: str) -> str:
    """Where one click creates an app with this manifest."""
    return _CREATE + quote(json.dumps(json.loads(text), separators=(",", ":")), safe="")
