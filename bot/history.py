"""The transcript of a conversation in Redis: append and load, export and erase. Questions enter by `inbox`."""

import json
from collections.abc import AsyncIterator
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

    async def export(self, conversation: Conversation, author: str = "") -> dict[str, object]:
        """All that is kept of a conversation, or of one author in it, as plain JSON values."""

        def theirs(value: dict[str, Any]) -> bool:
            who = value.get("author", "")
            return author in ("", who["id"] if isinstance(who, dict) else who)

        entries = await self.store.command("LRANGE", self._key("t:", conversation), 0, -1)
        items: dict[str, list[str]] = {"waiting": [], "dead": []}
        async for key in self.store.scan(self._key("l:", conversation) + "|*"):
            items["waiting"] += await self.store.command("LRANGE", key, 0, -1)
        for letter in map(json.loads, await self.store.command("HVALS", self._prefix(conversation) + "dead")):
            if letter["lane"].startswith(conversation.key + "|"):
                items["dead"] += letter["items"]
        return {
            "conversation": conversation.key,
            "transcript": [entry for entry in map(json.loads, entries) if theirs(entry)],
            **{kind: [e for item in found if theirs(e := json.loads(item[1:]))] for kind, found in items.items()},
            "turns": [record async for _, record in self._turns(conversation, author)],
        }

    async def erase(self, conversation: Conversation, author: str = "") -> int:
        """Erase a conversation, or what one author said in it with the answers to nobody else: how many pieces.

        Waiting and running questions are erased too: a turn over them starts again without them.
        """
        count: int = await self.store.call("forget", self._prefix(conversation), conversation.key, author)
        async for key, _ in self._turns(conversation, author):
            await self.store.command("DEL", key)
            count += 1
        return count

    async def _turns(self, conversation: Conversation, author: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
        async for key in self.store.scan(f"{self._prefix(conversation)}turn:*"):
            record = pairs_of(await self.store.command("HGETALL", key))
            is_here = record.get("lane", "").startswith(conversation.key + "|")
            if is_here and author in ("", *record.get("authors", "").split(" ")):
                yield key, record

    def _key(self, kind: str, conversation: Conversation) -> str:
        return f"{self._prefix(conversation)}{kind}{conversation.key}"

    def _prefix(self, conversation: Conversation) -> str:
        return self.store.shard(conversation.channel_key)
