"""The Slack adapter against the fake of Slack, with answers in channels that are posted and edited."""

from contextlib import AbstractAsyncContextManager

from tests.contract.rigs import slack

EDITS = True


def open_rig() -> AbstractAsyncContextManager[slack.SlackRig]:
    return slack.open_rig("edit")
