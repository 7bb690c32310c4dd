# Two commands matter: make demo and make test. Both set everything up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The same versions either way. uv is the faster by a minute, but knows no index of pip's settings.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
UV = ! $(BIN)/python -m pip config list | grep -q '[.]index-url' && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt
# Where nothing compiled may be kept, each of a test run's hundreds of processes would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE
# Types are checked beside the tests.
MAKEFLAGS += --jobs=2

.PHONY: help demo test tests format lint types soak bench clean
help:  ## What there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tapctl needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(PIP) uv && $(UV) -e '.[dev]' || { echo "uv cannot; pip takes a minute longer"; $(PIP) -e '.[dev]'; }
	@touch $(READY)

demo: $(READY)  ## The whole story on the embedded AWS, under a minute
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

test: lint types tests  ## Every check: format, lint, types, tests, coverage

tests: $(READY)
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not soak" \
		-p tests.support.coverage -p tests.support.collecting

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

format: $(READY)  ## Put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

soak: $(READY)  ## The exhaustive run: every pair, every kill point
	$(BIN)/python -m pytest -q -n 3

bench: $(READY)  ## Measured: calls, memory, times against AWS's own; eight minutes
	$(BIN)/python -m tests.bench

clean:  ## Remove what was set up
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
