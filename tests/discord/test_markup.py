"""Text between Discord and the model: what people meant arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.markup import readable


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("<@7> hello", "hello"),
        (" <@!7>\n hello", "hello"),
        ("hello <@7>, you", "hello @Parley, you"),
        ("<@7> <@8> said so, <@9> not", "@Ada said so, @9 not"),
        ("**bold** `<@8>`", "**bold** `@Ada`"),
    ],
)
def test_what_people_write_is_read_as_they_see_it(typed: str, read: str) -> None:
    """Names for ids where Discord tells them, and our own leading mention gone."""
    assert readable(typed, 7, {7: "Parley", 8: "Ada"}) == read


@given(st.text().filter(lambda text: "<@" not in text))
def test_what_mentions_nobody_arrives_unchanged(text: str) -> None:
    """Whatever a person types without a mention is what the model reads."""
    assert readable(text, 7, {}) == text
