# make demo       every figure from embedded data, no download     make test    the test suite
# make reproduce  every figure at the papers' scale, on real data  make check   style, lint, types
.DEFAULT_GOAL := help
.PHONY: help demo reproduce smoke publish compare readme test test-slow check format config lock clean

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
SNAKEMAKE := $(BIN)/snakemake --cores all

help:
	@sed -n 's/^# //p' Makefile | head -2

# One environment, from the lock file alone; made once, and again when the lock or the package's metadata change.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: needs Python 3.11 to 3.14 on the PATH (or: make PYTHON=/path/to/python ...)"; exit 1; }
	@echo "creating .venv (about 6 GB on Linux, where torch brings its GPU libraries; minutes) ..."
	@$(PYTHON) -m venv .venv || { echo "error: '$(PYTHON) -m venv' failed; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)
	$(SNAKEMAKE) demo

reproduce: $(READY)
	$(SNAKEMAKE) full

smoke: $(READY)
	$(SNAKEMAKE) smoke

# The run of PRESET becomes the reference set, if it is whole and made from a commit; the README shows it.
PRESET ?= full
publish: $(READY)
	$(BIN)/sgdiffusion publish --preset $(PRESET)
	$(BIN)/sgdiffusion readme

readme: $(READY)
	$(BIN)/sgdiffusion readme

# Where the run of PRESET differs from the reference set beyond its intervals.
compare: $(READY)
	$(BIN)/sgdiffusion compare --preset $(PRESET)

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow

check: $(READY)
	$(BIN)/ruff check src tests workflow/scripts benchmarks
	$(BIN)/ruff format --check src tests workflow/scripts benchmarks
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix src tests workflow/scripts benchmarks
	$(BIN)/ruff format src tests workflow/scripts benchmarks
	$(BIN)/snakefmt Snakefile workflow

# Writes config/config.yaml and workflow/schemas/ from the typed models.
config: $(READY)
	$(BIN)/sgdiffusion config

# Renews the pins; needs uv. torch stays at the version the reference results were made with.
lock:
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --all-extras --constraint constraints.txt pyproject.toml -o requirements.lock

# Results and figures; never data/raw, nor the published reference figures.
clean:
	rm -rf results logs data/prepared figures/full figures/demo figures/smoke
