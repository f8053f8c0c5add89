"""The size check itself: what it counts, and that each limit bites."""

from pathlib import Path

import pytest

from deploy import check_size

COUNTED = '''"""A module's docstring,
over two lines."""

# a comment
LIMIT = 3  # code with a comment
"""What the constant means: documentation as well."""


class Thing:
    """A class's docstring."""

    text = """code,

    though it looks like one"""

    def size(self) -> int:
        """A function's docstring."""
        return (
            LIMIT
        )
'''


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write these files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_code_lines() -> None:
    """Blank lines, comments and docstrings do not count; lines inside a string that is data do."""
    assert check_size.code_lines(COUNTED) == 9


def test_a_small_tree_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Within all limits the check prints the sum of each package and ends with 0."""
    files = {"bot/a.py": COUNTED, "adapters/discord/b.py": "x = 1\n", "handlers/c.py": "x = 1\ny = 2\n"}
    files |= {"bot/evaluation/d.py": "x = 1\n" * 3, "bot/knowledge/e.py": "x = 1\n" * 4}
    assert check_size.main(tree(tmp_path, files)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "size: 12 of 8,000 code lines (bot 9, adapters 1, handlers 2)",
        "size: 7 of 1,500 code lines (bot/evaluation 3, bot/knowledge 4)",
    ]


LONG_FUNCTION = "def long() -> None:\n" + "    pass\n" * 50
LONG_METHOD = (
    'class A:\n    async def long(self) -> None:\n        """."""\n' + "        # why\n" * 48 + "        pass\n"
)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"bot/a.py": "\n" * 401}, "bot/a.py has 401 lines (at most 400)"),
        ({"handlers/a.py": LONG_FUNCTION}, "handlers/a.py:1 long has 51 lines (at most 50)"),
        ({"adapters/a.py": LONG_METHOD}, "adapters/a.py:2 long has 51 lines (at most 50)"),
        ({"bot/a.py": "# fmt" + ": off\n"}, "bot/a.py:1 turns the formatter off"),
        ({"bot/a.py": "x = 1  # fmt" + ": skip\n"}, "bot/a.py:1 turns the formatter off"),
        (
            {f"bot/deep/m{number}.py": "x = 1\n" * 381 for number in range(21)},
            "bot + adapters + handlers have 8,001 code lines (at most 8,000)",
        ),
        (
            {
                f"bot/{folder}/m{number}.py": "x = 1\n" * 251
                for folder in ("evaluation", "knowledge")
                for number in "123"
            },
            "bot/evaluation + bot/knowledge have 1,506 code lines (at most 1,500)",
        ),
    ],
    ids=["file", "function", "method", "fmt-off", "fmt-skip", "total", "apart"],
)
def test_each_limit_bites(
    files: dict[str, str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One step past a limit is named with its place and its figure, and the check fails."""
    assert check_size.main(tree(tmp_path, files)) == 1
    assert problem in capsys.readouterr().out.splitlines()


def test_at_the_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of 400 lines and a function of 50 pass; the file is named as longer than it should be."""
    function = "def long() -> None:\n" + "    pass\n" * 49
    assert check_size.main(tree(tmp_path, {"bot/a.py": function + "\n" * 350})) == 0
    assert "note: bot/a.py has 400 lines (better 250 or fewer)" in capsys.readouterr().out
