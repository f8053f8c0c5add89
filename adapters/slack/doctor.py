"""What `parley doctor` finds out from Slack itself: whether the tokens are good, and what is off without a scope."""

from collections.abc import Sequence
from typing import Literal

from adapters.slack.errors import errors_as_ours
from adapters.slack.manifest import missing
from adapters.slack.options import Options
from adapters.slack.web import SlackWeb
from bot.errors import BotError

Found = tuple[Literal["ok", "warning", "failure"], str, str]
"""How it stands, a sentence, and what helps."""
_EVENTS = "Which events it is told, Slack does not say: compare Event Subscriptions with `parley manifest slack`."


async def examine(options: Options) -> Sequence[Found]:
    """Ask Slack who we are and what we may. Never raises."""
    web, found = SlackWeb(options.bot_token, options.api_url), list[Found]()
    try:
        with errors_as_ours():
            told = await web.auth_test()
        found.append(("ok", f"{told['user']} in the workspace {told['team']}. {_EVENTS}", ""))
        for scope, without in missing(told.headers.get("x-oauth-scopes", "")):
            remedy = f"Add the bot scope {scope} under OAuth & Permissions, and install the app anew."
            found.append(("warning", f"{scope} is not granted: {without}", remedy))
        if options.app_token:
            with errors_as_ours():
                await web.apps_connections_open(app_token=options.app_token)
    except BotError as error:
        which = "SLACK_APP_TOKEN" if found else "SLACK_BOT_TOKEN"
        remedy = "Where they come from: docs/slack.md. The app-level token needs the scope connections:write."
        found.append(("failure", f"{which}: Slack says {error}", remedy))
    finally:
        await web.close()
    return found
