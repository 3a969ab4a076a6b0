# Every command of the project. `make help` lists them.
# Nothing here is needed but Python 3.11 or newer with its venv module, and node for the checks.

PORT ?= 8443
DATA ?= ./data
PYTEST_ARGS ?=
# Tests of real time spend most of it waiting. Those that only compute run behind them, in two
# processes at the lowest priority, and speak when they are done; browsers come last, in two as well.
TIMED := tests/recorder tests/faults tests/avsession/sealing/test_open_chromium.py
BROWSERS := tests/browser

SHELL := /bin/bash
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Which Debian package brings each program that the checks and the tests start.
TOOLS := unzip:unzip chromium:chromium age:age curl:curl ffmpeg:ffmpeg ip:iproute2 pg_ctlcluster:postgresql node:nodejs npm:npm nginx:nginx openssl:openssl turnserver:coturn

# One universal lock: the same versions on every Python and platform, no address of any kind in it.
# --group build puts setuptools in it, so that installing the project itself downloads nothing.
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet --group build

.PHONY: help serve test check format bench lock tools clean
.DEFAULT_GOAL := help

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

# exec: Ctrl-C and SIGTERM reach the server itself. Everything before it speaks on stderr only.
serve: .venv/run.stamp ## run everything on this machine (PORT=8443 DATA=./data)
	@exec $(BIN)/avsession serve --port "$(PORT)" --data "$(DATA)"

test: .venv/dev.stamp node_modules/.stamp tools ## run all tests, the browser ones too (PYTEST_ARGS=...)
	@if [ -n "$(PYTEST_ARGS)" ]; then exec $(PYTEST) $(PYTEST_ARGS); fi; \
	said=$$(mktemp); nice -n 19 $(PYTEST) --numprocesses 2 $(TIMED:%=--ignore=%) $(BROWSERS:%=--ignore=%) >"$$said" 2>&1 & \
	computing=$$!; trap 'kill $$computing 2>/dev/null; rm -f "$$said"' EXIT; \
	$(PYTEST) $(TIMED); timed=$$?; \
	wait $$computing; computed=$$?; cat "$$said"; \
	$(PYTEST) --numprocesses 2 --dist loadfile --no-loadscope-reorder $(BROWSERS) && exit $$((timed | computed))

check: .venv/dev.stamp node_modules/.stamp ## format, lint and types; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	node_modules/.bin/tsc --project tsconfig.json

format: .venv/dev.stamp ## rewrite the Python files as `make check` wants them
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: .venv/dev.stamp tools ## measure, and print the numbers
	@exec $(BIN)/python -m tests.bench

lock: .venv/dev.stamp ## choose every dependency anew and write the lock files (needs the network)
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --upgrade --group dev --constraints requirements.lock --output-file requirements-dev.lock
	npm update --package-lock-only
	node -e 'const fs = require("fs"), lock = JSON.parse(fs.readFileSync("package-lock.json")); \
		for (const one of Object.values(lock.packages)) delete one.funding; \
		fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n")'
	@! grep -nE '[a-z]+://' requirements.lock requirements-dev.lock package-lock.json

clean: ## remove what was built; data is not touched
	rm -rf .venv node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find avsession signaling recorder web tests -name __pycache__ -prune -exec rm -rf {} +

# Programs that pip and npm cannot bring. Only root on a system with apt has them installed.
tools:
	@missing=; packages=; \
	for tool in $(TOOLS); do \
		command -v "$${tool%%:*}" >/dev/null || { missing+=" $${tool%%:*}"; packages+=" $${tool##*:}"; }; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get -q update && apt-get -q install -y --no-install-recommends $$packages; } >&2 </dev/null; \
	else \
		echo "The tests need programs that are not installed:$$missing." >&2; \
		echo "On Debian: sudo apt-get install$$packages" >&2; exit 1; \
	fi

# Empty .venv with a Python that is new enough.
.venv/bin/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
		echo "avsession needs Python 3.11 or newer; here is $$(python3 --version 2>&1 || true)." >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "Python's venv module is missing. On Debian: apt-get install python3-venv" >&2; exit 1; \
	fi; \
	rm -rf .venv && "$$found" -m venv .venv >&2

# What runs; then the project itself, editable, without asking any registry.
.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/python
	@if [ -e .venv/dev.stamp ]; then lock=requirements-dev.lock; else lock=requirements.lock; \
		echo "Preparing .venv (once, and after the lock file changes)..." >&2; fi; \
	$(PIP) install --require-hashes -r "$$lock" >&2
	@$(PIP) install --no-deps --no-build-isolation --editable . >&2
	@touch $@

# The same, and what tests and checks.
.venv/dev.stamp: requirements-dev.lock requirements.lock pyproject.toml | .venv/bin/python
	@echo "Preparing .venv with what tests and checks need..." >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock >&2
	@$(PIP) install --no-deps --no-build-isolation --editable . >&2
	@touch .venv/run.stamp $@

node_modules/.stamp: package-lock.json package.json .npmrc
	@if ! command -v npm >/dev/null; then $(MAKE) --no-print-directory tools; fi
	@npm ci --no-progress --loglevel=error >&2
	@touch $@
