"""What Parley says to people: one English catalogue, and others through gettext."""

import ast
import re
import struct
from pathlib import Path

import pytest

import bot.channels
import bot.commands  # noqa: F401 - for the errors that they declare
from bot.errors import BotError, catalogue, texts

ROOT = Path(__file__).parent.parent.parent


def mo(messages: dict[str, str]) -> bytes:
    """A catalogue as `msgfmt` writes it."""
    pairs = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **messages}.items())
    ids = [(key.encode(), text.encode()) for key, text in pairs]
    start = 28 + 16 * len(ids)
    blob = b""
    tables: tuple[list[bytes], list[bytes]] = ([], [])
    for column in (0, 1):
        for pair in ids:
            tables[column].append(struct.pack("<II", len(pair[column]), start + len(blob)))
            blob += pair[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(ids), 28, 28 + 8 * len(ids), 0, 0)
    return head + b"".join(tables[0]) + b"".join(tables[1]) + blob


def test_another_language_takes_the_place_of_the_english_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a language lacks stays English."""
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "parley.mo").write_bytes(mo({"EmptyAnswer": "Das Modell hat nichts gesagt."}))
    monkeypatch.setenv("LANGUAGE", "de")
    found = catalogue(tmp_path)
    assert found["EmptyAnswer"] == "Das Modell hat nichts gesagt."
    assert found["NotAllowed"] == texts()["NotAllowed"]
    monkeypatch.setenv("LANGUAGE", "en")
    assert catalogue(tmp_path)["EmptyAnswer"] != found["EmptyAnswer"]


def test_every_text_that_is_named_exists_and_every_text_is_used() -> None:
    """No name without a text, no text without a use: errors by their class, all else by its name in the code."""
    files = [path for folder in ("bot", "adapters", "handlers") for path in (ROOT / folder).rglob("*.py")]
    code = "\n".join(path.read_text("utf-8") for path in files)
    named = set(re.findall(r"texts\(\)\[\"(\w+)\"", code))
    assert named <= set(texts())
    words = {
        node.value
        for path in files
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    kinds = {kind.__name__ for kind in _children(BotError)} | {"BotError"}
    built = ("button_", "why_")  # put together from an action's or a row's name
    told = {"length", "filter"}  # named by the model's port
    unused = [name for name in texts() if name not in words | kinds | told and not name.startswith(built)]
    assert unused == []


def _children(kind: type[BotError]) -> set[type[BotError]]:
    return {kind, *(grandchild for child in kind.__subclasses__() for grandchild in _children(child))}
