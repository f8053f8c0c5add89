"""Who and what is called how: people and channels by name, kept for a day, and never a reason to lose a message."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from adapters.slack.translate import Known, Profile
from adapters.slack.web import SlackWeb
from bot.errors import PlatformUnavailable, ReplyUndeliverable
from bot.ports import Shelf

log = logging.getLogger(__name__)
_KEPT_S = 24 * 3600.0
_REMEMBERED_S = 3600.0
"""In memory, whether it was found or is refused."""
_FAILED_S = 60.0
_MOST = 5_000
_LOOKUP_S = 0.7
"""All look-ups of one message together: Slack waits three seconds for its acknowledgement."""
_MOST_AT_ONCE = 10


class Names:
    """The names of one workspace. A look-up that fails falls back to the id, for a minute. Raises StoreUnavailable."""

    def __init__(self, web: SlackWeb, shelf: Shelf, clock: Callable[[], float] = time.monotonic) -> None:
        self._web, self._shelf, self._clock = web, shelf, clock
        self._memory: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._not_before = 0.0

    async def known(self, team: str, ids: Iterable[str]) -> Known:
        """What is known of these people and channels, of the first ten."""
        found, until = dict[str, Profile](), asyncio.get_running_loop().time() + _LOOKUP_S
        for id in list(ids)[:_MOST_AT_ONCE]:
            if told := await self._told(team, id, until):
                name, home, flags = json.loads(told)
                bits = {"is_admin": "a" in flags, "is_guest": "g" in flags, "is_bot": "b" in flags}
                found[id] = Profile(name=name, team=home, **bits)
        return Known(found)

    async def _told(self, team: str, id: str, until: float) -> str:
        """Name, workspace and flags as JSON; empty where Slack does not tell them now."""
        kept_until, told = self._memory.get((team, id), (0.0, ""))
        if kept_until > self._clock():
            return told
        key, lasts_s = f"name:{team}:{id}", _REMEMBERED_S
        if (kept := await self._shelf.get(key)) is not None:
            told = kept
        else:
            try:
                told = await self._looked_up(id, until - asyncio.get_running_loop().time())
                await self._shelf.put(key, told, expires_s=_KEPT_S)
            except (PlatformUnavailable, ReplyUndeliverable) as error:
                log.info("the name of %s is not known: %s", id, error)
                told, lasts_s = "", _FAILED_S if isinstance(error, PlatformUnavailable) else _REMEMBERED_S
        self._memory[(team, id)] = (self._clock() + lasts_s, told)
        while len(self._memory) > _MOST:
            self._memory.popitem(last=False)
        return told

    async def _looked_up(self, id: str, within_s: float) -> str:
        if id[0] not in "UW":
            told = (await self._web.ask("conversations.info", {"channel": id}, within_s=within_s))["channel"]
            return json.dumps([told.get("name") or id, "", ""])
        if (wait_s := self._not_before - self._clock()) > 0:
            raise PlatformUnavailable("users.info is rate-limited", retry_in_s=wait_s)
        try:
            user = (await self._web.ask("users.info", {"user": id}, within_s=within_s))["user"]
        except PlatformUnavailable as error:
            self._not_before = self._clock() + (error.retry_in_s or 0.0)
            raise
        shown = user.get("profile") or {}
        name = shown.get("display_name") or shown.get("real_name") or user.get("real_name") or user.get("name") or id
        is_guest = user.get("is_restricted") or user.get("is_ultra_restricted")
        flags = {"a": user.get("is_admin") or user.get("is_owner"), "g": is_guest, "b": user.get("is_bot")}
        return json.dumps([name, user.get("team_id") or "", "".join(flag for flag, is_set in flags.items() if is_set)])
