"""Reads what was said before, for somebody who may read it now."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.errors import errors_as_ours
from adapters.slack.names import Names
from adapters.slack.translate import Raw, Seat, concerned, said
from adapters.slack.web import SlackWeb
from bot.errors import NotAllowed, ReplyUndeliverable
from bot.events import Conversation, MessageReceived, Person

_PAGES = 10
_NO_READER = "You are not in that channel, so I don't read it for you."


async def since(
    web: SlackWeb, names: Names, seat: Seat, place: Conversation, reader: Person, after: str, most: int
) -> Sequence[MessageReceived]:
    """The newest `most` messages of people from `after` on, oldest first; of a thread where `place` has one.

    Raises NotAllowed where `reader` is not in the channel now (a public one is open to full members), or
    PlatformUnavailable.
    """
    try:
        with errors_as_ours():
            if not await _may_read(web, names, seat, place.channel, reader):
                raise NotAllowed(f"{reader.id} reads {place.channel}", notice=_NO_READER)
            raws = await _raws(web, place, after, most)
    except ReplyUndeliverable as error:
        raise NotAllowed(str(error), notice=error.notice) from error
    found = []
    for raw in raws:
        known = await names.known(seat.team, concerned({"event": raw}, seat))
        message = said(raw, {"channel": place.channel}, seat, known)
        if message is not None and not message.author.is_bot and raw["ts"] >= after:
            found.append(message)
    return found[-most:]


async def _may_read(web: SlackWeb, names: Names, seat: Seat, channel: str, reader: Person) -> bool:
    if channel.startswith("D"):
        return True
    told = (await web.conversations_info(channel=channel))["channel"]
    profile = (await names.known(seat.team, [reader.id])).by_id.get(reader.id)
    is_member = profile is not None and not profile.is_guest and profile.team in ("", seat.team)
    if is_member and told.get("is_channel") and not told.get("is_private"):
        return True
    async for page in await web.conversations_members(channel=channel, limit=1000):
        if reader.id in page["members"]:
            return True
    return False


async def _raws(web: SlackWeb, place: Conversation, after: str, most: int) -> Sequence[Raw]:
    """Messages, oldest first: of a thread all pages, for Slack begins at its root; of a channel the newest pages."""
    method = "conversations.replies" if place.thread else "conversations.history"
    params = {"channel": place.channel, "limit": "999" if place.thread else "200", "inclusive": "true"}
    params |= ({"ts": place.thread} if place.thread else {}) | ({"oldest": after} if after else {})
    found: dict[str, Mapping[str, Any]] = {}
    pages = 0
    async for page in await web.api_call(method, http_verb="GET", params=dict(params)):
        found |= {raw["ts"]: raw for raw in page["messages"]}
        pages += 1
        if pages == _PAGES or (not place.thread and len(found) >= most):
            break
    return [found[ts] for ts in sorted(found)]
