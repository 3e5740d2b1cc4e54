# A fresh clone needs Python 3.11+, make and a package index; everything else is made here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8700

.DEFAULT_GOAL := help
.PHONY: compatibility help serve test test-engine test-side-by-side test-calls test-in-turn lint format clean

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

test: test-engine test-side-by-side test-calls test-in-turn  ## every test

# The rooms whose every branch must be tested.
ENGINE := tests/turns tests/audio
test-engine: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 $(ENGINE) --cov --cov-report=term:skip-covered --cov-fail-under=100

# What takes longest comes first.
CALLS := tests/fleet tests/call tests/carriers tests/client
WAITING := tests/server/test_artifacts.py tests/server/test_metrics.py tests/server/test_against_vapis_schema.py
TIMED := tests/bench

# What no clock is held to and no call is waited for: one process a core. What takes longest comes first.
test-side-by-side: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not timed" tests/sdk tests/web tests/browser tests \
		$(addprefix --ignore=,$(ENGINE) $(CALLS) $(WAITING) $(TIMED))

# Real calls that mostly wait: for speech, for silence, for a time that is over.
test-calls: $(VENV)/.dev
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not timed" $(CALLS) $(WAITING)

# What is timed, one after the other and without a tracer.
test-in-turn: $(VENV)/.dev
	$(BIN)/python -m pytest -m timed $(CALLS) $(TIMED)

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
