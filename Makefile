# A fresh clone needs Python 3.11+, make and a package index; everything else is made here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8700

.DEFAULT_GOAL := help
.PHONY: compatibility help serve test test-engine test-side-by-side test-in-turn lint format clean

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

serve: $(VENV)/.run  ## install and start the server on 127.0.0.1:8700 (PORT=… for another port)
	@exec $(BIN)/bargein serve --port $(PORT)

test: test-engine test-side-by-side test-in-turn  ## every test

# The rooms whose every branch must be tested.
test-engine: $(VENV)/.dev
	$(BIN)/python -m pytest tests/turns tests/audio --cov --cov-report=term:skip-covered --cov-fail-under=100

SIDE_BY_SIDE := server store tools webhooks wire fleet carriers

# What no clock is held to.
test-side-by-side: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(SIDE_BY_SIDE:%=tests/%)

# The rest, one after the other and without a tracer, for it is timed.
test-in-turn: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/turns --ignore=tests/audio $(SIDE_BY_SIDE:%=--ignore=tests/%)

lint: $(VENV)/.dev  ## style, types and the house's walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

compatibility: $(VENV)/.dev  ## write docs/compatibility.md anew from the code
	$(BIN)/python -m dev.compatibility

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage build dist
