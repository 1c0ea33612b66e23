# Everything from a plain checkout with Python >= 3.11, make and Git. Another interpreter: make PYTHON=python3.12 demo
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTEST_ARGS ?= -n 2
PORT ?= 3000

.PHONY: help setup demo dev test test-all check format clean
.DEFAULT_GOAL := help

help: ## These lines
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Make .venv and install, when pyproject.toml or constraints.txt changed

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup ## The loop, twice, and a webhook, against a sandbox of its own; exits 0 if all converged
	@$(BIN)/ghl-payments demo

dev: setup ## Sandbox and Dagster on 127.0.0.1:3000 (PORT=...); Ctrl-C stops both
	@$(BIN)/ghl-payments dev --port $(PORT)

# Both parts always run, so that one run shows all there is to mend; the suite's summary comes last.
test: setup ## Format, lint, types and imports, then the default suite
	@status=0; \
	$(MAKE) --no-print-directory check || status=1; \
	$(BIN)/python -m pytest $(PYTEST_ARGS) || status=1; \
	exit $$status

test-all: PYTEST_ARGS += -m ""
test-all: test ## The same, with the long tests of whole loops

check: setup ## Format, lint, types and imports
	@status=0; \
	$(BIN)/ruff format --check --output-format concise . || { echo "Not formatted: make format"; status=1; }; \
	$(BIN)/ruff check --quiet . || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/lint-imports --no-logo || status=1; \
	exit $$status

format: setup ## Format, and mend what ruff can mend
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

clean: ## Remove .venv, caches and sandbox files; .dagster and .ghl_payments hold data and stay
	rm -rf $(VENV) .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .tmp_dagster_home_* \
	  build dist *.egg-info
	find ghl_payments ghl_payments_tests -name __pycache__ -type d -prune -exec rm -rf {} +
