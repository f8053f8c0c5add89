"""The shelf: the small durable things of an adapter (cursors, budgets, leases), each with an expiry."""

from bot.store import Store


class RedisShelf:
    """The port `Shelf` over a store; one adapter's keys never meet another's."""

    def __init__(self, store: Store, platform: str) -> None:
        self._store = store
        self._prefix = f"parley:{{shelf:{platform}}}:"

    async def get(self, key: str) -> str | None:
        """The value, or None once it has expired."""
        value: str | None = await self._store.command("GET", self._prefix + key)
        return value

    async def put(self, key: str, value: str, *, expires_s: float) -> None:
        """Keep a value for a time."""
        await self._store.command("SET", self._prefix + key, value, "PX", round(expires_s * 1000))

    async def take_once(self, key: str, *, expires_s: float) -> bool:
        """True for the first caller until the key expires."""
        return bool(await self._store.call("shelf", self._prefix, "once", key, round(expires_s * 1000)))

    async def lease(self, key: str, holder: str, *, expires_s: float) -> bool:
        """Take or renew; false while somebody else holds it. `expires_s` of 0 gives it back."""
        return bool(await self._store.call("shelf", self._prefix, "lease", key, holder, round(expires_s * 1000)))

    async def take_token(self, key: str, *, per_s: float, burst: int, debt: int = 0) -> float:
        """Take one token of a bucket that refills at `per_s` a second up to `burst`: seconds to wait, 0 = taken.

        Up to `debt` tokens are lent.
        """
        wait_ms: int = await self._store.call("shelf", self._prefix, "token", key, per_s, burst, debt)
        return wait_ms / 1000
