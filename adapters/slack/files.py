"""Reads the files that hang at questions: the token goes to Slack's own hosts only, and a login page is no file."""

import asyncio

import aiohttp
from yarl import URL

from adapters.slack.errors import errors_as_ours
from adapters.slack.web import SlackWeb
from bot.errors import FileUnreadable, PlatformUnavailable, ReplyUndeliverable
from bot.events import Attachment

_READ_S = 20.0
_NO_SCOPE = "Slack does not let me read files (the scope files:read is missing; whoever runs me can add it)"


async def read(web: SlackWeb, attachment: Attachment, most: int) -> bytes:
    """The file, at most `most` bytes. Raises FileUnreadable or PlatformUnavailable."""
    name = attachment.name
    try:
        with errors_as_ours():
            async with asyncio.timeout(_READ_S):
                # Also where the event itself had an address: with Slack Connect it may have had none.
                told = (await web.files_info(file=attachment.id))["file"]
                url, size = URL(str(told.get("url_private") or "")), int(told.get("size") or 0)
                if not _is_slacks(url, web.base_url):
                    raise FileUnreadable(name, "it is not kept on Slack")
                if size > most:
                    raise FileUnreadable(name, _too_large(most))
                headers = {"Authorization": f"Bearer {web.token}"}
                async with web.open().get(url, headers=headers, proxy=web.proxy, allow_redirects=False) as answer:
                    return await _content(answer, name, str(told.get("mimetype") or ""), size, most)
    except ReplyUndeliverable as error:
        raise FileUnreadable(name, _NO_SCOPE if "missing_scope" in str(error) else "Slack no longer has it") from error


def _is_slacks(url: URL, api_url: str) -> bool:
    """Whether the token may go there: to hosts of Slack's, or to where it goes with every call anyway."""
    host, api = url.host or "", URL(api_url)
    is_slack = any(host == one or host.endswith(f".{one}") for one in ("slack.com", api.host))
    return (is_slack and url.scheme == "https") or (url.is_absolute() and url.origin() == api.origin())


async def _content(answer: aiohttp.ClientResponse, name: str, kind: str, size: int, most: int) -> bytes:
    if answer.status == 429 or answer.status >= 500:
        raise PlatformUnavailable(f"a file: status {answer.status}")
    if answer.status in (404, 410):
        raise FileUnreadable(name, "Slack no longer has it")
    data = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        data += chunk
        if len(data) > most:
            raise FileUnreadable(name, _too_large(most))
    # Without the scope Slack answers 200 with the HTML of its login page, or sends us there.
    is_page = answer.content_type == "text/html" or data.lstrip()[:9].lower().startswith((b"<!doctype", b"<html"))
    if answer.status != 200 or (is_page and (kind != "text/html" or len(data) != size)):
        raise FileUnreadable(name, _NO_SCOPE)
    return bytes(data)


def _too_large(most: int) -> str:
    return f"it is larger than {most / 1e6:.0f} MB" if most >= 1_000_000 else f"it is larger than {most:,} bytes"
