"""Every shape in which Slack tells something, as a file of tests/payloads/slack: what it means, or that it is nothing.

The payloads are written from docs.slack.dev (its pages on events, interaction payloads and slash commands); each file
holds one and the event that it means. A bug in a translation adds one.
"""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from adapters.slack import controls
from adapters.slack.translate import Known, Profile, Seat, concerned, happened, viewed
from bot.events import Event
from tests.servers.common import Json

FOLDER = Path(__file__).parents[1] / "payloads" / "slack"
SEAT = Seat(team="T0AA1", user="U0BOT1", name="parley")
KNOWN = Known(
    {
        "U0ALI1": Profile(name="Alice", team="T0AA1", is_admin=True),
        "U0BOB1": Profile(name="Bob", team="T0AA1"),
        "U0EXT1": Profile(name="Eve", team="T0EXT1"),
        "C0GEN1": Profile(name="general"),
    }
)
NOW = 1_793_000_011.0


def translated(payload: Json) -> Event | None:
    """What a payload means, by its kind."""
    if "command" in payload:
        root = "" if controls.wants_privacy(payload) else "1793000011.000900"
        return controls.asked(payload, SEAT, KNOWN, root=root, now=NOW)
    match payload["type"], payload.get("callback_id") or payload.get("view", {}).get("callback_id"):
        case "event_callback", _:
            return happened(payload, SEAT, KNOWN)
        case "message_action", "summarise":
            return controls.summarised(payload, SEAT, KNOWN, now=NOW)
        case "view_submission", "ask_about":
            return controls.asked_about(payload, SEAT, KNOWN, now=NOW)
        case "view_submission", "correct":
            return controls.corrected(payload, SEAT, KNOWN, now=NOW)
        case "block_actions", _:
            return controls.acted(payload, SEAT, KNOWN)
    return None


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_each_shape_means(path: Path) -> None:
    """The payload of the file is the event of the file."""
    told = json.loads(path.read_text("utf-8"))
    event = translated(told["payload"])
    assert (None if event is None else json.loads(json.dumps(asdict(event)))) == told["event"]


def test_a_translation_needs_no_names() -> None:
    """With nothing known by name every shape means the same, with ids in the names' place."""
    for path in FOLDER.glob("*.json"):
        told = json.loads(path.read_text("utf-8"))
        if told["payload"].get("type") == "event_callback":
            bare = happened(told["payload"], SEAT, Known())
            assert (bare is None) == (told["event"] is None), path.stem


def test_whose_names_are_wanted() -> None:
    """Those of the author and of whom the text and what it forwards name; never our own."""
    told = json.loads((FOLDER / "app_mention.json").read_text("utf-8"))["payload"]
    assert concerned(told, SEAT) == ("U0ALI1", "U0BOB1")
    told = json.loads((FOLDER / "message_forwarded.json").read_text("utf-8"))["payload"]
    assert concerned(told, SEAT) == ("U0ALI1",)


def test_what_the_modal_carries_fits_into_it() -> None:
    """However long a message is, and whatever it is made of, Slack takes what the modal carries of it (3,000)."""
    told = json.loads((FOLDER / "shortcut_ask_about.json").read_text("utf-8"))["payload"]
    assert json.loads(controls.subject(told, SEAT, KNOWN)) == [
        *("C0GEN1", "1792999000.000200", "1793000000.000100", "Bob", "Ship on <Friday>, @Alice?"),
    ]
    for sign in ("a", '"', "\\", "\n", "\U0001f600"):
        told["message"]["text"] = sign * 5_000
        assert len(controls.subject(told, SEAT, KNOWN)) <= 3_000


def test_what_an_unknown_view_is() -> None:
    """Something new that a person views is named by its kind."""
    assert viewed({"type": "slack#/types/galaxy_id", "value": "X1"}, KNOWN).text == "a galaxy"
