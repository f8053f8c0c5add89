"""The files that hang at questions: which are read and as what, and what is said about the others."""

import asyncio
import re
import tomllib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Literal

from bot.errors import BotError, FileUnreadable, texts
from bot.events import Attachment
from bot.ports import Files, Image
from bot.prompt import Material
from bot.stored import Entry, material

Kind = Literal["text", "picture"]
Seeing = Callable[[str], Awaitable[str | None]]
"""From a model (empty: the default) to the one that is asked about pictures in its place; None: no model can see."""
MOST: dict[Kind, tuple[int, int]] = {"text": (5, 256 * 1024), "picture": (4, 5 * 1024 * 1024)}
"""How many of a kind a turn reads, and the bytes of each: more text than a prompt holds, pictures of a telephone's
camera; and no more than many turns at once can hold in memory."""
NAMED = 20
"""So many files are declined by name; of more only the number is told."""
UNREAD = "(not read)"
_PICTURE = re.compile(
    rb"(?s)(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<gif>GIF8[79]a)|(?P<webp>RIFF.{4}WEBP)"
)
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(slots=True, kw_only=True)
class Haul:
    """What was taken of a batch's files.

    `texts` are name and text; `model` is who shall be asked, which `images` may change. `declined` are names by the
    reason; `lost` are those of text files which may be read another time.
    """

    model: str = ""
    texts: list[tuple[str, str]] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    declined: dict[str, list[str]] = field(default_factory=dict)
    lost: dict[str, list[str]] = field(default_factory=dict)

    async def read(
        self, files: Files | None, attachments: Sequence[Attachment], seeing: Seeing, within_s: float
    ) -> None:
        """Read what may be read, all at once, each within this time. What cannot be read raises nothing."""
        kinds = [kind_of(one) for one in attachments]
        model = await seeing(self.model) if "picture" in kinds else None
        counts, chosen = dict.fromkeys(MOST, 0), list[tuple[Attachment, Kind]]()
        for one, kind in zip(attachments, kinds, strict=True):
            if kind is None:
                self._decline(one, texts()["file_kind"])
            elif kind == "picture" and model is None:
                self._decline(one, texts()["file_blind"])
            elif one.size > MOST[kind][1]:
                self._decline(one, texts()["file_large"].format(most=MOST[kind][1] // 1024))
            elif counts[kind] >= MOST[kind][0]:
                self._decline(one, texts()["file_many"].format(most=MOST[kind][0]))
            else:
                counts[kind] += 1
                chosen.append((one, kind))
        async with asyncio.TaskGroup() as group:
            got = [group.create_task(_bytes(files, one, MOST[kind][1], within_s)) for one, kind in chosen]
        for (one, kind), data in zip(chosen, got, strict=True):
            self._take(one, kind, data.result())
        self.model = model if model and self.images else self.model

    def given(self, kept: str, channel: Sequence[Entry]) -> Material:
        """What the prompt gets. `kept` is what an earlier answer read of these files: it stands in for lost ones."""
        if self.lost and kept:
            return Material(attached=kept, images=tuple(self.images), channel=channel)
        for reason, names in self.lost.items():
            self.declined.setdefault(reason, []).extend(names)
        unread = material("\n".join(self.notices()))
        files = (*self.texts, (UNREAD, unread)) if unread else self.texts
        return Material(files=files, images=tuple(self.images), channel=channel)

    def remark(self, cut: Sequence[str]) -> str:
        """What the person reads under the answer about files that were not read, or not to their end."""
        said = [*self.notices(), *(texts()["file_cut"].format(name=name) for name in cut if name != UNREAD)]
        return f"*({' '.join(said)})*" if said else ""

    def _take(self, one: Attachment, kind: Kind, data: bytes | FileUnreadable) -> None:
        if isinstance(data, FileUnreadable):
            (self.lost if kind == "text" else self.declined).setdefault(data.reason, []).append(one.name)
        elif not data:
            self._decline(one, texts()["file_empty"])
        elif kind == "text":
            encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
            text = data.decode(encoding, "replace")
            if "\0" in text:
                self._decline(one, texts()["file_binary"])
            else:
                self.texts.append((one.name, material(text)))
        elif found := _PICTURE.match(data):
            self.images.append(Image(media_type=f"image/{found.lastgroup}", data=data))
            self.texts.append((one.name, texts()["file_picture"]))
        else:
            self._decline(one, texts()["file_no_picture"])

    def _decline(self, one: Attachment, reason: str) -> None:
        self.declined.setdefault(reason, []).append(one.name)

    def notices(self) -> Iterator[str]:
        """A sentence for each reason why something was not read."""
        for reason, names in self.declined.items():
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            yield FileUnreadable(", ".join(names[:NAMED]) + more, reason).notice


def kind_of(one: Attachment) -> Kind | None:
    """What to read a file as, by what its platform and its name say: its bytes have the last word."""
    media, ending = one.media_type.partition(";")[0].strip().lower(), one.name.lower().rpartition(".")[2]
    for kind, known in _known().items():
        if ending in known["endings"] or any(fnmatchcase(media, pattern) for pattern in known["types"]):
            return kind
    return None


@cache
def _known() -> dict[Kind, dict[str, list[str]]]:
    known = tomllib.loads(resources.files("bot").joinpath("data/files.toml").read_text("utf-8"))
    return {kind: known[kind] for kind in MOST}


async def _bytes(files: Files | None, one: Attachment, most: int, within_s: float) -> bytes | FileUnreadable:
    if files is None:
        return FileUnreadable(one.name, texts()["file_nowhere"])
    try:
        async with asyncio.timeout(within_s):
            return await files.read(one, most)
    except FileUnreadable as error:
        return error
    except (BotError, TimeoutError):
        return FileUnreadable(one.name, texts()["file_away"])
