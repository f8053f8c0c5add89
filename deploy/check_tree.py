"""Reads every file that git knows (or would add) and fails on what must not be in a public tree.

Paths of somebody's machine, a package index's host, unfinished marks, tests that do not run, lint exceptions without a
reason, links to pages that are not there, and any broad `except` besides the two that the design allows.
Usage: check_tree.py [ROOT].
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Each pattern is written so that it does not match its own line.
EVERYWHERE = {
    "a path of somebody's machine": re.compile(r"/(hom[e]|User[s]|roo[t]|wor[k]|mn[t])/\w|/tm[p]/[a-z]|[A-Z]:\\Users"),
    "a package index's host": re.compile(r"p[y]pi\.(org|python)|python[h]osted|np[m]js|[d]eb\.debian|[g]hcr\.io"),
    "unfinished": re.compile(r"\b(TO[D]O|FIX[M]E|XX[X])\b"),
}
EXCEPTION = re.compile(r"#\s*(noqa|type: ignore)\b(\s*[:\[] ?[\w, -]+?\b\]?)?(?P<reason>\s+[#(-]*\s*\w.*)?$")
"""A lint or type exception; its reason stands behind its codes or in a comment on the line above."""

IN_TESTS = {
    "a test that does not run": re.compile(r"\bpytest\.(mark\.)?(ski[p]|xfai[l]|importorski[p])"),
    "a test that cannot fail": re.compile(r"^\s*assert True\b"),
    "a mock": re.compile(r"\bunittest(\.| import )moc[k]\b"),
}
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
"""A Markdown link to a file of this tree."""

PACKAGES = ("bot/", "adapters/", "handlers/")
BROAD = 2
"""Broad handlers in the whole project: one around a turn, one around an adapter's life."""


def files(root: Path) -> list[str]:
    """The files that git tracks or would add; without git every file outside hidden folders."""
    listing = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        return sorted(name for name in listing.stdout.split("\0") if name and (root / name).is_file())
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts[:-1]))


def check_file(name: str, text: str) -> Iterator[str]:
    """What a file holds that it must not."""
    rules = EVERYWHERE | (IN_TESTS if name.startswith("tests/") else {})
    above = ""
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in rules.items():
            if pattern.search(line):
                yield f"{name}:{number} {what}: {line.strip()[:80]}"
        if name.startswith(PACKAGES) and name.endswith(".py"):
            exception = EXCEPTION.search(line)
            if exception and not exception["reason"] and not above.startswith("#"):
                yield f"{name}:{number} an exception without its reason: {line.strip()[:80]}"
        above = line.strip()


def dead_links(name: str, text: str, root: Path) -> Iterator[str]:
    """Links of a Markdown page to files that do not exist."""
    for target in LINK.findall(text):
        if not (root / name).parent.joinpath(target).exists():
            yield f"{name} a link to nothing: {target}"


def broad_handlers(source: str) -> Iterator[int]:
    """The lines of handlers that catch Exception, BaseException or everything."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type] if node.type is not None else []
            names = {part.id for item in caught for part in ast.walk(item) if isinstance(part, ast.Name)}
            if node.type is None or names & {"Exception", "BaseException"}:
                yield node.lineno


def main(root: Path) -> int:
    """Print what was found; 1 where there is anything."""
    problems: list[str] = []
    broad: list[str] = []
    names = files(root)
    for name in names:
        try:
            text = (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        problems += check_file(name, text)
        if name.endswith(".md"):
            problems += dead_links(name, text, root)
        if name.startswith(PACKAGES) and name.endswith(".py"):
            broad += [f"{name}:{line}" for line in broad_handlers(text)]
    if len(broad) != BROAD:
        problems.append(
            f"{len(broad)} broad except handlers, exactly {BROAD} belong here: {', '.join(broad) or 'none'}"
        )
    print(f"tree: {len(names)} files read")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
