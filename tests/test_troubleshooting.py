"""docs/troubleshooting.md has every line that says what is wrong, and none that nothing says.

A line is a text of words that is raised, warned of, returned or yielded; what a run says of its
progress, and how the report writes numbers, is none. `…` stands for what differs. What others say
(the last table of the page) is not compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
OF_OTHERS = "## Around the tap"  # from here on: what Meltano, pip, databases and others say
NO_ERRORS = {"progress.py", "watch.py", "wording.py"}
PARTS = {"is ", "its …", "report: …", "…; check …"}  # of lines that are there
SAYS = re.compile(
    r"\b(\w*Error|Denied|RetriesExhausted|Transient|_refused|warning|error|warn_once|_say_last|exit)\b"
)


def text(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(value=str(words)):
            return re.sub(r"%[.\d]*[a-z]", "…", words)
        case ast.JoinedStr(values=parts):
            return "".join(map(text, parts))
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return text(left) + text(right)
    return "…"


def said(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Return(value=value) | ast.Yield(value=value):
            return value
        case ast.Call(func=ast.Attribute(attr="warn_once"), args=[_, message, *_]):
            return message
        case ast.Call(func=function, args=[message, *_]) if SAYS.search(ast.unparse(function)):
            return message
    return None


def lines_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        line = re.sub(r"…(\s*…)+", "…", text(said(node)))
        if " " in line and re.search("[a-z]{2}", line) and line not in PARTS:
            yield line


def entries() -> set[str]:
    """Give the code in the first cell of every row of the tables."""
    rows = re.findall(r"(?m)^\| (.*?) \|", PAGE.partition(f"\n{OF_OTHERS}\n")[0])
    return {entry for row in rows for entry in re.findall("`(.+?)`", row)}


MODULES = [path for path in (ROOT / "tap_twilio_usage").rglob("*.py") if path.name not in NO_ERRORS]
LINES = {line for path in MODULES for line in lines_of(path)}


def test_every_line_that_says_what_is_wrong_has_an_entry() -> None:
    assert sorted(LINES - entries()) == []


def test_no_entry_is_of_a_line_that_nothing_says() -> None:
    assert sorted(entries() - LINES) == []
