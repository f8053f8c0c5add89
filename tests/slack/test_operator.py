"""What an operator gets: a manifest, a check of what was granted, and a sentence for whatever is off."""

import json
import logging
import re
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from adapters.slack.client import SlackAdapter
from adapters.slack.doctor import examine
from adapters.slack.errors import FATES, NOTICES, Fate
from adapters.slack.manifest import link, manifest, missing, table
from bot import app, cli
from bot.settings import Settings
from tests.docs.pages import page
from tests.fakes.model import FakeModel
from tests.fakes.reply import FakeDraft
from tests.servers.common import Fault, Json
from tests.servers.harness import Heard, answer, running
from tests.servers.slack import SCOPES, SlackServer
from tests.slack.conftest import options_of

SHEET = """
not_in_channel channel_not_found missing_scope not_authed invalid_auth token_revoked account_inactive
restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel is_archived
thread_not_found no_permission ratelimited user_not_found access_denied not_allowed_token_type
message_not_in_streaming_state unknown_method feature_not_enabled method_deprecated not_authorized
missing_recipient_team_id missing_recipient_user_id invalid_blocks msg_blocks_too_long msg_too_long
"""
"""The codes that the reference names."""


def scopes_of(text: str) -> list[str]:
    scopes: list[str] = json.loads(text)["oauth_config"]["scopes"]["bot"]
    return scopes


# ---- the manifest


