"""What Slack's error codes mean for us: again, told to the person, the workspace's end, or never. One table.

The codes are those of the methods' own pages (docs.slack.dev/reference/methods); one that is not listed is a "never".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.errors import BotError, MessageGone, PlatformUnavailable, ReplyUndeliverable


class Fate(StrEnum):
    """What an error code asks of us."""

    AGAIN = "again"
    """Slack may take the same request later."""
    GONE = "gone"
    """The message does not exist any more."""
    OTHERWISE = "otherwise"
    """Slack takes the same thing in another shape: posted instead of streamed, or as plain text."""
    HINT = "hint"
    """Somebody in the workspace can help; the notice says how."""
    STOP = "stop"
    """The workspace does not want us any more: nothing works until the settings change."""
    NEVER = "never"


_INVITE = "I'm not in that channel. Please invite me there first: /invite and my name."
_ADMIN = "Slack does not let me do that here. Whoever runs this workspace finds the reason in my log."
_ARCHIVED = "That channel is archived: nobody can write there."
_RESTRICTED = "Slack does not let me write there: the channel's posting permissions exclude me."
_LIST = {
    Fate.AGAIN: "ratelimited rate_limited message_limit_exceeded internal_error fatal_error service_unavailable "
    "request_timeout team_added_to_org accesslimited",
    Fate.GONE: "message_not_found",
    Fate.OTHERWISE: "unknown_method method_deprecated feature_not_enabled not_authorized invalid_blocks invalid_chunks "
    "message_not_in_streaming_state missing_recipient_team_id missing_recipient_user_id msg_blocks_too_long "
    "msg_too_long invalid_metadata_format metadata_too_large markdown_text_conflict",
    Fate.STOP: "not_authed invalid_auth token_revoked token_expired account_inactive org_login_required "
    "team_access_not_granted",
}
_HINTS = {
    _INVITE: "not_in_channel channel_not_found",
    _ARCHIVED: "is_archived",
    _RESTRICTED: "restricted_action restricted_action_read_only_channel restricted_action_thread_only_channel "
    "restricted_action_thread_locked restricted_action_non_threadable_channel user_is_restricted "
    "messages_tab_disabled cannot_reply_to_message",
    _ADMIN: "missing_scope no_permission access_denied not_allowed_token_type ekm_access_denied "
    "two_factor_setup_required",
    "That thread does not exist any more.": "thread_not_found",
    "Slack does not know that person here.": "user_not_found user_not_in_channel user_not_visible users_not_found",
    "That took too long: Slack's window for it has closed. Please try once more.": "expired_trigger_id "
    "trigger_expired exchanged_trigger_id trigger_exchanged invalid_trigger_id expired_url used_url",
}
FATES = {code: fate for fate, codes in _LIST.items() for code in codes.split()} | {
    code: Fate.HINT for codes in _HINTS.values() for code in codes.split()
}
"""Each known code's fate."""
NOTICES = {code: notice for notice, codes in _HINTS.items() for code in codes.split()}
"""What the person reads, by code."""


def fate_of(error: BotError) -> Fate:
    """The fate of an error that `errors_as_ours` made; its text begins with Slack's code."""
    return FATES.get(str(error).partition(" ")[0], Fate.NEVER)


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn what slack-sdk and aiohttp raise into PlatformUnavailable (again later) or ReplyUndeliverable (never).

    A refusal's text is Slack's code; of a missing scope the scope's name stands behind it.
    """
    try:
        yield
    except SlackApiError as error:
        told = getattr(error.response, "data", None)  # an answer that is no JSON is aiohttp's own: it has no `data`
        code = told.get("error") if isinstance(told, dict) else None
        fate = Fate.AGAIN if code is None else FATES.get(code, Fate.NEVER)
        if fate is Fate.AGAIN:
            wait_s = float(error.response.headers.get("Retry-After", 2))
            raise PlatformUnavailable(str(error), retry_in_s=wait_s) from error
        needed = f" ({told['needed']})" if isinstance(told, dict) and told.get("needed") else ""
        kind = MessageGone if fate is Fate.GONE else ReplyUndeliverable
        raise kind(f"{code}{needed}", notice=NOTICES.get(str(code))) from error
    except (aiohttp.ClientError, OSError) as error:
        raise PlatformUnavailable(str(error)) from error
