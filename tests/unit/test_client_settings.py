"""Settings by precedence: flag, environment, file, default."""

from pathlib import Path

import pytest

from perdure.errors import InvalidArgumentError
from perdure.settings import Settings, load_settings

EVERYTHING = {
    "PERDURE_ENDPOINT": "http://env:1",
    "PERDURE_DB": "env.db",
    "PERDURE_TOKEN": "env-token",
    "PERDURE_NAMESPACE": "env",
    "PERDURE_EMBEDDED": "0",
}


def test_defaults(tmp_path: Path) -> None:
    assert Settings(None, "perdure.db", None, "default", True) == load_settings(
        environment={}, directory=tmp_path
    )


def test_the_environment_beats_the_file_and_a_flag_beats_both(tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text('endpoint = "http://file:1"\ndb = "file.db"\n')
    environment = {"PERDURE_ENDPOINT": "http://env:1", "PERDURE_TOKEN": ""}
    found = load_settings(
        environment=environment, directory=tmp_path, namespace="flag", endpoint=None
    )
    assert Settings("http://env:1", "file.db", None, "flag") == found


def test_every_setting_has_a_variable(tmp_path: Path) -> None:
    assert Settings("http://env:1", "env.db", "env-token", "env", False) == load_settings(
        environment=EVERYTHING, directory=tmp_path
    )


def test_the_nearest_file_above_counts(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.perdure]\nnamespace = "above"\n')
    (tmp_path / "a" / "pyproject.toml").write_text('[project]\nname = "a"\n')
    assert "above" == load_settings(environment={}, directory=below).namespace
    (tmp_path / "a" / "perdure.toml").write_text('namespace = "nearer"\n')
    assert "nearer" == load_settings(environment={}, directory=below).namespace


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("endpoint = ", "is not valid TOML"),
        ('endpont = "x"', r"perdure\.toml: .*endpont.*; known are endpoint, db"),
        ("embedded = 3", r"perdure\.toml: Expected `bool`"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "perdure.toml").write_text(text)
    with pytest.raises(InvalidArgumentError, match=message):
        load_settings(environment={}, directory=tmp_path)
