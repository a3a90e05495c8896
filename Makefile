# Everything a developer or a newcomer types. `make help` lists it.

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := $(VENV)/bin
# Foreign clients, for the tests that call a server with them.
CLIENTS ?= .venv-clients
# Its words go to standard error: `$(make -s token)` takes all of standard output for the token.
PIP := >&2 $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest
# Tests share two cores with the servers they start: more processes only make each wait longer.
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help run install test test-long sure bench lint format types imports db migration token clean

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed-run ## Start everything and print how to call it; PORT, HOST and VAR_DIR move it. Ctrl-C ends it.
	@$(BIN)/python -m deploy.stack run --end-with-parent

install: $(VENV)/.installed-dev ## Make .venv with everything that is needed to develop.

test: $(VENV)/.installed-dev $(CLIENTS)/.installed ## Run all tests but the long ones.
	$(PYTEST) -m "not long" -n $(TEST_PROCESSES)

test-long: $(VENV)/.installed-dev $(CLIENTS)/.installed ## Run the long fault, fuzz and endurance tests.
	$(PYTEST) -m long

sure: lint types imports ## Run every check that needs no running code: lint, format, types, imports.
	$(BIN)/ruff format --check

bench: $(VENV)/.installed-dev ## Measure speed and memory on this machine; writes docs/benchmarks.md.
	$(BIN)/python -m tests.load

lint: $(VENV)/.installed-dev ## Look for mistakes with ruff.
	$(BIN)/ruff check

format: $(VENV)/.installed-dev ## Rewrite all files in the house format.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.installed-dev ## Check all types with mypy.
	$(BIN)/mypy

imports: $(VENV)/.installed-dev ## Check that imports only run downhill.
	$(BIN)/lint-imports

db: $(VENV)/.installed-run ## Bring the database to the newest schema.
	$(BIN)/flask --app wsgi db upgrade

migration: $(VENV)/.installed-dev ## Draft a migration from the tables: make migration m="Add jobs".
	$(BIN)/flask --app wsgi db revision "$(m)"

token: $(VENV)/.installed-run ## Print a fresh token of the first admin client; use it as: make -s token
	@$(BIN)/python -m deploy.stack token

clean: ## Remove caches and builds; .venv, .venv-clients and var stay.
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -not -path './.venv*/*' -prune -exec rm -rf {} +

# One stamp per set of extras, so that a second start asks pip nothing. `-e` keeps the checkout importable.
$(VENV)/.installed-run: constraints.txt setup.cfg pyproject.toml | $(BIN)/python
	$(call install_torch)
	$(PIP) --editable '.[workers,run]'
	@touch $@

$(VENV)/.installed-dev: constraints.txt setup.cfg pyproject.toml | $(BIN)/python
	$(call install_torch)
	$(PIP) --editable '.[workers,run,test,lint,bench]'
	@touch $(VENV)/.installed-run $@

# Exact and complete, so pip need not look for anything: half a minute once.
$(CLIENTS)/.installed: tests/clients/requirements.txt | $(BIN)/python
	$(PYTHON) -m venv --clear $(CLIENTS)
	>&2 $(CLIENTS)/bin/python -m pip --disable-pip-version-check install --no-deps --requirement $<
	@touch $@

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Galley needs Python 3.11 or newer; set PYTHON to one.")'
	$(PYTHON) -m venv $(VENV)

# TORCH_INDEX_URL names an index with other builds of torch, e.g. CPU-only ones, which are a tenth of the size.
define install_torch
$(if $(TORCH_INDEX_URL),$(PIP) --index-url $(TORCH_INDEX_URL) torch torchvision)
endef
