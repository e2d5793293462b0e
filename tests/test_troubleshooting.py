"""docs/troubleshooting.md has every message that says what is wrong, and no other.

A message is a text of words that is raised, logged as a warning, returned or yielded. The progress
of a run and the numbers of the report are not messages. `…` stands for what differs. The messages
of other programs (the last table of the page) are not compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
OF_OTHERS = "## Around the tap"  # from here on: messages of Meltano, pip, databases and others
NO_ERRORS = {"progress.py", "heartbeat.py", "summary.py", "wording.py"}
PARTS = {
    "is ",
    "its …",
    "…; check …",
    "connection …",
    "connections: …",
}  # of messages on the page
SAYS = re.compile(
    r"\b(\w*Error|Denied|NotFound|RetriesExhausted|Transient|_refused|warning|error|warn_once|_log_last|_fail|fail|exit)\b"
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
    """Return the code in the first cell of every row of the tables."""
    rows = re.findall(r"(?m)^\| (.*?) \|", PAGE.partition(f"\n{OF_OTHERS}\n")[0])
    return {entry for row in rows for entry in re.findall("`(.+?)`", row)}


VIEW = ROOT / "tap_twilio_usage" / "report" / "view"  # the words of a page
MODULES = [
    path
    for path in (ROOT / "tap_twilio_usage").rglob("*.py")
    if path.name not in NO_ERRORS and path.parent != VIEW
]
LINES = {line for path in MODULES for line in lines_of(path)}


def test_every_message_has_an_entry() -> None:
    assert sorted(LINES - entries()) == []


def test_every_entry_is_of_a_message() -> None:
    assert sorted(entries() - LINES) == []
