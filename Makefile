# `make` alone lists what there is.

PYTHON ?= python3
UV ?= uv
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help install development run test lint format bench openapi lock

export PYTHON

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

install: ## install what the service needs into .venv; the other targets do it by themselves
	@scripts/environment.sh runtime

development: ## the same with what tests and tools need
	@scripts/environment.sh development

run: export PATH := $(CURDIR)/$(BIN):$(PATH)
run: export HOST := $(or $(HOST),127.0.0.1)
run: export PORT := $(or $(PORT),8000)
# The process manager gives every process a port of its own, but there is one public address.
run: export BASE_URL := $(or $(BASE_URL),http://localhost:$(PORT))
run: install ## start web server and worker, with a demo account to try out
	@$(BIN)/python scripts/check_port.py "$(HOST)" "$(PORT)"
	@$(BIN)/passrail migrate
	@$(BIN)/passrail demo
	@exec $(BIN)/honcho start web worker

# Each process has servers, databases and a browser of its own. A file of tests stays together, because its tests share
# what is made once; the longest files come first.
test: development ## run all tests; PASSRAIL_TEST_THOROUGH=1 tries everything, PASSRAIL_TEST_STRICT=1 fails a skip
	$(BIN)/pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder

lint: development ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: development ## put the code into the agreed form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: development ## measure what an action costs against a bare route
	$(BIN)/python -m bench

openapi: development ## write openapi/openapi.json anew
	@mkdir -p openapi
	$(BIN)/passrail openapi > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

# setuptools is in the locks because the package itself is built with what they hold (--no-build-isolation).
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--upgrade --custom-compile-command "make lock"

lock: ## choose the newest versions of everything (needs uv)
	echo 'setuptools>=77' | $(LOCK) --extra dev --output-file requirements-dev.lock pyproject.toml -
	echo 'setuptools>=77' | $(LOCK) --constraints requirements-dev.lock --output-file requirements.lock pyproject.toml -
