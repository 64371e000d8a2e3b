# Needs Python 3.11 or newer and a package index. uv is used where it is, and put into .venv where it is not.

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
UV := $(shell command -v uv 2>/dev/null)
BIN := .venv/bin
UVBIN := $(or $(UV),$(BIN)/uv)

# Hundreds of processes start in the tests, and one that finds no bytecode compiles for three seconds.
unexport PYTHONDONTWRITEBYTECODE

# The second try is for networks whose certificates only the system knows. --inexact: uv may live in .venv.
sync = echo "Installing what uv.lock names ..." && { $(1) sync --frozen --inexact --quiet 2>/dev/null \
	|| UV_SYSTEM_CERTS=true $(1) sync --frozen --inexact --quiet; }

.PHONY: demo check test test-flow smoke torture torture-sample bounds distribution lint style types contracts unit clean

demo: .venv/synced
	@$(BIN)/ekyc demo

# A process a core; loadgroup hands out tests one by one. TESTS names some files only.
pytest = $(BIN)/pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder

# Side by side, each with its words in one piece; one that fails ends none of the others.
side_by_side = $(MAKE) --no-print-directory --jobs --keep-going --output-sync=target

check: .venv/synced
	@echo "Lint, types, import contracts and unit tests, side by side: about a minute ..."
	@$(side_by_side) style types contracts unit

# Few examples of Hypothesis and a tenth of the large families, for the quickest word.
unit: .venv/synced
	@HYPOTHESIS_PROFILE=dev $(pytest) -q tests/unit

TESTS ?= tests/unit tests/integration
test: .venv/synced
	@$(pytest) --cov --cov-report=term:skip-covered $(TESTS)

# Each process has a Prefect server of its own.
test-flow: .venv/synced
	@$(pytest) tests/flow

# A few of the trials of `make torture`, and the demo.
smoke: .venv/synced
	@$(pytest) -m smoke tests/smoke tests/torture
	@$(BIN)/ekyc demo

# Hundreds of crashes and faults, a process a core, and figures at the end; SEED=2 draws other lots, PARTS names
# some files only.
PARTS ?= tests/torture
torture: .venv/synced
	@POLARS_MAX_THREADS=1 $(pytest) $(PARTS) --color=no -q

# A tenth of it, drawn by the hash of the commit; DRAW=3 names the slice.
DRAW ?= $(shell git rev-parse --short=8 HEAD)
torture-sample: .venv/synced
	@TORTURE_SAMPLE=$(DRAW) POLARS_MAX_THREADS=1 $(pytest) $(PARTS) --color=no -q

# The unit tests with the system's own Python, where there is another than that of .venv: 3.11.2 matches some patterns
# of regular expressions otherwise than 3.11.7 does.
SYSTEM_PYTHON ?= /usr/bin/python3
distribution: .venv/synced
	@version='import sys; print(sys.version_info >= (3, 11) and sys.version)'; \
	system=$$($(SYSTEM_PYTHON) -c "$$version" 2>/dev/null || echo False); \
	if [ "$$system" = False ] || [ "$$system" = "$$($(BIN)/python -c "$$version")" ]; then \
		echo "$(SYSTEM_PYTHON) is not there, too old, or that of .venv: nothing to test."; \
	else \
		UV_PROJECT_ENVIRONMENT=build/distribution $(UVBIN) sync --frozen --quiet --python $(SYSTEM_PYTHON) \
			&& build/distribution/bin/python --version \
			&& HYPOTHESIS_PROFILE=dev build/distribution/bin/pytest --numprocesses auto --dist loadgroup -q tests/unit; \
	fi

# The unit tests and the demo with the lowest direct versions that pyproject.toml allows, and with the newest.
bounds: .venv/synced
	@for versions in lowest-direct highest; do \
		$(UVBIN) venv --quiet --clear build/$$versions && $(UVBIN) pip install --quiet --python build/$$versions \
			--resolution $$versions --editable . --group dev && build/$$versions/bin/pytest -q tests/unit \
			&& build/$$versions/bin/ekyc demo || exit 1; done

lint: .venv/synced
	@$(side_by_side) style types contracts

style: .venv/synced
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: .venv/synced
	@$(BIN)/mypy

contracts: .venv/synced
	@$(BIN)/lint-imports --no-logo

clean:
	rm -rf .venv

# Once it is there, nothing below asks the network again until the lock file changes.
.venv/synced: uv.lock pyproject.toml
ifneq ($(UV),)
	@$(call sync,$(UV))
else
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or set PYTHON=/path/to/python3."; exit 1; }
	@test -x $(BIN)/uv || { echo "Setting up .venv with uv ..."; $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	@$(call sync,$(BIN)/uv)
endif
	@touch $@
