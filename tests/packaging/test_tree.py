"""The tree check itself. Forbidden words are put together from parts here, because it reads this file too."""

import subprocess
from pathlib import Path

import pytest

from deploy import check_tree
from tests.packaging.test_size import tree

TWO_BROAD = {
    "bot/worker.py": "try:\n    pass\nexcept Exception:\n    raise\n",
    "bot/app.py": "try:\n    pass\nexcept (OSError, Exception):\n    raise\n",
}


def found(root: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the check says of a tree with these files and the two broad handlers."""
    status = check_tree.main(tree(root, TWO_BROAD | files))
    _, *problems = capsys.readouterr().out.splitlines()
    assert status == (1 if problems else 0)
    return problems


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("README.md", "see /ho" + "me/ada/parley", "a path of somebody's machine"),
        ("docs/a.md", "in /Us" + "ers/ada", "a path of somebody's machine"),
        ("bot/a.py", 'PATH = "/tm' + 'p/parley.sock"', "a path of somebody's machine"),
        ("deploy/a.lock", "--index-url https://py" + "pi.org/simple", "a package index's host"),
        ("deploy/a.lock", "https://files.python" + "hosted.org/x", "a package index's host"),
        ("bot/a.py", "# TO" + "DO: later", "unfinished"),
        ("Makefile", "# FIX" + "ME", "unfinished"),
        ("tests/test_a.py", "@pytest.mark.ski" + "pif(True)", "a test that does not run"),
        ("tests/test_a.py", "pytest.importorski" + "p('x')", "a test that does not run"),
        ("tests/test_a.py", "@pytest.mark.xfai" + "l", "a test that does not run"),
        ("tests/test_a.py", "    assert Tr" + "ue", "a test that cannot fail"),
        ("tests/test_a.py", "from unittest import mo" + "ck", "a mock"),
        ("bot/a.py", "import os  # noqa", "an exception without its reason"),
        ("bot/a.py", "import os  # noqa: F401", "an exception without its reason"),
        ("bot/a.py", "x = y  # type: ignore[misc]", "an exception without its reason"),
    ],
)
def test_what_must_not_be_there(
    name: str, text: str, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is named with its file, its line and what is wrong with it."""
    assert found(tmp_path, {name: f"\n{text}\n"}, capsys) == [f"{name}:2 {what}: {text.strip()}"]


@pytest.mark.parametrize(
    "line",
    [
        "x = y  # type: ignore[misc]  # the library's type is wrong",
        "import os  # noqa: F401 - imported for its effect",
        "# imported for its effect\nimport os  # noqa: F401",
    ],
)
def test_an_exception_with_its_reason(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lint or type exception passes with a reason behind it or in the comment above it."""
    assert found(tmp_path, {"bot/a.py": f"{line}\n"}, capsys) == []


def test_ordinary_text_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Paths of a system, hosts of platforms, files that are no text and links that lead somewhere are no finding."""
    files = {
        "Dockerfile": "RUN install -d /data /opt/parley /run/secrets\n",
        "README.md": "[a](docs/a.md#part) [b](https://slack.com) [c](#here) and tmpfs /tmp\n",
        "docs/a.md": "[back](../README.md) https://discord.com/api\n",
    }
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\xff\xfe")
    assert found(tmp_path, files, capsys) == []


def test_a_link_to_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that links to a file that is not there is named."""
    assert found(tmp_path, {"docs/a.md": "[gone](b.md)\n"}, capsys) == ["docs/a.md a link to nothing: b.md"]


@pytest.mark.parametrize(
    ("third", "count"),
    [
        ("except Exception:", 3),
        ("except BaseException as err:", 3),
        ("except (ValueError, Exception):", 3),
        ("except:", 3),
        ("except ValueError:", 2),
    ],
)
def test_exactly_two_broad_handlers(third: str, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A third broad handler anywhere in the three packages fails the check, whatever its form."""
    problems = found(tmp_path, {"adapters/a.py": f"try:\n    pass\n{third}\n    raise\n"}, capsys)
    where = "adapters/a.py:3, bot/app.py:3, bot/worker.py:3"
    assert problems == ([f"3 broad except handlers, exactly 2 belong here: {where}"] if count == 3 else [])


def test_fewer_than_two_broad_handlers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One missing fails too: without them a failing turn or adapter would take others down."""
    assert check_tree.main(tree(tmp_path, {"bot/a.py": TWO_BROAD["bot/worker.py"]})) == 1
    assert "1 broad except handlers, exactly 2 belong here: bot/a.py:3" in capsys.readouterr().out


def test_it_reads_what_git_would_add(tmp_path: Path) -> None:
    """In a repository ignored files are left out; files not added yet are read."""
    tree(tmp_path, {".gitignore": "secret\n", "secret": "", "new.txt": "", ".ci/run": ""})
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert check_tree.files(tmp_path) == [".ci/run", ".gitignore", "new.txt"]
