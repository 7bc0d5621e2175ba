"""Where the SDK and the command line find the coordinator: flag > environment > file > default.

The file is `perdure.toml`, or `[tool.perdure]` in `pyproject.toml`, of the working directory or the
nearest directory above it that has one. Nothing here connects to anything.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from perdure.client.security import Tls
from perdure_runtime.core.errors import InvalidArgumentError

_FALSE: Final = frozenset({"0", "false", "no", "off"})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be set. `endpoint` is None when nothing names one.

    Args:
        tls_ca, tls_cert, tls_key: PEM files for an `https://` endpoint; see `Tls`.
    """

    endpoint: str | None = None
    db: str = "perdure.db"
    token: str | None = None
    namespace: str = "default"
    embedded: bool = True
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None

    def tls(self) -> Tls | None:
        """The files for TLS; None when none is set, or the endpoint is plaintext."""
        files = (self.tls_ca, self.tls_cert, self.tls_key)
        if not any(files) or not (self.endpoint or "").startswith("https://"):
            return None
        return Tls(*files)


def load_settings(
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    **flags: str | None,
) -> Settings:
    """Settings by precedence.

    Args:
        environment: `os.environ` when None.
        directory: where the search for a file begins; the working directory when None.
        flags: values that beat all others; None stands for "not given".

    Raises:
        InvalidArgumentError: a file is no TOML, or holds an unknown name or a wrong type; the
            message names the file.
    """
    environment = os.environ if environment is None else environment
    found = _from_file(Path.cwd() if directory is None else directory)
    for name in Settings.__struct_fields__:
        value = environment.get(f"PERDURE_{name.upper()}")
        if value:
            found[name] = value.lower() not in _FALSE if name == "embedded" else value
    found |= {name: value for name, value in flags.items() if value is not None}
    return Settings(**found)


def _from_file(directory: Path) -> dict[str, Any]:
    for place in (directory, *directory.parents):
        own = place / "perdure.toml"
        if own.is_file():
            return _checked(own, _read(own))
        project = place / "pyproject.toml"
        if project.is_file():
            table = _read(project).get("tool", {}).get("perdure")
            if table is not None:
                return _checked(project, table)
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"{path} is not valid TOML: {error}") from None


def _checked(path: Path, table: Any) -> dict[str, Any]:
    try:
        msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        names = ", ".join(Settings.__struct_fields__)
        raise InvalidArgumentError(f"settings in {path}: {error}; known are {names}") from None
    return dict(table)
