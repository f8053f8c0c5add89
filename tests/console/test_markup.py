"""How an answer looks in a terminal: `adapters.console.markup`."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.console.markup import clean, finished, rendered

TEXT = """# Title

A paragraph that
goes on.

```python
x = 1

y = 2
```

1. one

   still one

2. two
"""


def test_blocks_are_finished_once_the_next_begins() -> None:
    """A block is finished when text at the margin follows a blank line; not inside code, not inside a list's item."""
    begins = [TEXT.index(start) for start in ("# Title", "A paragraph", "```python", "1. one", "2. two")]
    found = [finished(TEXT[:end]) for end in range(len(TEXT) + 1)]
    assert sorted(set(found)) == begins
    assert found == sorted(found)


@given(st.text(alphabet="ab`~ \n-1.", max_size=200), st.text(alphabet="ab`~ \n", max_size=50))
def test_what_is_finished_stays_finished(text: str, more: str) -> None:
    """More text never takes back that a block is finished."""
    assert finished(text) <= finished(text + more) <= len(text + more)


def test_nothing_drives_the_terminal() -> None:
    """Control characters and lone surrogates are gone, white space and everything visible stays."""
    assert clean("\x1b[2Ja\x07b\r\n\tc\x9b31m \ud800é👩‍👩‍👧\x00\x7f") == "[2Jab\n\tc31m é👩‍👩‍👧"


def test_lines_are_as_wide_as_the_terminal() -> None:
    """Markdown becomes lines that the terminal does not have to wrap."""
    lines = rendered("word " * 40 + "\n\n```\n" + "x" * 300 + "\n```", 40)
    assert len(lines) > 12
    assert rendered(" \n", 40) == []
