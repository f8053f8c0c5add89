# `make run` talks to you, `make test` tests; both install what they need into .venv first.
.DEFAULT_GOAL := help
.PHONY: help install dev run test check docs bench chaos lock clean

PY := .venv/bin/python
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

install: ## .venv with the locked packages, and .venv/bin/parley
	@sh deploy/setup.sh run

dev:
	@sh deploy/setup.sh dev

run: install ## start what is configured; with nothing configured talk here (ARGS=... instead of "run")
	@.venv/bin/parley $(or $(ARGS),run)

test: dev ## all tests (ARGS="-k word" for some)
	@$(PY) -m pytest $(ARGS)

check: dev ## style, types, layers, size, the tree, generated pages
	@sh deploy/check.sh

docs: dev ## write the generated pages anew
	@for script in docs/*.py; do $(PY) "$$script"; done

bench: dev ## measure, print a table and write JSON
	@$(PY) -m bench $(ARGS)

chaos: dev ## kill workers at random for minutes and check that nothing is lost (ARGS=...)
	@$(PY) -m tests.chaos $(ARGS)
	@$(if $(ARGS),,$(PY) -m tests.chaos --platform discord)

lock: dev ## write the lock files in deploy/ anew
	@sh deploy/lock.sh

clean: ## remove .venv and every cache; nothing that Parley keeps for you
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
