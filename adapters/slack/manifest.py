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
    """The table: its `scopes`, and the parts of the manifest."""
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
    told = table()
    app: dict[str, Any] = told["app"]
    scopes = [scope for scope in told["scopes"] if scope.get("minimal") or not is_minimal]
    events = [event for scope in scopes for event in scope.get("events", ())]
    app["oauth_config"] = {"scopes": {"bot": [scope["name"] for scope in scopes]}}
    app["settings"]["event_subscriptions"]["bot_events"] = events
    if is_minimal:
        app["features"]["app_home"]["home_tab_enabled"] = False
    else:
        app["features"] |= told["full"]
        events += told["unscoped"]["events"]
    if url:
        app["settings"]["socket_mode_enabled"] = False
        for place in (app["settings"]["event_subscriptions"], app["settings"]["interactivity"]):
            place["request_url"] = url.rstrip("/") + PATH
        for command in app["features"]["slash_commands"]:
            command["url"] = url.rstrip("/") + PATH
    return json.dumps(app, indent=2)


def link(text: str) -> str:
    """Where one click creates an app with this manifest."""
    return _CREATE + quote(json.dumps(json.loads(text), separators=(",", ":")), safe="")
