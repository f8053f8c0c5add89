"""The Slack adapter against the fake of Slack, which tells everything by signed requests over HTTP."""

import socket
from contextlib import AbstractAsyncContextManager

from tests.contract.rigs import slack

EDITS = True


def open_rig() -> AbstractAsyncContextManager[slack.SlackRig]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return slack.open_rig(http_port=port)
