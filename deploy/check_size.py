"""Holds the house small: counts the code lines of bot, adapters and handlers and fails past a limit.

Knowledge and evaluation stand apart, with a limit of their own.

A code line is a line that is not blank, not only a comment and not part of a docstring. There is no list of exceptions:
what does not fit is a reason to redesign. Usage: check_size.py [ROOT].
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("bot", "adapters", "handlers")
TOTAL = 8_000
"""Code lines of the three packages together, those apart left out."""

APART = ("bot/evaluation", "bot/knowledge")
APART_TOTAL = 1_500
"""Code lines of what stands apart behind ports and has a cap of its own."""

FILE = 400
"""Lines of one file, all of them counted."""

FILE_SOFT = 250
FUNCTION = 50
"""Lines from a function's `def` to its end, all of them counted."""

_NOT_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}
_FORMATTER_OFF = re.compile(r"#\s*(fmt:\s*(off|skip)|yapf:\s*disable)")


def code_lines(source: str) -> int:
    """How many lines of this source are code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def long_functions(source: str) -> Iterator[tuple[int, str, int]]:
    """Line, name and length of each function that is over the limit."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION:
                yield node.lineno, node.name, length


def check_file(name: str, source: str) -> Iterator[str]:
    """What is wrong with one file."""
    length = len(source.splitlines())
    if length > FILE:
        yield f"{name} has {length} lines (at most {FILE})"
    for line, function, lines in long_functions(source):
        yield f"{name}:{line} {function} has {lines} lines (at most {FUNCTION})"
    for number, line_text in enumerate(source.splitlines(), 1):
        if _FORMATTER_OFF.search(line_text):
            yield f"{name}:{number} turns the formatter off"


def main(root: Path) -> int:
    """Print the figures; 1 where a limit is passed."""
    sources = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    counts = {name: code_lines(source) for name, source in sources.items()}
    problems = [problem for name, source in sources.items() for problem in check_file(name, source)]
    apart = {name: count for name, count in counts.items() if name.startswith(tuple(f"{folder}/" for folder in APART))}
    house = {name: count for name, count in counts.items() if name not in apart}
    for name, source in sources.items():
        if FILE_SOFT < len(source.splitlines()) <= FILE:
            print(f"note: {name} has {len(source.splitlines())} lines (better {FILE_SOFT} or fewer)")
    for folders, part, limit in ((PACKAGES, house, TOTAL), (APART, apart, APART_TOTAL)):
        total = sum(part.values())
        sums = {folder: sum(n for name, n in part.items() if name.startswith(f"{folder}/")) for folder in folders}
        told = ", ".join(f"{folder} {count:,}" for folder, count in sums.items())
        print(f"size: {total:,} of {limit:,} code lines ({told})")
        if total > limit:
            problems.append(f"{' + '.join(folders)} have {total:,} code lines (at most {limit:,})")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
