"""Generated messages are spoken in `perdure_runtime.wire` alone, generated services at the sockets.

import-linter knows packages; it cannot tell `worker_pb2` from `worker_pb2_grpc` by pattern, so this
rule of the architecture is held here.
"""

import ast
from collections.abc import Iterator

from tests.architecture.tree import PACKAGES, module_name, parse, python_files, shown

MAY_IMPORT_MESSAGES = ("perdure_runtime.wire",)
MAY_IMPORT_SERVICES = (
    "perdure.client.transport",
    "perdure.worker.session",
    "perdure_coordinator.services",
)


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Last parts of everything a module imports: both `a.b` and `c` of `from a.b import c`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.rpartition(".")[2] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").rpartition(".")[2]
            yield from (alias.name for alias in node.names)


def importers_of(suffix: str, allowed: tuple[str, ...]) -> list[str]:
    return [
        shown(path)
        for path in python_files(*PACKAGES)
        if any(name.endswith(suffix) for name in imported_names(parse(path)))
        and not f"{module_name(path)}.".startswith(tuple(f"{prefix}." for prefix in allowed))
    ]


def test_messages_are_imported_by_the_wire_only() -> None:
    assert [] == importers_of("_pb2", MAY_IMPORT_MESSAGES)


def test_services_are_imported_where_sockets_are_only() -> None:
    assert [] == importers_of("_pb2_grpc", MAY_IMPORT_SERVICES)
