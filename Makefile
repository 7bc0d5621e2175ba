# Every target makes its own virtual environment: `make test` is enough on a machine with Python 3.11.
.DEFAULT_GOAL := check
.PHONY: venv test prove demo check format format-check lint types imports proto proto-check wheel-smoke bench load audit simulate soak

# Paths that exist and hold Python; the list is computed so that a tree in the making can be checked.
TYPED := $(foreach dir,runtime sdk coordinator tests benchmarks examples,$(if $(shell find $(dir) -name '*.py' 2>/dev/null | head -n 1),$(dir)))
STAMP := .venv/.installed
PYTEST_ARGS ?=

venv: $(STAMP)

$(STAMP): pyproject.toml
	@.ci/make-venv .venv '.[dev]'
	@touch $@

test: venv
	.venv/bin/python -m pytest $(PYTEST_ARGS)

# What shows the promises of docs/guarantees.md, and a table of what was tried and broken on purpose.
prove: venv
	.venv/bin/python -m tests.proof $(PYTEST_ARGS)

demo: venv
	.venv/bin/python -m examples.demo.demo

check: format-check lint types imports proto-check test

format: venv
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

format-check: venv
	.venv/bin/ruff format --check .

lint: venv
	.venv/bin/ruff check .

types: venv
	.venv/bin/mypy $(TYPED) .ci/*.py

imports: venv
	.venv/bin/lint-imports

proto: venv
	.venv/bin/python .ci/generate_proto.py

proto-check: venv
	.venv/bin/python .ci/generate_proto.py --check

wheel-smoke: venv
	.ci/wheel-smoke

bench: venv
	.venv/bin/python -m benchmarks

# The load tests in their full sizes, with figures; minutes.
load: venv
	.venv/bin/python -m benchmarks.load

# Known vulnerabilities of what is installed. Needs a network: it asks the advisory database of PyPI.
audit: venv
	.venv/bin/python -m pip_audit --skip-editable

SEEDS ?= 0..2000

# What CI runs: seeds of the simulator, half with the corpus and half with random programs.
simulate: venv
	.venv/bin/python -m perdure.testing.simulator --program all,random --seeds $(SEEDS) --processes 2

# For hours: make soak SEEDS=0..1000000
soak: simulate
