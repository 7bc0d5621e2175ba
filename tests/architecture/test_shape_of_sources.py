"""Files and functions stay short, modules say what they are for, names say something."""

import ast

from tests.architecture.tree import OTHER_SOURCES, PACKAGES, parse, python_files, shown

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
EMPTY_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}


def test_no_file_is_longer_than_600_lines() -> None:
    lengths = {
        shown(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(*PACKAGES)
    }
    assert {} == {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX}


def test_no_function_is_longer_than_70_lines() -> None:
    lengths = {
        f"{shown(path)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in python_files(*PACKAGES)
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {} == {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX}


def test_every_module_says_what_it_is_for() -> None:
    silent = [shown(path) for path in python_files(*PACKAGES) if not ast.get_docstring(parse(path))]
    assert [] == silent


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = [
        shown(path)
        for path in python_files(*PACKAGES, *OTHER_SOURCES)
        if EMPTY_NAMES & {path.stem, path.parent.name}
    ]
    assert [] == empty
