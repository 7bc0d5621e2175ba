"""mypy --strict agrees with every assertion in `call_shapes.py` and its neighbours."""

from pathlib import Path

import pytest
from mypy import api

CHECKOUT = Path(__file__).resolve().parents[2]
SHAPES = ("call_shapes.py", "executor_shapes.py")


@pytest.mark.parametrize("name", SHAPES)
def test_call_shapes_have_the_types_that_users_expect(name: str) -> None:
    shapes = Path(__file__).with_name(name)
    report, problems, _ = api.run(
        ["--strict", "--config-file", str(CHECKOUT / "pyproject.toml"), str(shapes)]
    )
    wrong = [line for line in report.splitlines() if name in line]
    assert [] == wrong
    assert "" == problems
