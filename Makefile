# A fresh clone needs Python 3.11+, make and a package index; everything else is made here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8700

.DEFAULT_GOAL := help
.PHONY: compatibility help serve test test-engine test-rest lint format clean

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

test: test-engine test-rest  ## every test

# The rooms whose every branch must be tested.
test-engine: $(VENV)/.dev
	$(BIN)/python -m pytest tests/turns tests/audio --cov --cov-report=term:skip-covered --cov-fail-under=100

# The rest without a tracer, for it is timed.
test-rest: $(VENV)/.dev
	$(BIN)/python -m pytest --ignore=tests/turns --ignore=tests/audio

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
