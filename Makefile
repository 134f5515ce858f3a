# Two commands do everything:  make demo   make test
# The environment is made in .venv by the first of them; VENV=DIR puts it elsewhere.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
DEMO   ?= runs/demo

.PHONY: demo test check clean help

help:  ## these lines
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unweave needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(READY)  ## train on the built-in rooms, score, edit, and say where the pictures are
	sh examples/demo.sh $(BIN)/unweave $(DEMO)

test: $(READY) check  ## the whole test suite, after the static checks
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 15

check: $(READY)  ## style, types and who imports whom
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:  ## remove the environment; runs are kept
	rm -rf $(VENV) build *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
