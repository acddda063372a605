# Two commands do everything: `make serve` and `make test`. The rest is for developers.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check --quiet --require-virtualenv
LOCK    = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade

.PHONY: serve test test-fast lint format lock bench pictures clean

serve: $(VENV)/.run  ## serve the demo site (config.yaml, content/)
	@exec $(BIN)/feeds serve

test: $(VENV)/.dev  ## the whole test suite
	$(BIN)/python -m pytest -n 6 --dist worksteal $(ARGS)

test-fast: $(VENV)/.dev  ## the tests without servers, other processes and waiting for the clock
	$(BIN)/python -m pytest -n 6 --dist worksteal -m "not integration" $(ARGS)

lint: $(VENV)/.dev  ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.dev  ## renew the locked requirements: what runs is what was tested
	$(BIN)/$(LOCK) requirements/build.in -o requirements/build.txt
	$(BIN)/$(LOCK) pyproject.toml --all-extras --group test --group lint --group lock -c requirements/build.txt -o requirements/dev.txt
	$(BIN)/$(LOCK) pyproject.toml --all-extras -c requirements/dev.txt -o requirements/cluster.txt
	$(BIN)/$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	$(BIN)/$(LOCK) --group bench -o requirements/bench.txt
	$(BIN)/$(LOCK) --group audit -o requirements/audit.txt

bench: $(VENV)/.bench  ## builds beside Hugo's, and edits under `feeds serve`, at up to 100,000 articles
	cd benchmarks && ../$(BIN)/python scale.py $(ARGS)

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

pictures: $(VENV)/.dev  ## the pictures of the README and the docs, from the demo (needs chromium)
	$(BIN)/python docs/pictures.py

clean:
	rm -rf $(VENV) .feeds public

# sdists (feedgen) and ourselves are built with the locked build tools: nothing unhashed is fetched
$(VENV)/.build: requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "feeds needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@echo "making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/.run: $(VENV)/.build requirements/run.txt pyproject.toml
	@$(PIP) install --no-build-isolation --require-hashes -r requirements/run.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(PIP) install --no-build-isolation --require-hashes -r requirements/dev.txt
	@touch $@
