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
# What others run, so what is searched for what is unsafe.
SHIPPED := app deploy migrations model_store workers wsgi.py
CHAOS_S ?= 600

.DEFAULT_GOAL := help
.PHONY: help run reload install test test-long sure bench chaos lint format types imports db migration token backup restore audit clean doctor

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed-run ## Start everything and print how to call it; PORT, HOST and VAR_DIR move it. Ctrl-C ends it.
	@$(BIN)/python -m deploy.stack run --end-with-parent

reload: $(VENV)/.installed-run ## Have the running stack take up new code and settings; no request that ends within DRAIN_S is lost.
	@$(BIN)/python -m deploy.stack reload

doctor: $(VENV)/.installed-run ## Say what is wrong or unsafe here, and how to mend it; changes nothing.
	@$(BIN)/python -m deploy.doctor

install: $(VENV)/.installed-dev ## Make .venv with everything that is needed to develop.

test: $(VENV)/.installed-dev $(CLIENTS)/.installed ## Run all tests but the long ones.
	$(PYTEST) -m "not long" -n $(TEST_PROCESSES)

test-long: $(VENV)/.installed-dev $(CLIENTS)/.installed ## Run the long fault, fuzz and endurance tests.
	$(PYTEST) -m "long and not alone" -n $(TEST_PROCESSES)
	$(PYTEST) -m alone

sure: lint types imports ## Run every check that needs no running code: lint, format, types, imports, bandit.
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(SHIPPED)
	$(BIN)/ruff format --check

bench: $(VENV)/.installed-dev ## Measure speed and memory on this machine; writes docs/benchmarks.md.
	$(BIN)/python -m tests.load

chaos: $(VENV)/.installed-dev ## Break a whole installation at random for CHAOS_S seconds, by CHAOS_SEED; writes docs/chaos.md.
	$(BIN)/python -m tests.chaos --seconds $(CHAOS_S) $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

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

backup: $(VENV)/.installed-run ## Save SQL and the store, beside what runs: make backup to=FOLDER keep=7 jobs=yes
	@$(BIN)/python -m deploy.backup make $(if $(to),--to "$(to)") $(if $(keep),--keep "$(keep)") $(if $(jobs),--jobs)

restore: $(VENV)/.installed-run ## Bring a backup back while nothing runs: make restore from=FOLDER force=yes
	@$(BIN)/python -m deploy.backup restore "$(from)" $(if $(force),--force)

audit: $(VENV)/.installed-audit ## Ask the database of known vulnerabilities about every pinned part; it is on the internet.
	$(BIN)/python .ci/audit.py

clean: ## Remove caches and builds; .venv, .venv-clients and var stay.
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist tests/load/build *.egg-info
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

$(VENV)/.installed-audit: constraints.txt setup.cfg | $(BIN)/python
	$(PIP) pip-audit
	@touch $@

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
