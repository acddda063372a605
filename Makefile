# Users need `make serve` and `make test`. `make help` lists the other targets.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check --quiet --require-virtualenv
LOCK    = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade

.PHONY: help serve test test-fast lint format lock messages bench docs reference pictures dist release clean

serve: $(VENV)/.run  ## serve the demo site (config.yaml, content/)
	@exec $(BIN)/feeds serve

help:  ## list these targets
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / {printf "%-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: $(VENV)/.dev  ## run all tests; options for pytest: ARGS="…"
	$(BIN)/python -m pytest -n 6 --dist worksteal $(ARGS)

test-fast: $(VENV)/.dev  ## run the tests that start no servers or processes and do not wait for the clock
	$(BIN)/python -m pytest -n 6 --dist worksteal -m "not integration" $(ARGS)

lint: $(VENV)/.dev  ## check format, style, spelling, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev  ## format the code, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/.dev  ## update the locked requirements (requirements/*.txt)
	$(BIN)/$(LOCK) requirements/build.in -o requirements/build.txt
	$(BIN)/$(LOCK) pyproject.toml --all-extras --group test --group lint --group lock -c requirements/build.txt -o requirements/dev.txt
	$(BIN)/$(LOCK) pyproject.toml --all-extras -c requirements/dev.txt -o requirements/cluster.txt
	$(BIN)/$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	$(BIN)/$(LOCK) --group bench -o requirements/bench.txt
	$(BIN)/$(LOCK) --group audit -o requirements/audit.txt
	$(BIN)/$(LOCK) --group docs -c requirements/dev.txt -o requirements/docs.txt

messages: $(VENV)/.dev  ## add new messages of pages to the catalogs (feeds/pages/locales), and remove unused ones
	$(BIN)/python tests/collect_messages.py

bench: $(VENV)/.bench  ## compare builds with Hugo, and time edits under `feeds serve`, with up to 100,000 articles
	cd benchmarks && ../$(BIN)/python scale.py $(ARGS)

$(VENV)/.docs: $(VENV)/.dev requirements/docs.txt
	@$(PIP) install --require-hashes -r requirements/docs.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

docs: $(VENV)/.docs  ## build the documentation site and the man pages in build/
	$(BIN)/python docs/site.py $(ARGS)

reference: $(VENV)/.dev  ## update the generated parts of docs/config.md and docs/commands.md
	$(BIN)/python docs/reference.py

pictures: $(VENV)/.dev  ## update the screenshots and the recording in README and docs (needs chromium)
	$(BIN)/python docs/pictures.py

dist: $(VENV)/.dev  ## build the wheel and the source distribution in dist/, and check their metadata
	@$(BIN)/python tools/release.py build

release: $(VENV)/.dev  ## commit and tag a release: VERSION=X.Y.Z; ARGS=--skip-tests (CONTRIBUTING.md)
	@$(BIN)/python tools/release.py release "$(VERSION)" $(ARGS)

clean:  ## delete the environment, the catalog, the exported site, distributions and the built documentation
	rm -rf $(VENV) .feeds public dist build

# Source distributions (feedgen) and feeds itself are built with the locked build tools, so that every download has a hash.
$(VENV)/.build: requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "feeds needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@echo "creating the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/build.txt
	@touch $@

$(VENV)/.run: $(VENV)/.build requirements/run.txt pyproject.toml
	@$(PIP) install --no-build-isolation --require-hashes -r requirements/run.txt
	@! $(PIP) show feeds >/dev/null 2>&1 || $(PIP) uninstall --yes feeds  # the former name of the distribution
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@$(PIP) install --no-build-isolation --require-hashes -r requirements/dev.txt
	@touch $@
