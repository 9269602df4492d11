# `make` alone lists what there is.

PYTHON ?= python3
UV ?= uv
BIN := .venv/bin
INSTALL := $(BIN)/pip -qq --disable-pip-version-check install

.DEFAULT_GOAL := help
.PHONY: help install run test lint format bench openapi lock

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

install: .venv/.runtime ## install what the service needs into .venv; the other targets do it by themselves

run: export PATH := $(CURDIR)/$(BIN):$(PATH)
run: export HOST := $(or $(HOST),127.0.0.1)
run: export PORT := $(or $(PORT),8000)
# The process manager gives every process a port of its own, but there is one public address.
run: export BASE_URL := $(or $(BASE_URL),http://localhost:$(PORT))
run: .venv/.runtime ## start web server and worker, with a demo account to try out
	@$(BIN)/passrail migrate
	@$(BIN)/passrail demo
	@exec $(BIN)/honcho start web worker

test: .venv/.development ## run the whole test suite; PASSRAIL_TEST_STRICT=1 makes a skip a failure
	$(BIN)/pytest

lint: .venv/.development ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.development ## put the code into the agreed form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.development ## measure what an action costs against a bare route
	$(BIN)/python -m bench

openapi: .venv/.development ## write openapi/openapi.json anew
	@mkdir -p openapi
	$(BIN)/passrail openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

# setuptools is in the locks because the package itself is built with what they hold (--no-build-isolation).
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--upgrade --custom-compile-command "make lock"

lock: ## choose the newest versions of everything (needs uv)
	echo 'setuptools>=77' | $(LOCK) --extra dev --output-file requirements-dev.lock pyproject.toml -
	echo 'setuptools>=77' | $(LOCK) --constraints requirements-dev.lock --output-file requirements.lock pyproject.toml -

# Stamps: an environment is touched only when what it is made from has changed.
.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements.lock pyproject.toml | .venv/bin/python
	$(INSTALL) --require-hashes --requirement requirements.lock
	$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/.development: requirements-dev.lock pyproject.toml | .venv/bin/python
	$(INSTALL) --require-hashes --requirement requirements-dev.lock
	$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch .venv/.runtime $@
