# All that a person or CI does with streamguard. Each target does its own set-up, once.

.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
VENV := .venv/.ready
PARTS := .cache/parts.ready
KERNELS := .cache/kernels.ready
PYTEST := env OPENBLAS_NUM_THREADS=1 $(PYTHON) -m pytest --numprocesses 2 --no-fold-skipped

help: ## print this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV) ## screen a live stream on this machine, from nothing, and show its flags
	.venv/bin/streamguard demo

kernels: $(KERNELS) ## compile the kernels in place, where there is a C compiler

test: $(KERNELS) $(PARTS) ## run all tests; skipped ones are listed with their reasons
	$(if $(CI),.ci/again )$(PYTEST) $(ARGS)

unit: $(KERNELS) ## run the tests that start no other program
	$(PYTEST) -m "not integration" $(ARGS)

chaos: $(KERNELS) $(PARTS) ## do harm to brokers, disks, clocks and processes, ten minutes long too
	STREAMGUARD_CHAOS_LONG=1 $(PYTEST) tests/chaos $(ARGS)

lint: $(VENV) ## check style and spelling
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/codespell .

types: $(VENV) ## check types
	.venv/bin/mypy

bench: $(KERNELS) $(PARTS) ## short load tests: the bank, recall, hostile sources, CPU; what is not here is left out
	$(PYTHON) -m loadtest bank_bench --entries 100000 --json
	$(PYTHON) -m loadtest recall --short || [ $$? = 3 ]
	$(PYTHON) -m loadtest hostile --cases 10000
	$(PYTHON) -m loadtest cpu --minutes 0.5 --rounds 1 --no-large-bank || [ $$? = 3 ]

check: lint types test bench ## what CI runs

contracts: $(VENV) ## write the contracts of the events anew
	$(PYTHON) -m streamguard.contracts.generate

lock: $(VENV) ## write requirements.txt anew; ARGS=--upgrade takes the newest versions
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/pip install -q uv
	.cache/uv/bin/uv pip compile -q $(ARGS) --universal --python-version 3.11 --extra test \
		--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
		--output-file requirements.txt pyproject.toml .ci/tools.in

clean: ## remove what set-up and builds have made
	rm -rf streamguard/kernels/*.so .venv .cache build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): .ci/setup requirements.txt pyproject.toml
	@.ci/setup venv
	@touch $@

$(KERNELS): $(wildcard streamguard/kernels/*.[ch]) pyproject.toml | $(VENV)
	@.ci/setup kernels
	@mkdir -p $(@D)
	@touch $@

$(PARTS): .ci/setup loadtest/footage.py tests/kafka/pom.xml tests/contracts/tool/package-lock.json | $(VENV)
	@.ci/setup parts
	@mkdir -p $(@D)
	@touch $@

.PHONY: help demo kernels test unit chaos lint types bench check contracts lock clean
