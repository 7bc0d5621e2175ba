"""mypy --strict agrees with every assertion in `call_shapes.py`."""

from pathlib import Path

from mypy import api

CHECKOUT = Path(__file__).resolve().parents[2]
SHAPES = Path(__file__).with_name("call_shapes.py")


def test_call_shapes_have_the_types_that_users_expect() -> None:
    report, problems, _ = api.run(
        ["--strict", "--config-file", str(CHECKOUT / "pyproject.toml"), str(SHAPES)]
    )
    wrong = [line for line in report.splitlines() if SHAPES.name in line]
    assert [] == wrong
    assert "" == problems
