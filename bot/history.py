"""The transcript of a conversation in Redis: append and load, export and erase. Questions enter by `inbox`."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from bot.events import Conversation
from bot.inbox import pairs_of
from bot.store import Store
from bot.stored import Entry, dump_entry, load_entries


class History:
    """Transcripts over a store, bounded by count and age. Raises StoreUnavailable where the store cannot serve."""

    def __init__(self, store: Store, *, keep_s: int = 30 * 86_400, keep_entries: int = 1000) -> None:
        self.store = store
        self.keep_s = keep_s
        self.keep_entries = keep_entries

    async def append(self, conversation: Conversation, entry: Entry, *, load: int = 50) -> list[Entry]:
        """Add an entry and return the newest `load` entries with it, oldest first: one round trip."""
        args = (conversation.key, dump_entry(entry), self.keep_s, self.keep_entries, load)
        return load_entries(await self.store.call("append", self._prefix(conversation), *args))

    async def load(self, conversation: Conversation, newest: int = 0) -> list[Entry]:
        """The newest entries, oldest first; all of them with 0."""
        return load_entries(await self.store.command("LRANGE", self._key("t:", conversation), -newest, -1))

    async def conversations(self, platform: str = "*") -> AsyncIterator[Conversation]:
        """Every conversation of which anything is kept: a transcript or a waiting lane."""
        found: set[str] = set()
        for kind in ("t", "l"):
            async for key in self.store.scan(f"parley:{{*}}:{kind}:{platform}:*"):
                found.add(key.partition(f"}}:{kind}:")[2].partition("|")[0])
        async for key in self.store.scan("parley:{*}:dead"):
            for letter in await self.store.command("HVALS", key):
                found.add(json.loads(letter)["lane"].partition("|")[0])
        for key in sorted(found):
            if platform in ("*", key.partition(":")[0]):
                yield Conversation.parse(key)

    async def export(self, conversations: Sequence[Conversation], author: str = "") -> list[dict[str, object]]:
        """All that is kept of conversations, or of one author in them, as plain JSON values; not of empty ones."""

        def theirs(value: dict[str, Any]) -> bool:
            who = value.get("author", "")
            return author in ("", who["id"] if isinstance(who, dict) else who)

        turns, exported = await self._turns(conversations, author), list[dict[str, object]]()
        for conversation in conversations:
            prefix, items = self._prefix(conversation), dict[str, list[str]](waiting=[], dead=[])
            entries = await self.store.command("LRANGE", self._key("t:", conversation), 0, -1)
            for lane in await self.store.command("SMEMBERS", prefix + "lanes"):
                if lane.startswith(conversation.key + "|") and "|!" not in lane:  # as in forget.lua
                    items["waiting"] += await self.store.command("LRANGE", f"{prefix}l:{lane}", 0, -1)
            for letter in map(json.loads, await self.store.command("HVALS", prefix + "dead")):
                if letter["lane"].startswith(conversation.key + "|"):
                    items["dead"] += letter["items"]
            ratings = map(json.loads, await self.store.command("HVALS", self._key("fb:", conversation)))
            kept: dict[str, object] = {
                "transcript": [entry for entry in map(json.loads, entries) if theirs(entry)],
                **{kind: [e for item in found if theirs(e := json.loads(item[1:]))] for kind, found in items.items()},
                "turns": list(turns.get(conversation.key, {}).values()),
                "ratings": [rating for rating in ratings if author in ("", rating["who"])],
            }
            if any(kept.values()):
                exported.append({"conversation": conversation.key, **kept})
        return exported

    async def erase(self, conversations: Sequence[Conversation], author: str = "") -> int:
        """Erase conversations, or what one author said in them with the answers to nobody else: how many pieces.

        Waiting and running questions are erased too: a turn over them starts again without them.
        """
        count = 0
        for conversation in conversations:
            count += await self.store.call("forget", self._prefix(conversation), conversation.key, author)
        # Read behind that, so that a turn which ended meanwhile is among them.
        for turns in (await self._turns(conversations, author)).values():
            count += await self.store.command("DEL", *turns)
        return count

    async def _turns(self, conversations: Sequence[Conversation], author: str) -> dict[str, dict[str, dict[str, str]]]:
        """The records of closed turns over an author's questions, by conversation; each shard is read once."""
        found: dict[str, dict[str, dict[str, str]]] = {one.key: {} for one in conversations}
        for prefix in {self._prefix(one) for one in conversations}:
            async for key in self.store.scan(prefix + "turn:*"):
                record = pairs_of(await self.store.command("HGETALL", key))
                place = record.get("lane", "").partition("|")[0]
                if place in found and author in ("", *record.get("authors", "").split(" ")):
                    found[place][key] = record
        return {place: turns for place, turns in found.items() if turns}

    def _key(self, kind: str, conversation: Conversation) -> str:
        return f"{self._prefix(conversation)}{kind}{conversation.key}"

    def _prefix(self, conversation: Conversation) -> str:
        return self.store.shard(conversation.channel_key)
