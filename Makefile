# A fresh clone needs Python 3.11+, make and a package index; make creates everything else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8700

.DEFAULT_GOAL := help
.PHONY: compatibility providers engine-docs settings help serve test test-engine test-laws test-side-by-side test-calls test-in-turn lint format clean

help:  ## list the targets
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

test: $(VENV)/.dev  ## every test: all stages, and at the end what was skipped and a table
	@$(BIN)/python -m dev.test_stages

# One stage each; dev/test_stages.py lists their tests.
test-engine test-laws test-side-by-side test-calls test-in-turn: test-%: $(VENV)/.dev
	@$(BIN)/python -m dev.test_stages $*

lint: $(VENV)/.dev  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## format the code and fix what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

compatibility: $(VENV)/.dev  ## generate docs/reference/compatibility.md from the code
	$(BIN)/python -m dev.compatibility

providers: $(VENV)/.dev  ## generate docs/providers.md from the code
	$(BIN)/python -m dev.providers

engine-docs: $(VENV)/.dev  ## generate docs/engine.md from the code
	$(BIN)/python -m dev.engine

settings: $(VENV)/.dev  ## generate docs/settings.md and docs/security.md from the code
	$(BIN)/python -m dev.settings
	$(BIN)/python -m dev.security

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .coverage build dist