def test_the_manifest_asks_for_what_the_table_says() -> None:
    """All scopes, each with the events that come by it, the command, the shortcuts, the agent and its open tab."""
    told: Json = json.loads(manifest())
    assert set(scopes_of(manifest())) == set(SCOPES.split(","))
    events = told["settings"]["event_subscriptions"]["bot_events"]
    assert set(events) == {
        *("app_mention", "message.im", "message.channels", "message.groups", "message.mpim", "app_home_opened"),
        *("app_context_changed", "agent_session_stopped", "app_uninstalled", "tokens_revoked"),
    }
    features = told["features"]
    assert features["agent_view"]["agent_description"]
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert "assistant_view" not in features
    assert features["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }
    assert [command["command"] for command in features["slash_commands"]] == ["/ask", "/parley"]
    assert [command["should_escape"] for command in features["slash_commands"]] == [True, True]
    assert [shortcut["callback_id"] for shortcut in features["shortcuts"]] == ["ask_about", "summarise"]
    assert all(len(shortcut["name"]) <= 24 for shortcut in features["shortcuts"])
    assert told["settings"]["socket_mode_enabled"] is True
    assert told["settings"]["interactivity"] == {"is_enabled": True}
    assert yaml.safe_load(manifest()) == told


def test_the_minimal_manifest_asks_for_three_things() -> None:
    """Mentions, direct messages and slash commands; answering them is all else that it may."""
    told: Json = json.loads(manifest(is_minimal=True))
    assert scopes_of(manifest(is_minimal=True)) == ["app_mentions:read", "chat:write", "commands", "im:history"]
    assert told["settings"]["event_subscriptions"]["bot_events"] == ["app_mention", "message.im"]
    assert told["features"].keys() == {"app_home", "bot_user", "slash_commands"}
    assert told["features"]["app_home"]["messages_tab_enabled"] is True


def test_a_manifest_for_http_names_one_address() -> None:
    """Events, interactivity and the command all go to `/slack/events`; no socket is asked for."""
    told: Json = json.loads(manifest(url="https://bot.example.com/"))
    address = "https://bot.example.com/slack/events"
    assert told["settings"]["event_subscriptions"]["request_url"] == address
    assert told["settings"]["interactivity"]["request_url"] == address
    assert told["features"]["slash_commands"][0]["url"] == address
    assert told["settings"]["socket_mode_enabled"] is False


@pytest.mark.parametrize("flags", [[], ["--minimal"], ["--url", "https://bot.example.com"]])
def test_the_command_prints_the_manifest_and_its_link(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is the manifest alone; the link beside it carries the same."""
    assert cli.main(["manifest", "slack", *flags]) == 0
    told = capsys.readouterr()
    [address] = re.findall(r"https://api\.slack\.com/\S+", told.err)
    query = parse_qs(urlsplit(address).query)
    assert query["new_app"] == ["1"]
    assert json.loads(query["manifest_json"][0]) == json.loads(told.out)
    assert link(told.out) == address


# ---- what is granted


def test_each_scope_that_is_missing_names_what_is_off() -> None:
    """One line for each; nothing where Slack does not tell its grants."""
    assert list(missing(SCOPES)) == []
    assert list(missing("")) == []
    without = ",".join(scope for scope in SCOPES.split(",") if scope != "files:read")
    assert list(missing(without)) == [("files:read", "files cannot be read")]
    assert [name for name, _ in missing("chat:write, commands")] == [
        scope["name"] for scope in table()["scopes"] if scope["name"] not in ("chat:write", "commands")
    ]


async def test_parley_runs_on_the_minimum_and_says_what_is_off(
    server: SlackServer, adapter: SlackAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    """With three permissions mentions are answered; the log names each feature that is off."""
    server.scopes = ",".join(scopes_of(manifest(is_minimal=True)))
    refused = {"ok": False, "error": "missing_scope"}
    for method in ("users.info", "conversations.*", "agents.*", "chat.startStream"):
        server.faults.append(Fault(match=method, status=200, body=refused, times=99))
    heard = Heard()
    with caplog.at_level(logging.WARNING, "adapters.slack"):
        async with running(adapter, heard):
            server.ask(server.general, "well?")
            await answer(adapter, await heard.message(), FakeDraft(), FakeModel("Well."))
    assert [message.shown for message in server.general.by(server.bot)] == ["Well."]
    assert "Slack has not granted files:read: files cannot be read" in caplog.messages
    assert len([line for line in caplog.messages if "has not granted" in line]) == len(table()["scopes"]) - 4


# ---- doctor


async def test_doctor_finds_a_good_workspace_in_order(server: SlackServer) -> None:
    """It says who we are there, and that events must be compared by eye."""
    [(level, sentence, remedy)] = await examine(options_of(server))
    assert (level, remedy) == ("ok", "")
    assert sentence.startswith("parley in the workspace Team.")
    assert "parley manifest slack" in sentence


async def test_doctor_names_the_feature_of_each_missing_scope(server: SlackServer) -> None:
    """A warning with what is off, and what to do."""
    server.scopes = server.scopes.replace(",files:read", "")
    ok, missed = await examine(options_of(server))
    assert ok[0] == "ok"
    assert missed == (
        "warning",
        "files:read is not granted: files cannot be read",
        "Add the bot scope files:read under OAuth & Permissions, and install the app anew.",
    )


@pytest.mark.parametrize(("which", "variable"), [("bot_token", "SLACK_BOT_TOKEN"), ("app_token", "SLACK_APP_TOKEN")])
async def test_doctor_tells_which_token_is_wrong(server: SlackServer, which: str, variable: str) -> None:
    """Either token is tried; the one that Slack refuses is named."""
    options = options_of(server, **{which: "another"})
    assert (await examine(options))[-1][:2] == ("failure", f"{variable}: Slack says invalid_auth")


async def test_doctor_outlasts_a_slack_that_is_away(server: SlackServer) -> None:
    """No answer is a finding like others."""
    server.faults.append(Fault(match="auth.test", status=503))
    assert [level for level, *_ in await examine(options_of(server))] == ["failure"]


async def test_doctor_looks_at_slack_where_it_is_set(server: SlackServer) -> None:
    """The command's findings have Slack's among them; without a token nobody is asked."""
    env = {
        "SLACK_BOT_TOKEN": "xoxb-of-the-tests",
        "SLACK_APP_TOKEN": "xapp-of-the-tests",
        "SLACK_API_URL": server.api_url,
    }
    [finding] = await app.examine(Settings.load(env=env, env_file=None), ())
    assert (finding.name, finding.level) == ("Slack", "ok")
    assert await app.examine(Settings(), ()) == []


# ---- the table of errors


def test_every_known_error_has_a_fate() -> None:
    """Each code of the reference is retried, done otherwise, told to the person, or ends the workspace."""
    assert [code for code in SHEET.split() if code not in FATES] == []
    assert {code for code, fate in FATES.items() if fate is Fate.HINT} == NOTICES.keys()
    assert all(notice.endswith(".") for notice in NOTICES.values())


# ---- the page


def test_the_page_has_the_table_of_scopes() -> None:
    """docs/slack.md tells each scope with its reason and what breaks without it, as the manifest's table does."""
    rows = re.findall(r"^\| `([a-z:_]+)` \| (.+?) \| (.+?) \| (.*?) \|$", page("docs/slack.md"), re.MULTILINE)
    assert rows == [
        (scope["name"], scope["why"], scope["without"], ", ".join(f"`{event}`" for event in scope.get("events", ())))
        for scope in table()["scopes"]
    ]


def test_a_default_adapter_is_the_real_slack() -> None:
    """Nothing but a token is needed to speak to Slack itself."""
    env = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "PARLEY_SLACK_PROMPTS": "What now? | And, then?"}
    options = app._slack(Settings.load(env=env, env_file=None))
    assert (options.api_url, options.app_token, options.signing_secret) == ("https://slack.com/api/", "", "s")
    assert options.prompts == ("What now?", "And, then?")
    assert "xoxb-1" not in repr(options)
    assert [fact for fact in options.facts if fact.startswith("Model: ")] == ["Model: the default one"]
