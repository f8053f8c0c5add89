"""Who and what is called how: people and channels by name, kept for a day, and never a reason to lose a message."""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from adapters.slack.errors import errors_as_ours
from adapters.slack.translate import Known, Profile
from adapters.slack.web import SlackWeb
from bot.errors import BotError
from bot.ports import Shelf

log = logging.getLogger(__name__)
_KEPT_S = 24 * 3600.0
_REMEMBERED_S = 3600.0
"""In memory; so is a failure, for less long."""
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

    async def known(self, team: str, ids: Iterable[str]) -> Known:
        """What is known of these people and channels, of the first ten."""
        people, channels = dict[str, Profile](), dict[str, str]()
        until = asyncio.get_running_loop().time() + _LOOKUP_S
        for id in list(ids)[:_MOST_AT_ONCE]:
            if told := await self._told(team, id, until):
                if id[0] in "UW":
                    name, home, flags = json.loads(told)
                    bits = {"is_admin": "a" in flags, "is_guest": "g" in flags, "is_bot": "b" in flags}
                    people[id] = Profile(name=name, team=home, **bits)
                else:
                    channels[id] = told
        return Known(people=people, channels=channels)

    async def _told(self, team: str, id: str, until: float) -> str:
        kept = self._memory.get((team, id))
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        key, look = f"name:{team}:{id}", self._person if id[0] in "UW" else self._channel
        told, expires_s = await self._shelf.get(key), _REMEMBERED_S
        if told is None:
            told = await self._looked_up(look, id, until)
            if told:
                await self._shelf.put(key, told, expires_s=_KEPT_S)
            else:
                expires_s = _FAILED_S
        self._memory[(team, id)] = (self._clock() + expires_s, told)
        while len(self._memory) > _MOST:
            self._memory.popitem(last=False)
        return told

    async def _looked_up(self, look: Callable[[str], Awaitable[str]], id: str, until: float) -> str:
        try:
            with errors_as_ours():
                async with asyncio.timeout_at(until):
                    return await look(id)
        except BotError as error:
            log.info("the name of %s is not known: %s", id, error)
            return ""

    async def _person(self, id: str) -> str:
        user: dict[str, Any] = (await self._web.users_info(user=id))["user"]
        profile = user.get("profile") or {}
        name = (
            profile.get("display_name") or profile.get("real_name") or user.get("real_name") or user.get("name") or id
        )
        is_guest = user.get("is_restricted") or user.get("is_ultra_restricted")
        flags = {"a": user.get("is_admin") or user.get("is_owner"), "g": is_guest, "b": user.get("is_bot")}
        return json.dumps([name, user.get("team_id") or "", "".join(flag for flag, is_set in flags.items() if is_set)])

    async def _channel(self, id: str) -> str:
        return str((await self._web.conversations_info(channel=id))["channel"].get("name") or "")
