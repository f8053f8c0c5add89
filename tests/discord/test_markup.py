"""Text between Discord and the model: what people meant arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.markup import Control, control_of, custom_id, named_first, readable


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("<@7> hello", "hello"),
        (" <@!7>\n hello", "hello"),
        ("hello <@7>, you", "hello @Parley, you"),
        ("<@7> <@8> said so, <@9> not", "@Ada said so, @9 not"),
        ("**bold** `<@8>`", "**bold** `@Ada`"),
        ("well <:done:123> <a:party:45>, <t:1> <#9>", "well :done: :party:, <t:1> <#9>"),
    ],
)
def test_what_people_write_is_read_as_they_see_it(typed: str, read: str) -> None:
    """Names for ids where Discord tells them, and our own leading mention gone."""
    assert readable(typed, 7, {7: "Parley", 8: "Ada"}) == read


@given(st.text().filter(lambda text: "<" not in text))
def test_what_mentions_nobody_arrives_unchanged(text: str) -> None:
    """Whatever a person types without a mention is what the model reads."""
    assert readable(text, 7, {}) == text


@given(st.text(), st.text(), st.integers(0, 10**19))
def test_whoever_begins_is_found(before: str, after: str, person: int) -> None:
    """A message begins by naming somebody where nothing but white space stands before their mention."""
    assert named_first(f"{before}<@{person}>{after}") == (person if not before.strip() else named_first(before))


@given(st.sampled_from(["stop", "more", "down"]), st.from_regex(r"[0-9a-f]{32}", fullmatch=True))
def test_custom_ids_tell_what_they_were_made_of(action: str, turn: str) -> None:
    """What a button was made of comes back from its id, which stays within Discord's 100 characters."""
    for words in ((), ("private",), ("continue", "delete", "why", "private")):
        id = custom_id(action, turn, words)
        assert len(id) <= 100
        assert control_of(id) == Control(action=action, turn=turn, words=words)


@given(st.text())
def test_any_id_is_read(text: str) -> None:
    """An id that is none of ours is none, and never an error."""
    assert control_of(text) is None or text.startswith("parley:")
