"""The tables in proto/spec say what the engine does."""

from __future__ import annotations

from perdure_runtime.core.lifecycle import TRANSITIONS, Status
from perdure_runtime.wire.v1.status import BARE_CODES, CODES
from tests.unit.wire_fixtures import FIXTURES

SPEC = FIXTURES.parent


def table(text_name: str, *header: str) -> list[list[str]]:
    """The rows of the table with this header."""
    lines = (SPEC / text_name).read_text(encoding="utf-8").splitlines()
    start = lines.index("| " + " | ".join(header) + " |") + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_lifecycle_table_is_the_engines() -> None:
    written = {
        Status(status): set() if after == "nothing" else set(map(Status, after.split(", ")))
        for status, after in table("lifecycle.md", "status", "may become")
    }
    assert written == TRANSITIONS


def test_every_status_is_explained() -> None:
    explained = [
        Status(name)
        for names, _ in table("lifecycle.md", "status", "meaning")
        for name in names.split(", ")
    ]
    assert explained == list(Status)


def test_the_error_table_is_the_engines() -> None:
    written = {name: code for name, code, _ in table("errors.md", "name", "gRPC status", "meaning")}
    assert written == {cls.__name__: code.name for cls, code in CODES.items()}


def test_bare_statuses_are_read_as_written() -> None:
    written: dict[str, str] = {}
    for codes, names in table("errors.md", "gRPC status", "read as"):
        if " with " in codes or codes == "any other":
            continue
        code_list, name_list = codes.split(", "), names.split(", ")
        if len(name_list) == 1:
            name_list *= len(code_list)
        written |= dict(zip(code_list, name_list, strict=True))
    assert written == {code.name: cls.__name__ for code, cls in BARE_CODES.items()}
