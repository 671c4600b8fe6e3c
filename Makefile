# Everything runs in .venv, made inside the clone by scripts/venv.sh.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check fidelity bench docs kills kills-webhooks load simulate properties concurrency mutants fuzz clean test-env check-env

PY := .venv/bin/python
export PYTHON

# Each of these is held to 95 % branch coverage on its own.
GATED := domain providers operations client
comma := ,
space := $() $()
GATED_FILES := $(subst $(space),$(comma),$(GATED:%=src/payport/%/*))

# pyright: node and pyright itself come from pip; no look-ups of newer versions, no cache outside.
# (--verifytypes looks for packages with the first python on PATH, whatever is configured.)
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PYRIGHT_PYTHON_CACHE_DIR := $(CURDIR)/.venv/pyright

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-14s %s\n' "$$name" "$$text"; done

demo: test-env  ## Take five payments on the Stripe simulator, kill the shop twice, show what moved
	@$(PY) examples/demo.py

test: test-env  ## Run the tests and the coverage gate
	@sh scripts/test.sh
	@$(PY) -m coverage report --include="$(GATED_FILES)"
	@for part in $(GATED); do \
		printf 'payport.%s has to reach 95 %%: ' "$$part"; \
		$(PY) -m coverage report --include="src/payport/$$part/*" --format=total --fail-under=95 \
			|| exit 1; done

check: check-env  ## Lint, format check, types (mypy, pyright), import rules
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) -m pyright
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(PY) -m pyright --verifytypes payport --ignoreexternal
	.venv/bin/lint-imports --no-logo --no-cache

fidelity: test-env  ## Hold the Stripe adapter and its simulator against Stripe's real traffic
	@$(PY) tests/fidelity/report.py

bench: test-env  ## Measure, and write docs/benchmarks.md (ONLY="stripe calls", LOCALSTRIPE=1)
	$(PY) benchmarks/run.py $(ONLY)

docs: test-env  ## Write the tables of docs/providers/*.md, docs/cli.md and the guide from the code
	@$(PY) scripts/provider_docs.py
	@$(PY) scripts/adapter_docs.py
	@$(PY) scripts/cli_docs.py

kills: test-env  ## Kill workers that take payments KILLS times (200), beside the plain SDK
	$(PY) benchmarks/kills --kills $(or $(KILLS),200) $(if $(WRITE),--write)

kills-webhooks: test-env  ## Kill receivers and workers of webhooks KILLS times (300), on three stores
	$(PY) benchmarks/kills_webhooks --kills $(or $(KILLS),300) $(if $(WRITE),--write)

load: test-env  ## Post 500 webhooks a second for 60 s to a real endpoint, with a worker
	$(PY) benchmarks/run.py load

# SEED=n, CRASH=name or ROUTE=name repeats one; SEEDS=n, PROFILE=name, STORE=sqlite and MINUTES=n say how much;
# KILLS=n kills real processes instead.
simulate: test-env  ## Crash at every commit and send, and in 10,000 storms, within 10 minutes
ifdef KILLS
	@$(PY) benchmarks/kills --kills "$(KILLS)"
else
	@$(PY) -m payport.testing.explorer $(if $(SEED),--seed "$(SEED)") \
		$(if $(CRASH),--crash "$(CRASH)") $(if $(ROUTE),--route "$(ROUTE)") $(if $(SEEDS),--seeds "$(SEEDS)") \
		$(if $(PROFILE),--profile "$(PROFILE)") $(if $(STORE),--store "$(STORE)") \
		$(if $(MINUTES),--minutes "$(MINUTES)")
endif

properties: test-env  ## Run property tests with many more, new examples, for 15 (MINUTES=n) minutes
	@$(PY) scripts/properties.py $(if $(MINUTES),--minutes "$(MINUTES)") \
		$(if $(SEED),--seed "$(SEED)")

concurrency: test-env  ## Run the tests of crowds in their full sizes
	PAYPORT_CONCURRENCY=full $(PY) -m pytest -o faulthandler_timeout=0 tests/operations/test_many_*.py

mutants: test-env  ## Break each promise on purpose, see its tests go red, write docs/mutants.md
	@$(PY) scripts/mutants.py

fuzz: test-env  ## Throw broken webhooks at an endpoint for 60 s; it may only reject them
	@$(PY) tests/webhooks/fuzz_receiving.py --seconds 60

clean:  ## Remove everything that make made, .venv included
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests examples benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

test-env:
	@sh scripts/venv.sh test

check-env:
	@sh scripts/venv.sh check
