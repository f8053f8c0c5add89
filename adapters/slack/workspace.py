"""One workspace as its replies share it: every Web API call, what Slack has refused for now, and the shared budgets."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError

from adapters.slack.budget import STREAMS, Budget, Places, per_s
from adapters.slack.errors import errors_as_ours
from adapters.slack.web import SlackWeb
from bot.errors import BotError, PlatformUnavailable, StoreUnavailable
from bot.ports import Shelf

REFUSED_S = 3600.0
"""For how long an ability that Slack has refused is not tried again."""
_COUNTED_S = 2.0
EDITS = 64
SESSIONS = 64
"""Sessions that are known to a sweep; Slack itself clears one that is not after an hour."""


_LASTING = frozenset(
    {"unknown_method", "method_deprecated", "feature_not_enabled", "not_authorized", "missing_scope"}
    | {"not_allowed_token_type"}
)


def is_lasting(error: BotError) -> bool:
    """Whether an ability is missing for this app at all, rather than for this message."""
    return str(error).partition(" ")[0] in _LASTING


class Busy(PlatformUnavailable):
    """Slack refused a call for its rate limit: it surely did not take effect."""


class Workspace:
    """`team` and `bot` are the workspace's id and our user's id there, once they are known."""

    def __init__(self, web: SlackWeb, shelf: Shelf, clock: Callable[[], float] = time.monotonic) -> None:
        self.web, self.shelf, self.clock = web, shelf, clock
        self.team = self.bot = ""
        self._held: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self._live: dict[str, tuple[float, int]] = {}

    async def know(self) -> None:
        """Learn who we are here, where a reply comes before the connection."""
        if not self.team:
            told = await self.call("auth.test", {})
            self.team, self.bot = told["team_id"], told["user_id"]

    # ---- calls

    async def call(self, method: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """One call. A 429 holds this method for its Retry-After, here, and is Busy."""
        with errors_as_ours():
            try:
                return (await self.web.api_call(method, json=dict(body))).data  # type: ignore[return-value]  # JSON
            except SlackApiError as error:
                if getattr(error.response, "status_code", 0) != 429:
                    raise
                wait_s = float(error.response.headers.get("Retry-After", 2))
                self._held[method] = self.clock() + wait_s
                raise Busy(method, retry_in_s=wait_s) from error

    async def read(self, method: str, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """The messages of all pages."""
        found: list[Mapping[str, Any]] = []
        with errors_as_ours():
            async for page in await self.web.api_call(method, http_verb="GET", params=dict(params)):
                found += page["messages"]
        return found

    # ---- what may be done now

    def refuse(self, ability: str) -> None:
        """Slack does not let us do this; it is tried again after a while, for an admin may have changed it."""
        self._refused[ability] = self.clock() + REFUSED_S

    def is_refused(self, ability: str) -> bool:
        return self._refused.get(ability, 0.0) > self.clock()

    async def wait_s(self, method: str, *, is_final: bool = False, channel: str = "") -> float:
        """Seconds until the method may be called; 0: now, and it is counted. No outage of the store holds up a final.

        A post is counted in its channel; the start and the stop of a stream by its place.
        """
        budget = Budget(self.shelf, self.team)
        try:
            if (held_s := self.held_s(method)) or method == "chat.stopStream":
                return held_s
            if method == "chat.postMessage":
                return await budget.take_post(channel)
            return await budget.take(method, is_final=is_final)
        except StoreUnavailable:
            if is_final:
                return 0.0
            raise

    def held_s(self, method: str) -> float:
        """For how long Slack wants no more calls of this method, seconds."""
        return max(0.0, self._held.get(method, 0.0) - self.clock())

    @property
    def streams(self) -> Places:
        return Places(self.shelf, f"{self.team}:stream", STREAMS)

    @property
    def sessions(self) -> Places:
        return Places(self.shelf, f"{self.team}:session", SESSIONS)

    @property
    def edits(self) -> Places:
        """Answers that grow by edits; one that finds no place here is only not counted."""
        return Places(self.shelf, f"{self.team}:edit", EDITS)

    async def cadence_s(self, method: str) -> float:
        """How often each live stream, or each answer that grows by edits, may grow: their budget by their number."""
        at, count = self._live.get(method, (0.0, 1))
        if self.clock() - at > _COUNTED_S:
            places = self.edits if method == "chat.update" else self.streams
            count = max(1, len(await places.holders()))
            self._live[method] = (self.clock(), count)
        return count / per_s(method)
