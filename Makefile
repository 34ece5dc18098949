# Two commands do everything on a machine with Python 3.11+, make and git: `make nightly` and `make test`.
.DEFAULT_GOAL := help
.PHONY: bench-docs chromium screenshots proof-hostile help setup setup-dev sample nightly rebuild test test-browser test-pages proof-kill proof-faults proof-pairs proof-roi bench-roi format lint types catalog docs docs-check check bench lock clean proof-groups proof-canaries bench-ingest
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXPORTS ?=
ifneq ($(filter-out file,$(firstword $(origin EXPORTS))),)
  ifeq ($(strip $(EXPORTS)),)
    $(error EXPORTS is empty: name a folder of exports, or leave it out to run on the sample)
  endif
endif
ifeq ($(origin EXPORT),command line)
  $(error EXPORT is not known: did you mean EXPORTS?)
endif
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
export PYTHONHASHSEED ?= 0

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: requirements.txt pyproject.toml
	@echo "Setting up $(VENV) (once; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --only-binary :all: -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements-dev.txt
	@echo "Adding the test tools to $(VENV) ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@

setup: $(VENV)/ready ## Make the virtual environment (the other targets do this by themselves)

setup-dev: $(VENV)/ready-dev ## The same, with the tools for tests and checks

sample: $(VENV)/ready ## Write the sample organisation's exports to data/exports/sample
	@test -f data/exports/sample/truth.json || $(BIN)/roi sample

nightly: $(VENV)/ready ## The nightly run on the sample, or on your own exports: make nightly EXPORTS=dir
	@$(if $(EXPORTS),,echo "Running on the made-up sample organisation; for your own: make nightly EXPORTS=dir")
	@$(if $(EXPORTS),,$(MAKE) --no-print-directory sample)
	@$(BIN)/roi nightly $(if $(EXPORTS),--exports "$(EXPORTS)",) || { code=$$?; test $$code -eq 3 || exit $$code; }

rebuild: $(VENV)/ready ## Begin again with edition 1, from the exports that are in the folder now: make rebuild EXPORTS=dir
	@$(BIN)/roi nightly --rebuild $(if $(EXPORTS),--exports "$(EXPORTS)",) || { code=$$?; test $$code -eq 3 || exit $$code; }

test: $(VENV)/ready-dev ## Run the tests
	@$(BIN)/python -m pytest

chromium: $(VENV)/ready-dev
	@$(BIN)/python -c 'import shutil, sys; from pipeline.printing import BROWSERS as names; any(map(shutil.which, names)) or sys.exit("No Chromium on this machine (looked for " + ", ".join(names) + "). Install one first; on Debian and Ubuntu: apt-get install chromium")'

test-browser: chromium ## Run the tests that open the pages in Chromium
	@$(BIN)/python -m pytest -m browser

test-pages: chromium ## Every published page in Chromium: axe, requests, 320 px, paper; weights and speed (minutes)
	@test -f reports/index.html || $(MAKE) --no-print-directory nightly
	@ROI_PAGES=reports $(BIN)/python -m pytest -n 0 tests/test_reports_browser.py -o log_cli=true -o log_cli_level=INFO
	@$(BIN)/python -m bench.pages

proof-kill: $(VENV)/ready-dev ## Kill twenty runs at random moments and hold each rerun to the bytes of an unkilled one
	@ROI_PROOF_KILLS=20 $(BIN)/python -m pytest -n 0 tests/test_nightly_killed.py -o log_cli=true -o log_cli_level=INFO

proof-faults: $(VENV)/ready-dev ## What may be wrong with a file, promise by format; files cut at every byte; 1 000 random tables (a quarter of an hour or more)
	@ROI_PROOF_CUTS=all ROI_PROOF_TABLES=1000 $(BIN)/python -m pytest -n 0 tests/test_fault_matrix.py tests/test_fault_cuts.py tests/test_fault_tables.py -o log_cli=true -o log_cli_level=INFO -o log_cli_format="%(message)s"

proof-groups: $(VENV)/ready-dev ## Send a solver after groups of fewer than five people: 210 small tables, 4 published organisations (minutes)
	@ROI_PROOF_ORGANISATIONS=150 ROI_PROOF_GROUPED=30 $(BIN)/python -m pytest tests/test_suppression.py tests/test_suppression_deeds.py tests/test_suppression_nesting.py
	@ROI_PROOF_PUBLISHED=4 $(BIN)/python -m pytest -n 0 tests/test_suppression_published.py -o log_cli=true -o log_cli_level=INFO -o log_cli_format="%(message)s"

