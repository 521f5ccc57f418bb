# make demo    compares threads and real processes on real photographs
# make test    checks the style, the types and every test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PORT ?= 5000
MINUTES ?= 60
SEED ?= 0
# A link that leads nowhere is an error; --quiet would hide it. The variable silences an advertisement.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
.DEFAULT_GOAL := help
.PHONY: help demo test test-fast fuzz chaos coverage lint audit docs schema table lock ui clean

help:  ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One environment for all: the lock files say exactly what is in it, by hash.
$(VENV)/.run: requirements.txt pyproject.toml
	@echo "Installing into $(VENV): TensorFlow and MLflow are large, a few minutes on a first run."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.run  ## Compare threads with real processes on real photographs
	$(BIN)/python -m runner experiment=threads_vs_processes

test: lint  ## Check style and types, then run every test
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal --durations=30

test-fast: $(VENV)/.dev  ## Run the tests that take no cluster, no browser, no server and no program, for the loop of an editor
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal -m "not slow"

fuzz: $(VENV)/.dev  ## Run the property tests with 2 000 examples each, which are others every time
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal --timeout=3600 -m hypothesis

chaos: $(VENV)/.dev  ## Do harm to the program in every way there is, for MINUTES minutes with SEED; print what was survived
	PYTHONPATH=.:tests $(BIN)/python -m support.chaos --minutes $(MINUTES) --seed $(SEED)

coverage: $(VENV)/.dev  ## Run every test and show which lines of runner/ none has run, in whichever process
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lint: $(VENV)/.dev  ## Check style, types on every system, layers, and the documents' links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --platform linux
	$(BIN)/mypy --platform darwin
	$(BIN)/mypy --platform win32
	$(BIN)/lint-imports --no-logo
	$(MKDOCS)

audit: $(VENV)/.dev  ## Hold the locked versions of all dependencies against the public list of known holes
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --requirement requirements-dev.txt --disable-pip --require-hashes --strict || { status=$$?; \
	  echo "pip-audit found a hole, or could not ask its service about a package: its last lines say which." >&2; exit $$status; }

docs: $(VENV)/.dev  ## Build the pages of docs/ into site/; open site/index.html
	$(MKDOCS)

schema: $(VENV)/.run  ## Write the JSON Schemas of records and presets anew, from their types
	$(BIN)/python -c 'from runner.record.json_schema import write_schemas; write_schemas()'
	$(BIN)/python -c 'from runner.config.preset_schema import write_preset_schema; write_preset_schema()'

# What tests need is chosen first, so that they run with the very versions that a user gets.
lock: $(VENV)/.dev  ## Write the lock files anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header --upgrade --extra dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-annotate --no-header --upgrade --constraint requirements-dev.txt pyproject.toml -o requirements.txt

table: $(VENV)/.run  ## Write the documents' tables, and the commands' words for completion, anew
	$(BIN)/python -c "from runner.commands.help import write_table; write_table()"
	$(BIN)/python -c "from runner.record.field_tables import write_field_tables; write_field_tables()"
	$(BIN)/python -c "from runner.commands.completion.verbs import write_verbs; write_verbs()"

ui: $(VENV)/.run  ## Show the recorded runs in MLflow, on http://127.0.0.1:5000
	$(BIN)/python -m runner ui --port $(PORT)

clean:  ## Remove the environment and what tools left; outputs/ stays
	rm -rf $(VENV) dist site .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
