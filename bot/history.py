"""The transcript of a conversation in Redis: append and load, export and erase. Questions enter by `inbox`."""

import json
from collections.abc import AsyncIterator
from typing import cast

from bot.events import Conversation
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
        return load_entries(cast(list[bytes], await self.store.call("append", self._prefix(conversation), *args)))

    async def load(self, conversation: Conversation, newest: int = 0) -> list[Entry]:
        """The newest entries, oldest first; all of them with 0."""
        return load_entries(await self._lines(f"{self._prefix(conversation)}t:{conversation.key}", -newest))

    async def conversations(self, platform: str = "*") -> AsyncIterator[Conversation]:
        """Every conversation of which anything is kept: a transcript or a waiting lane."""
        found: set[str] = set()
        for kind in ("t", "l"):
            async for key in self.store.scan(f"parley:{{*}}:{kind}:{platform}:*"):
                found.add(key.partition(f"}}:{kind}:")[2].partition("|")[0])
        async for key in self.store.scan("parley:{*}:dead"):
            letters = cast(list[bytes], await self.store.command("HVALS", key))
            found |= {json.loads(letter)["lane"].partition("|")[0] for letter in letters}
        for key in sorted(found):
            if platform in ("*", key.partition(":")[0]):
                yield Conversation.parse(key)

    async def export(self, conversation: Conversation, author: str = "") -> dict[str, object]:
        """All that is kept of a conversation, or of one author in it, as plain JSON values."""
        prefix = self._prefix(conversation)
        entries = [json.loads(raw) for raw in await self._lines(f"{prefix}t:{conversation.key}")]
        waiting = []
        async for key in self.store.scan(_literal(f"{prefix}l:{conversation.key}|") + "*"):
            waiting += [json.loads(raw[1:]) for raw in await self._lines(key)]
        letters = [json.loads(raw) for raw in cast(list[bytes], await self.store.command("HVALS", prefix + "dead"))]
        return {
            "conversation": conversation.key,
            "transcript": [entry for entry in entries if author in ("", entry.get("author"))],
            "waiting": [event for event in waiting if author in ("", event["author"]["id"])],
            "dead": [
                event
                for letter in letters
                if letter["lane"].startswith(conversation.key + "|")
                for event in (json.loads(item[1:]) for item in letter["items"])
                if author in ("", event["author"]["id"])
            ],
            "turns": [record async for _, record in self._turns(conversation, author)],
        }

    async def erase(self, conversation: Conversation, author: str = "") -> int:
        """Erase a conversation, or what one author said in it with the answers to nobody else: how many pieces.

        Waiting and running questions are erased too: a turn over them starts again without them.
        """
        count = cast(int, await self.store.call("forget", self._prefix(conversation), conversation.key, author))
        async for key, _ in self._turns(conversation, author):
            await self.store.command("DEL", key)
            count += 1
        return count

    async def _turns(self, conversation: Conversation, author: str) -> AsyncIterator[tuple[str, dict[str, str]]]:
        async for key in self.store.scan(f"{self._prefix(conversation)}turn:*"):
            raw = cast(list[bytes] | dict[bytes, bytes], await self.store.command("HGETALL", key))
            pairs = list(raw.items()) if isinstance(raw, dict) else list(zip(raw[::2], raw[1::2], strict=True))
            record = {name.decode(): value.decode() for name, value in pairs}
            if record.get("lane", "").startswith(conversation.key + "|"):
                authors = record.get("authors", "").split(" ")
                if author in ("", *authors):
                    yield key, record

    async def _lines(self, key: str, first: int = 0) -> list[bytes]:
        return cast(list[bytes], await self.store.command("LRANGE", key, first, -1))

    def _prefix(self, conversation: Conversation) -> str:
        return self.store.shard(conversation.channel_key)


def _literal(text: str) -> str:
    # In a SCAN pattern these four have a meaning of their own.
    for sign in "\\[]?*":
        text = text.replace(sign, "\\" + sign)
    return text
