"""Who may ask, how often, and how much a workspace may spend a day: checked before the model is called."""

from collections.abc import Callable
from datetime import UTC, datetime

from bot.errors import BudgetSpent, NotAllowed, RateLimited
from bot.events import Conversation, Person
from bot.settings import Settings
from bot.store import Store


class Limits:
    """Reserve before the model is called, settle after: both idempotent by turn id."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float]) -> None:
        self.store = store
        self.settings = settings
        self._clock = clock

    def permit(self, conversation: Conversation, person: Person, *, is_direct: bool) -> None:
        """Raises NotAllowed where a list forbids the person, the channel or the workspace. No I/O."""
        rules, platform = self.settings, conversation.platform
        for id, allowed, denied in (
            (person.id, rules.allowed_people, rules.denied_people),
            (conversation.channel, () if is_direct else rules.allowed_channels, rules.denied_channels),
            (conversation.workspace, rules.allowed_workspaces, rules.denied_workspaces),
        ):
            name = f"{platform}:{id}"
            if name in denied or (allowed and name not in allowed):
                raise NotAllowed(name)
        listed = f"{platform}:{person.id}" in rules.allowed_people
        if is_direct and (rules.direct_messages == "off" or (rules.direct_messages == "listed" and not listed)):
            raise NotAllowed(f"direct messages are {rules.direct_messages}")

    async def spent_today(self, conversation: Conversation) -> int:
        """The tokens that the workspace has booked or spent today (UTC)."""
        day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        prefix = self.store.workspace(conversation.workspace_key)
        return int(await self.store.command("GET", f"{prefix}tokens:{day}") or 0)

    async def reserve(self, turn: str, conversation: Conversation, person: str, tokens: int) -> str:
        """Reserve a question of the person's rate and `tokens` of the workspace's day: the day, to settle with.

        Raises RateLimited or BudgetSpent.
        """
        rate, now_s = self.settings.person_rate, self._clock()
        day = datetime.fromtimestamp(now_s, UTC).date().isoformat()
        prefix = self.store.workspace(conversation.workspace_key)
        limits = (rate.count, round(rate.per_s * 1000), self.settings.workspace_daily_tokens)
        args = (turn, person, *limits, tokens, day, round(-now_s % 86_400 * 1000))
        match await self.store.surely(lambda: self.store.call("reserve", prefix, *args)):
            case [0, "rate", int(wait_ms)]:
                raise RateLimited(wait_ms / 1000)
            case [0, "budget", int(wait_ms)]:
                raise BudgetSpent(wait_ms / 1000)
        return day

    def bill(self, turn: str, conversation: Conversation, day: str, tokens: int) -> str:
        """What a closed turn really used, as text to be stored with its commit and settled by a sweep."""
        return f"{turn} {conversation.workspace_key} {day} {tokens}"

    async def settle(self, bill: str) -> None:
        """Put the tokens of a bill in its reservation's place. Safe to repeat."""
        turn, workspace, day, tokens = bill.split(" ")
        await self.store.call("settle", self.store.workspace(workspace), turn, day, int(tokens))
