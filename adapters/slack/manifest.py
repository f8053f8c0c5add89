"""What Parley asks of a workspace, from the one table of app.toml: the manifest, and what is off without a scope."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adapters.slack.sockets import PATH

_CREATE = "https://api.slack.com/apps?new_app=1&manifest_json="


def table() -> dict[str, Any]:
    """The table: `scopes`, `features`, `commands` and `shortcuts`."""
    return tomllib.loads((Path(__file__).parent / "app.toml").read_text("utf-8"))


def missing(granted: str) -> Iterator[tuple[str, str]]:
    """Each scope that is not among the granted ones (as in `x-oauth-scopes`), and what is off without it.

    Nothing where Slack did not say what it has granted.
    """
    has = {scope.strip() for scope in granted.split(",")}
    for scope in table()["scopes"] if granted else ():
        if scope["name"] not in has:
            yield scope["name"], scope["without"]


def manifest(*, is_minimal: bool = False, url: str = "") -> str:
    """The app's manifest as JSON, which is YAML too. With a `url` it asks for requests over HTTP, else for sockets."""
    told, address = table(), {"request_url": url.rstrip("/") + PATH} if url else {}
    scopes = [scope for scope in told["scopes"] if scope.get("minimal") or not is_minimal]
    events = [event for scope in scopes for event in scope.get("events", ())]
    command_address = {"url": address["request_url"]} if address else {}
    features: dict[str, object] = {
        "app_home": {
            "home_tab_enabled": not is_minimal,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": "Parley", "always_online": True},
        "slash_commands": [command | command_address for command in told["commands"]],
    }
    if not is_minimal:
        features |= {"agent_view": {"agent_description": told["features"]["agent"]}, "shortcuts": told["shortcuts"]}
        events += told["features"]["events"]
    settings = {
        "event_subscriptions": {**address, "bot_events": sorted(events)},
        "interactivity": {"is_enabled": True, **address},
        "org_deploy_enabled": False,
        "socket_mode_enabled": not url,
        "token_rotation_enabled": False,
    }
    whole = {
        "display_information": {"name": "Parley", "description": "Answers your team's questions"},
        "features": features,
        "oauth_config": {"scopes": {"bot": [scope["name"] for scope in scopes]}},
        "settings": settings,
    }
    return json.dumps(whole, indent=2)


def link(text: str) -> str:
    """Where one click creates an app with this manifest."""
    return _CREATE + quote(json.dumps(json.loads(text), separators=(",", ":")), safe="")
