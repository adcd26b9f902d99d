# Everything runs in .venv, made from requirements.lock. PYTHON may name another interpreter (3.11 to 3.13).
PYTHON ?= $(shell for one in python3.11 python3.12 python3.13 python3; do $$one -c "" 2> /dev/null && echo $$one && break; done)
BIN = .venv/bin

.PHONY: help install demo test fuzz siege nightly test-kafka test-clients check docs corpus experiments screenshot lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

install: .venv/installed ## make .venv with everything, tools included

.venv/installed: requirements.lock pyproject.toml groundswell/pyproject.toml make_environment.py
	@$(PYTHON) make_environment.py

demo: install ## the whole loop, live: simulated people, a broker, the worker, a report
	$(BIN)/groundswell demo

test: install ## the tests that need no Apache Kafka
	$(BIN)/python -m pytest -m "not kafka and not deploy and not nightly and not clients"

# Coverage-guided, by Atheris: what was met on the way is kept in out/fuzz, and gone on from. SEED as a run told it.
FUZZ_SECONDS ?= 120
fuzz: install ## malformed and hostile input, for FUZZ_SECONDS=120 in all
	$(BIN)/python -m experiments.fuzz.run --seconds $(FUZZ_SECONDS) $(if $(SEED),--seed $(SEED))

# What memory took is printed and in out/siege/results.json. Java 17 and Maven, or EMBEDDED=1 for the embedded broker.
SIEGE_MINUTES ?= 60
siege: install ## a worker with 1 GiB besieged by what the fuzzer draws, honest apps beside it (SIEGE_MINUTES=60)
	$(BIN)/python -m experiments.fuzz.siege --minutes $(SIEGE_MINUTES) $(if $(EMBEDDED),--embedded)

# The properties of the join and of reading files at 10,000 examples each, and what hangs on chance.
nightly: install ## properties of the join and of replay at 10,000 examples each, what hangs on chance, an hour of fuzzing
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest --timeout 7200 tests/unit/join/test_join_machine.py \
		tests/unit/join/test_join_oracle.py tests/unit/replay/test_round_trips.py
	$(BIN)/python -m pytest --timeout 7200 -m nightly
	$(MAKE) fuzz FUZZ_SECONDS=3600
	$(MAKE) audit

test-kafka: install ## the tests on a real Apache Kafka (Java 17, Maven)
	$(BIN)/python -m pytest -m "kafka and not nightly" tests/integration tests/e2e

test-clients: install ## the evaluators in other languages on the golden corpus (Node, Java 17 and Maven, Go, Chromium)
	$(BIN)/python -m pytest -m clients tests/integration/groundswell

check: install ## linters, strict types, the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports

docs: install ## write the documents that are made from the code
	$(BIN)/python -m streams.documents

corpus: install ## write the golden corpus anew, by which programs in other languages are tested
	$(BIN)/python -m tests.golden_corpus
	$(BIN)/python -m tests.golden_controls

# Every experiment on a few seeds, on one page: out/experiments/index.html. Takes half an hour; SEEDS=20 for more.
SEEDS ?= 5
experiments: install ## every experiment on one page, out/experiments/index.html (SEEDS=5)
	$(BIN)/groundswell evaluate all --seeds $(SEEDS) --out out/experiments

# The picture of the live page in the README; needs Chromium.
screenshot: install ## the picture of the live page in the README (Chromium)
	GROUNDSWELL_SCREENSHOT=docs/page.png $(BIN)/python -m pytest tests/e2e/test_live_page.py -k explains

# Versions and hashes of everything, tools included, for every Python that is supported.
lock: ## pin versions and hashes of everything anew (uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --extra dev --no-emit-package groundswell --no-emit-package groundswell-worker --output-file requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --extra replay --extra serve --constraint requirements.lock --no-emit-package groundswell --no-emit-package groundswell-worker \
		--output-file requirements-worker.lock pyproject.toml deploy/build-tools.in
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-header --output-file deploy/supply-tools.lock deploy/supply-tools.in

clean: ## remove what was made
	rm -rf .venv .supply out build groundswell/build *.egg-info groundswell/*.egg-info

include deploy/check-deploy.mk
include deploy/supply.mk
