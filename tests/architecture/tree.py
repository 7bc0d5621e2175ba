"""The source tree as the architecture tests see it: files and parsed modules, never imported ones.

Generated protocol code is left out everywhere.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = (
    CHECKOUT / "proto" / "perdure_proto",
    CHECKOUT / "runtime" / "perdure_runtime",
    CHECKOUT / "sdk" / "perdure",
    CHECKOUT / "coordinator" / "perdure_coordinator",
)
OTHER_SOURCES = (CHECKOUT / "tests", CHECKOUT / "benchmarks", CHECKOUT / "examples")


def python_files(*directories: Path) -> Iterator[Path]:
    """Hand-written Python files below `directories`, in a stable order."""
    for directory in directories:
        for path in sorted(directory.rglob("*.py")):
            if not path.stem.endswith(("_pb2", "_pb2_grpc")) and "node_modules" not in path.parts:
                yield path


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


def module_name(path: Path) -> str:
    """The dotted name under which a file of one of `PACKAGES` is imported."""
    package = next(package for package in PACKAGES if path.is_relative_to(package))
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
