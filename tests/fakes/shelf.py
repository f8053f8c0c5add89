"""A shelf in memory, asserted as data: what an adapter keeps, without a store."""

from bot.errors import StoreUnavailable
from tests.servers.common import Watched


class FakeShelf(Watched):
    """The port `Shelf`. `kept` is what lies there; nothing expires by itself. `is_away`: every call fails.

    `waits` are the seconds that the next tokens of a bucket cost, by its key; `tokens` what was taken of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, str] = {}
        self.expiries: dict[str, float] = {}
        self.waits: dict[str, list[float]] = {}
        self.tokens: dict[str, int] = {}
        self.is_away = False

    async def get(self, key: str) -> str | None:
        self._reach()
        return self.kept.get(key)

    async def put(self, key: str, value: str, *, expires_s: float) -> None:
        self._keep(key, value, expires_s)

    async def take_once(self, key: str, *, expires_s: float) -> bool:
        self._reach()
        if key in self.kept:
            return False
        self._keep(key, "", expires_s)
        return True

    async def lease(self, key: str, holder: str, *, expires_s: float) -> bool:
        self._reach()
        if self.kept.get(key, holder) != holder:
            return False
        self._keep(key, holder, expires_s)
        if not expires_s:
            del self.kept[key]
        return True

    async def take_token(self, key: str, *, per_s: float, burst: int, debt: int = 0) -> float:
        self._reach()
        waits = self.waits.get(key)
        wait_s = waits.pop(0) if waits else 0.0
        if not wait_s:
            self.tokens[key] = self.tokens.get(key, 0) + 1
        return wait_s

    def _keep(self, key: str, value: str, expires_s: float) -> None:
        self._reach()
        self.kept[key], self.expiries[key] = value, expires_s
        self.note()

    def _reach(self) -> None:
        if self.is_away:
            raise StoreUnavailable("scripted", retry_in_s=0.01)
