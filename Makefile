# Two commands do everything:  make demo   make test
# The environment is made in .venv by the first of them; VENV=DIR puts it elsewhere.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
DEMO   ?= runs/demo
FOLDER ?= demos
CODE   := src tests benchmarks examples docs
SITE   := build/site
MATHJAX := build/mathjax/tex-svg-full.js
# One thread each: two processes that both use all cores for linear algebra wait for one another. Compiled modules are
# kept, whatever the shell says: tests start hundreds of processes.
PYTEST := PYTHONDONTWRITEBYTECODE= OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations 15

.DELETE_ON_ERROR:
.PHONY: demo papers docs dist test test-long check format clean help

help:  ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unweave needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(READY)  ## in seven minutes or so: a training on the built-in rooms, scores, edits, a page of factors
	$(BIN)/python examples/demo.py $(DEMO)

papers: $(READY)  ## every demonstration (NAMES="vae ..."), two at a time: claims, numbers, and pictures in FOLDER=demos
	sh examples/papers.sh $(BIN)/unweave $(FOLDER) "$(NAMES)"

docs: $(VENV)/docs $(MATHJAX)  ## the site, in build/site: open build/site/docs/index.html
	$(BIN)/python docs/generate
	$(BIN)/sphinx-build -q -W --keep-going -E -b html -c docs . $(SITE)
	$(BIN)/python docs/generate/check_links.py $(SITE)

$(VENV)/docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

$(MATHJAX):  ## formulas are drawn by the reader's browser, from this one file
	mkdir -p $(@D)
	npm pack --silent --pack-destination build mathjax@3.2.2
	tar -xzOf build/mathjax-3.2.2.tgz package/es5/tex-svg-full.js > $@

dist: $(READY)  ## wheel and sdist, in dist/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'build>=1.2'
	rm -rf dist
	$(BIN)/python -m build --outdir dist

test: $(READY) check  ## style, types, imports, and every test that is not slow by nature
	$(PYTEST) -m "not long"

test-long: $(READY)  ## what is slow by nature: a browser, killed and parallel runs, benchmarks, examples
	$(PYTEST) -m long

check: $(READY)  ## style, types and who imports whom
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## write the code in its style, and mend what ruff can mend
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean:  ## remove the environment; runs are kept
	rm -rf $(VENV) build *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
