# Gander's two commands are `make demo` and `make test`; each does all of its set-up. `make` alone lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo run test test-postgresql check sweep audit compatibility cluster figures system clean

bin := .venv/bin
# Half of the tests' time is waiting, for processes that start, clocks and pictures: twice as many workers as cores keep a few cores
# busy. They steal from each other only at the end, so that what a file sets up is set up once. A worker takes a gigabyte or two.
workers := $(shell n=$$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2); echo $$((n > 4 ? n : 2 * n)))
SERVERS := deploy/servers.sh
# Threads of a library beyond that would only wait for each other, and hundreds of short processes would compile our sources each.
few := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile | fold -s -w $${COLUMNS:-$$(tput cols 2>/dev/null || echo 80)}

demo: ## set up, fetch the pocket model, answer about three pictures (ARGS=--once stops there)
	@deploy/setup.sh engine,discord,telegram,reading,films
	@$(bin)/gander demo $(ARGS)

run: ## set up and start the bot (configuration: deploy/gander.example.toml)
	@deploy/setup.sh engine,discord,telegram,reading,films
	@$(bin)/gander run $(ARGS)

test: system ## set up, check style and types, run every test
	@deploy/setup.sh engine,discord,telegram,reading,films,dev
	@$(MAKE) --no-print-directory check
	@$(bin)/gander model pull pocket
	@$(few) $(bin)/pytest -n $(workers) --dist worksteal $(ARGS)

test-postgresql: system ## the tests of all that uses a database, on PostgreSQL instead of SQLite
	@deploy/setup.sh engine,discord,telegram,reading,films,dev
	@$(bin)/gander model pull pocket
	@$(few) $(bin)/pytest -n $(workers) --dist worksteal --database postgresql tests/bot tests/adapters tests/end_to_end $(ARGS)

check: ## format, lint, types and the direction of imports
	@deploy/setup.sh engine,discord,telegram,reading,films,dev
	@$(bin)/ruff format --check .
	@$(bin)/ruff check .
	@$(bin)/mypy
	@$(bin)/lint-imports

sweep: ## try every property on a thousand examples that are new each time, and what the tests try a few of at length
	@deploy/setup.sh engine,discord,telegram,reading,films,dev
	@$(bin)/gander model pull pocket
	@$(few) $(bin)/pytest -n $(workers) -m 'hypothesis or sweep' --hypothesis-profile sweep $(ARGS)

audit: ## ask the index for known faults of what is installed (pip-audit), and check its licences
	@deploy/setup.sh engine,discord,telegram,dev
	@deploy/audit.sh
	@$(bin)/pytest -q tests/test_distribution.py $(ARGS)

compatibility: ## ask the engine with other people's clients, and other people's servers with the bot (SERVERS= leaves those out)
	@deploy/setup.sh engine,discord,telegram,reading,films,dev
	@deploy/compatibility.sh
	@$(SERVERS)
	@$(bin)/gander model pull pocket
	@$(bin)/pytest -m compatibility tests/compatibility $(ARGS)

cluster: ## start two engines on Ray, kill one, lose nothing (installs Ray into build/cluster: 380 MB)
	@deploy/setup.sh engine,discord,telegram,dev
	@deploy/cluster.sh
	@$(bin)/gander model pull pocket
	@$${GANDER_CLUSTER:-build/cluster}/venv/bin/python -m pytest tests/engine/cluster/test_entrance.py
	@$(bin)/pytest -m cluster tests/cluster $(ARGS)

figures: ## have the pocket model explain itself, and draw the figures of docs/how-it-works.md
	@$(bin)/python -m tests.figures

# A browser and PostgreSQL for the tests that want them. Only CI may install system-wide; elsewhere those tests say what they miss.
system:
	@deploy/system.sh

clean: ## remove the virtual environment and caches (not your data: `gander doctor` says where that lies)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
