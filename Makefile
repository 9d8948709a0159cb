# make demo       every figure from embedded data, no download     make test    the test suite
# make reproduce  every figure at the papers' scale, on real data  make check   style, lint, types
# make docs       the documentation as offline HTML, build/docs/
.DEFAULT_GOAL := help
.PHONY: help environment demo reproduce smoke report publish archive citation compare readme docs examples test test-slow faults hostile check bench bench-peers bench-quick peers format config lock clean

PYTHON ?= python3
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores all
CODE := src tests tools docs workflow/calls.py workflow/scripts benchmarks

help:
	@sed -n 's/^# //p' Makefile | head -3

# One environment, from the lock alone; made on first use, and anew when the lock changes.
environment:
	@$(PYTHON) tools/environment.py

demo: environment
	$(SNAKEMAKE) demo

reproduce: environment
	$(SNAKEMAKE) full

smoke: environment
	$(SNAKEMAKE) smoke

PRESET ?= full

# The article on the run of PRESET; what it needs and is not there is made first.
report: environment
	$(SNAKEMAKE) figures/$(PRESET)/report.pdf

# The run of PRESET becomes the reference set, if it is whole and made from a commit; the README shows it.
publish: environment
	$(BIN)/sgdiffusion artifact publish --preset $(PRESET)
	$(BIN)/sgdiffusion artifact readme

# The commit, with the reference set, as one citable zip: a Workflow RO-Crate.
archive: environment
	$(BIN)/python tools/archive.py

# Writes codemeta.json and .zenodo.json from CITATION.cff and pyproject.toml.
citation: environment
	$(BIN)/python tools/citation.py

readme: environment
	$(BIN)/sgdiffusion artifact readme

# Where the run of PRESET differs from the reference set beyond its intervals.
compare: environment
	$(BIN)/sgdiffusion artifact compare --preset $(PRESET)

# The site of docs/, with every warning an error.
docs: environment
	$(BIN)/python -m sphinx -W --keep-going -q -b html -d build/docs-trees docs build/docs
	@echo build/docs/index.html

# Runs the examples of docs/ and writes what they print and draw into the pages.
examples: environment
	$(BIN)/python docs/generate/examples.py $$(grep -rl '^```python' docs/guide docs/tutorials)

# On as many cores as there are, four at most: each process takes about 1 GB.
test: environment
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --no-loadscope-reorder \
		--cov --cov-report=term

test-slow: environment
	$(BIN)/python -m pytest -m slow

# Kills, signals, full disks and the like, RUNS of them; what was computed must be what a quiet run computes.
RUNS ?= 200
faults: environment
	$(BIN)/python tests/faults/run.py --runs $(RUNS)

# Damaged files of every kind that is read, INPUTS of them; only clear errors may come of it.
INPUTS ?= 100000
hostile: environment
	$(BIN)/python tests/faults/hostile.py --inputs $(INPUTS)

check: environment
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy

format: environment
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/snakefmt Snakefile workflow

# Hot paths beside peers and floors, one thread, minutes: writes tables and pictures into benchmarks/.
bench: peers
	$(BENCH)

# The library beside other libraries alone: the table that docs/ shows.
bench-peers: peers
	$(BENCH) peers

# Only whether the numbers are equal; nothing is timed or written.
bench-quick: peers
	$(BENCH) --rounds 0

BENCH = OMP_NUM_THREADS=1 TORCHINDUCTOR_CACHE_DIR=$(CURDIR)/build/inductor PYTHONPATH=build/peers \
	$(BIN)/python -W ignore benchmarks/bench.py

peers: environment
	$(BIN)/python -m pip install -q --no-deps --upgrade --target build/peers -r benchmarks/requirements-peers.txt

# Writes config/config.yaml from its typed model.
config: environment
	$(BIN)/sgdiffusion artifact config

# Renews the pins; needs uv. torch stays at the version the reference results were made with.
lock:
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --all-extras --constraint constraints.txt pyproject.toml -o requirements.lock

# Results and figures; never data/raw, nor the published reference figures.
clean:
	rm -rf results logs data/prepared figures/full figures/demo figures/smoke
