# `make book` and `make test` are all that is needed: each makes its own environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help book test unit lint types notebooks nbval address results links clean

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1|\2/' | column -t -s '|'

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[book,test]'
	touch $@

book: $(READY)  ## build the rendered book into _build/html; any warning is an error
	$(BIN)/jupyter-book build . --all -W -n --keep-going
	$(BIN)/python tools/book.py rendered _build/html
	@echo "open _build/html/index.html"

test: lint types unit nbval  ## every check: style, types, unit tests with doctests, notebooks against their outputs

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/book.py check

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/python -m pytest

nbval: $(READY)
	$(BIN)/python -m pytest --override-ini addopts= --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg \
	  --nbval-cell-timeout 600 -q book

notebooks: $(READY)  ## execute every notebook again, in order, each in a fresh kernel, and keep the outputs
	$(BIN)/python tools/book.py execute

address: $(READY)  ## write the repository's address (pyproject.toml) into all that is derived from it
	$(BIN)/python tools/book.py address

links: $(READY)  ## check that the links of the book answer (needs the network)
	$(BIN)/jupyter-book build . --builder linkcheck

clean:  ## remove what was built, the environment included
	rm -rf _build .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
