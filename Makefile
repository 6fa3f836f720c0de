# Everything a fresh machine with Python 3.11 and make needs: `make demo`, `make test`.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.ready-dev
DOCS   := $(VENV)/.ready-docs
NEWEST := .venv-newest
LOCK   := .venv-lock

# The files and folders whose tests need no store, no engine and no process. `make quick` leaves out
# their properties, which try hundreds of examples each.
QUICK  := tests/conductor tests/definition tests/expressions tests/plan tests/triggers \
          tests/project/test_gates.py tests/project/test_locks.py $(wildcard tests/test_bitmap*.py tests/test_context.py \
          tests/test_errors.py tests/test_source*.py tests/test_values.py)

INSTALL  := -m pip install --quiet --disable-pip-version-check
EDITABLE := $(INSTALL) --no-deps --no-build-isolation --editable .
COMPILE  := $(LOCK)/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 \
            --upgrade --generate-hashes --no-annotate --custom-compile-command 'make lock' \
            pyproject.toml

# Hundreds of tests start processes, and each would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test quick test-newest release-check lock allowances format bench site clean

demo: $(READY)
	$(BIN)/fanwise demo

# Three processes for two cores: tests spend a third of their time waiting, for processes, servers and
# disks.
test: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 3 --dist worksteal

# The pure folders, by examples, and the gates: in seconds.
quick: $(DEV)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not hypothesis" $(QUICK)

# The newest versions that pyproject.toml allows, in an environment of their own.
test-newest:
	rm -rf $(NEWEST)
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python $(INSTALL) --upgrade pip
	$(NEWEST)/bin/python $(INSTALL) --editable . --group dev --group build
	$(NEWEST)/bin/python -m pip list
	$(NEWEST)/bin/python -m pytest -n 3 --dist worksteal

# Builds the committed state, installs each file of it in an empty environment, and runs the demos.
release-check: $(READY)
	rm -rf dist build/release build/empty
	mkdir -p dist build/release
	git archive HEAD | tar -x -C build/release
	cd build/release && $(abspath $(BIN))/python -c \
	    "from setuptools.build_meta import *; build_sdist('../../dist'); build_wheel('../../dist')"
	for file in dist/*; do \
	    $(PYTHON) -m venv --clear build/empty && \
	    build/empty/bin/python $(INSTALL) $$file && \
	    (cd build/empty && XDG_DATA_HOME=$$PWD bin/fanwise demo) || exit 1; \
	done

# Writes the newest versions that pyproject.toml allows into the lock files, for every platform.
lock:
	test -x $(LOCK)/bin/python || $(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python $(INSTALL) --upgrade uv
	$(COMPILE) --group build -o requirements.lock
	$(COMPILE) --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --group docs -c requirements.lock -o requirements-docs.lock

# Lowers the counts that may only fall: `Any`, words of docstrings and messages, for each folder.
allowances: $(DEV)
	$(BIN)/python tests/project/allowances.py

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/fanwise bench
	$(BIN)/python -m benchmarks

site: $(DOCS)
	$(BIN)/mkdocs build

$(READY): requirements.lock pyproject.toml Makefile
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) --require-hashes --requirement requirements.lock
	$(BIN)/python $(EDITABLE)
	touch $@

$(DEV): $(READY) requirements-dev.lock
	$(BIN)/python $(INSTALL) --require-hashes --requirement requirements-dev.lock
	touch $@

$(DOCS): $(READY) requirements-docs.lock
	$(BIN)/python $(INSTALL) --require-hashes --requirement requirements-docs.lock
	touch $@

clean:
	rm -rf $(VENV) $(NEWEST) $(LOCK) build dist .mypy_cache .ruff_cache .hypothesis .import_linter_cache
