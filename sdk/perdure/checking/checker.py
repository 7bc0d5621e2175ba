"""Checks files: every rule on every body, without what comments silence."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from perdure.checking.finding import Finding
from perdure.checking.ignores import EVERY, ignored_rules
from perdure.checking.rules import RULES
from perdure.checking.source import Module
from perdure_runtime.core.errors import InvalidArgumentError


def check_source(text: str, file: str = "<text>") -> list[Finding]:
    """What is to be changed in a source text, in its order.

    Raises:
        SyntaxError: it is no Python.
    """
    module = Module(file, text)
    ignored = ignored_rules(text)
    found: set[Finding] = set()
    for body in module.bodies():
        for rule in RULES:
            if rule.determinism and not body.is_deterministic:
                continue
            for node, message in rule.check(body):
                line = getattr(node, "lineno", body.node.lineno)
                column = getattr(node, "col_offset", 0) + 1
                silenced = ignored.get(line, frozenset())
                if rule.id not in silenced and EVERY not in silenced:
                    found.add(Finding(file, line, column, rule.id, message, rule.advice, body.name))
    return sorted(found)


def check_paths(paths: Iterable[str | PathLike[str]]) -> list[Finding]:
    """The same for files, and for all `*.py` files below directories.

    Raises:
        InvalidArgumentError: a file is not there, cannot be read or is no Python.
    """
    findings: list[Finding] = []
    for place in map(Path, paths):
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        for file in files:
            try:
                findings += check_source(file.read_text(encoding="utf-8"), str(file))
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidArgumentError(f"cannot read {file}: {error}") from None
            except (SyntaxError, ValueError) as error:
                raise InvalidArgumentError(f"{file} is no Python: {error}") from None
    return findings