proof-canaries: $(VENV)/ready-dev ## Names, addresses, ids and prompts planted in every export: in nothing written or printed (two minutes)
	@ROI_PROOF_CANARIES=all $(BIN)/python -m pytest -n 0 tests/test_canaries.py -o log_cli=true -o log_cli_level=INFO -o log_cli_format="%(message)s"

proof-hostile: chromium ## Script, links, formulas and endless words in every field of every export: nothing may run (minutes)
	@ROI_PROOF_HOSTILE=1 $(BIN)/python -m pytest -n 0 tests/test_reports_hostile.py -o log_cli=true -o log_cli_level=INFO

screenshots: chromium ## Take the pictures of the README anew from the published pages of the sample
	@$(BIN)/python -m bench.screenshots

proof-pairs: $(VENV)/ready-dev ## Plant every pair of mistakes into a catalogue and show that both are told (about two minutes)
	@ALL_PAIRS=1 $(BIN)/python -m pytest tests/test_catalog_pairs.py

proof-roi: $(VENV)/ready ## Hold the intervals of planted effects to their promise over 100 made-up organisations: SEEDS=1000 PEOPLE=200
	@$(BIN)/python -m bench.proof $(if $(SEEDS),--seeds $(SEEDS)) $(if $(PEOPLE),--people $(PEOPLE))

format: $(VENV)/ready-dev ## Rewrite the code in the house format
	@$(BIN)/ruff check --fix --quiet pipeline tests bench
	@$(BIN)/ruff format --quiet pipeline tests bench

lint: $(VENV)/ready-dev
	@$(BIN)/ruff format --check --quiet pipeline tests bench || { echo "formatting differs: run make format"; exit 1; }
	@$(BIN)/ruff check --quiet pipeline tests bench

types: $(VENV)/ready-dev
	@$(BIN)/mypy

catalog: $(VENV)/ready ## Check metrics_catalog.yaml and the source mappings
	@$(BIN)/roi catalog check

docs: $(VENV)/ready ## Write the generated pages of docs/ anew
	@$(BIN)/roi catalog docs

docs-check: $(VENV)/ready
	@$(BIN)/roi catalog docs --check

check: lint types catalog docs-check test ## Everything CI runs: format, lint, types, catalogue, docs in step, tests
	@echo "make check: all passed"

bench: $(VENV)/ready ## Measure against one scan of the rows and other tools: make bench BENCH_CALLS=10000000
	@$(BIN)/python -m bench

bench-docs: $(VENV)/ready ## Measure all that docs/benchmarks.md tells and write it; about twenty minutes, on a quiet machine
	@BENCH_CALLS=1000000 BENCH_RUNS=2 BENCH_PARTS=ab $(BIN)/python -m bench
	@BENCH_CALLS=10000000 BENCH_RUNS=1 BENCH_PARTS=a $(BIN)/python -m bench
	@BENCH_CALLS=5000000 BENCH_RUNS=3 BENCH_PARTS=c $(BIN)/python -m bench
	@BENCH_ROWS=1000000 BENCH_RUNS=3 BENCH_FILES=1 $(BIN)/python -m bench.ingest
	@cd build/bench && PYTHONPATH=../.. ../../$(BIN)/python -m bench.report results-1000000.json results-10000000.json results-5000000.json ingest-1000000-1.json

bench-ingest: $(VENV)/ready ## Rows a second taken in beside the plain reader and other tools: make bench-ingest BENCH_ROWS=5000000
	@$(BIN)/python -m bench.ingest

bench-roi: $(VENV)/ready ## Print the seconds of processor that the simulation of the return takes
	@$(BIN)/python -m bench.roi

lock: ## Resolve the dependencies anew into the hash-locked requirements files (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group build pyproject.toml --quiet --output-file requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group dev --constraint requirements.txt pyproject.toml --quiet --output-file requirements-dev.txt

clean: ## Remove everything derived: warehouse, reports, sample; received files and the key stay
	@rm -rf data/warehouse data/exports/sample
	@find reports -mindepth 1 -not -name README.md -delete
