"""Text between Slack and the model: what people meant arrives, and nothing that the model writes rings a bell."""

from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.blocks import whole
from adapters.slack.markup import harmless, readable
from tests.servers.common import Json
from tests.servers.slack_world import Message, User, escape

PIECES = st.lists(
    st.sampled_from(
        ["<", ">", "!", "@", "#", "channel", "here", "everyone", "subteam^S1", "U1", "W1", "|", "&", "\u200b", " "]
    )
)
WRITER = User(id="U0", name="Parley", is_bot=True)


def blocks_of(fields: dict[str, object]) -> list[Json]:
    blocks = fields["blocks"]
    assert isinstance(blocks, list)
    return blocks


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("<@U0> hello", "hello"),
        ("  <@U0|parley>  hello", "hello"),
        ("hello <@U0>, you", "hello @U0, you"),
        ("<@U1|ada> said so in <#C1|general> and <#C3>", "@ada said so in #general and #C3"),
        ("<!here> <!subteam^S1|@team>", "@here @team"),
        ("see <https://a.b|this> &amp; &lt;that&gt;", "see <https://a.b|this> & <that>"),
        ("&lt;@U1&gt;", "<@U1>"),
        ("<@U2> and <#C2>, <@U2|other>", "@Bob <b> and #ops, @Bob <b>"),
        ("by <!date^1793000000^{time}|noon>, to <mailto:a@b.c|a@b.c>", "by noon, to a@b.c"),
        ("<@> <#> <!>", "<@> <#> <!>"),
    ],
)
def test_what_people_write_is_read_as_they_see_it(typed: str, read: str) -> None:
    """Names for ids where Slack tells them, our own leading mention gone, entities undone once."""
    assert readable(typed, "U0", {"U2": "Bob <b>", "C2": "ops"}) == read


@given(st.text())
def test_what_people_type_arrives_unchanged(text: str) -> None:
    """Whatever a person types without mentioning anybody is what the model reads."""
    assert readable(escape(text), "U0") == text


@given(PIECES.map("".join))
def test_nothing_rings_a_bell(text: str) -> None:
    """No text of the model's notifies a channel, a group or a person, and only zero-width spaces are added to it."""
    written = harmless(text)
    fields = whole(written, ())
    message = Message(ts="1", channel="C", author=WRITER, text=str(fields["text"]), blocks=blocks_of(fields))
    assert message.pings == ()
    assert written.replace("\u200b", "") == text.replace("\u200b", "")


@given(st.text())
def test_the_fallback_is_short(text: str) -> None:
    """However long the answer, its plain text stays below what chat.update takes."""
    assert len(unescape(str(whole(text * 50, ())["text"]))) <= 900
