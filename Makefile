# Copyright (c) iamguard.console_mfa contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two commands for everybody: `make demo` and `make test`. Every other gate runs alone, and as often as you like.
# Each target installs what it needs first; a second run installs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

COLLECTION := iamguard.console_mfa
BIN := $(CURDIR)/.venv/bin
OLDEST_BIN := $(CURDIR)/.venv-oldest/bin

# Nothing here may reach a real AWS account or depend on the caller's Ansible settings:
# the gates start from an environment without either.
unexport $(filter AWS_% ANSIBLE_% MOLECULE_% PYTHON% VIRTUAL_ENV,$(.VARIABLES))
export AWS_CONFIG_FILE := /dev/null
export AWS_SHARED_CREDENTIALS_FILE := /dev/null
export AWS_EC2_METADATA_DISABLED := true
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.build
export ANSIBLE_HOME := $(CURDIR)/.build/ansible-home
export LC_ALL := C.UTF-8
# Tools that ask git which files are ignored must not conclude that the collections in .venv are.
export GIT_CEILING_DIRECTORIES := $(CURDIR)/.venv
# Overridable: PYTHON (interpreter of .venv), OLDEST_PYTHON (interpreter of .venv-oldest), PYTEST_ARGS,
# BENCH_ARGS (for example --quick).
PYTHON ?=
OLDEST_PYTHON ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=

# Of the playbooks, which take long, the oldest versions run the one that goes through everything: all accounts, under
# --check and for good. What else it is asked to fail on, or to refuse, is told by the same tasks.
JOURNEY := tests/playbooks/test_site.py
JOURNEY += $(addprefix --deselect=$(JOURNEY)::test_,a_fleet_that_is_well_passes_and_who_is_left_out_by_limit_is_red \
	what_the_run_is_to_fail_on_is_for_the_inventory_to_say an_inventory_without_accounts_is_refused)

# Of the contract tests, which take long too, they run those in which the modules do their work. What the embedded AWS
# does is the same on whatever versions, and so is what comes of disturbing or denying every single call.
WORK := enroll enroll_users read_budgets read_sign_ins read_simulation signin_campaign validate validate_evidence

# Tests of ansible-test that look at how files are written and named. No version of Python or Ansible makes a difference
# to them, and those of the newest versions look at the same files.
FILES_ONLY := changelog empty-init line-endings no-illegal-filenames no-smart-quotes pep8 runtime-metadata shebang \
	shellcheck symlinks yamllint

# A gate announces itself; the tools' own output follows.
say = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

##### Set-up

.PHONY: setup-demo
setup-demo: ## Make .venv with what the demo needs, no more
	@scripts/find_python.sh newest $(PYTHON) > /dev/null
	@"$$(scripts/find_python.sh newest $(PYTHON))" scripts/set_up.py demo

.PHONY: setup
setup: ## Make .venv with everything that the gates need
	@scripts/find_python.sh newest $(PYTHON) > /dev/null
	@"$$(scripts/find_python.sh newest $(PYTHON))" scripts/set_up.py dev

.PHONY: setup-oldest
setup-oldest: ## Make .venv-oldest: the oldest supported Python on this machine, ansible-core and amazon.aws
	@scripts/find_python.sh oldest $(OLDEST_PYTHON) > /dev/null
	@"$$(scripts/find_python.sh oldest $(OLDEST_PYTHON))" scripts/set_up.py oldest

##### For users

.PHONY: demo
demo: setup-demo ## Assess three accounts of an embedded AWS, enroll users, and look at the records
	@PATH="$(BIN):$$PATH" $(BIN)/python scripts/demo.py

##### Gates

.PHONY: test
test: ## Run every gate, then say what ran on which versions
	@$(MAKE) --jobs=2 --output-sync=line setup setup-oldest
	@$(BIN)/python scripts/run_gates.py

.PHONY: lint
lint: setup ## Style, types, spelling and documentation markup
	@PATH="$(BIN):$$PATH" scripts/lint.sh

.PHONY: units
units: setup ## Unit and contract tests
	$(call say,Unit and contract tests)
	@$(BIN)/python -m pytest -q tests/unit tests/contract $(PYTEST_ARGS)

.PHONY: playbooks
playbooks: setup ## Run the playbooks as a user would, against the embedded AWS
	$(call say,Playbooks)
	@$(BIN)/python -m pytest -q tests/playbooks $(PYTEST_ARGS)

.PHONY: units-oldest
units-oldest: setup-oldest ## Unit and contract tests on the oldest supported versions
	$(call say,Unit and contract tests on the oldest supported versions)
	@HYPOTHESIS_PROFILE=few $(OLDEST_BIN)/python -m pytest -q -p no:cacheprovider tests/unit \
		$(WORK:%=tests/contract/test_%.py) $(JOURNEY) $(PYTEST_ARGS)

.PHONY: sanity
sanity: setup ## ansible-test sanity, without an ignore file
	$(call say,ansible-test sanity)
	@PATH="$(BIN):$$PATH" $(BIN)/python scripts/run_ansible_test.py sanity

.PHONY: sanity-oldest
sanity-oldest: setup-oldest ## ansible-test sanity of all but the tests on the oldest supported versions
	$(call say,ansible-test sanity on the oldest supported versions)
	@PATH="$(OLDEST_BIN):$$PATH" $(OLDEST_BIN)/python scripts/run_ansible_test.py sanity --exclude tests/ \
		$(FILES_ONLY:%=--skip-test %)

.PHONY: integration
integration: setup ## ansible-test integration of the modules against the embedded AWS
	$(call say,ansible-test integration)
	@PATH="$(BIN):$$PATH" $(BIN)/python scripts/run_ansible_test.py integration

.PHONY: molecule
molecule: setup ## Molecule scenarios of the roles against the embedded AWS
	$(call say,Molecule scenarios)
	@PATH="$(BIN):$$PATH" scripts/run_molecule.sh

.PHONY: browser
browser: setup ## Open the HTML reports in a headless Chromium, installed by apt where that is possible
	$(call say,HTML reports in a browser)
	@$(BIN)/python scripts/set_up_chromium.py
	@$(BIN)/python -m pytest -q tests/browser $(PYTEST_ARGS)

.PHONY: docs
docs: setup ## Build the documentation site, warnings are errors
	$(call say,Documentation site)
	@PATH="$(BIN):$$PATH" scripts/build_docs.sh $(COLLECTION)

.PHONY: build
build: setup ## Build the collection archive and import it as Galaxy does
	$(call say,Collection archive)
	@PATH="$(BIN):$$PATH" scripts/build_collection.sh

.PHONY: bench
bench: setup ## Compare call counts, time and memory with the usual alternatives
	$(call say,Benchmark)
	@PATH="$(BIN):$$PATH" $(BIN)/python scripts/bench.py $(BENCH_ARGS)

##### Upkeep

.PHONY: format
format: setup ## Format the Python files
	@$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

.PHONY: pins
pins: ## Resolve the requirements-*.txt files anew (needs uv)
	@scripts/update_pins.sh

.PHONY: clean
clean: ## Remove everything that was built, but not the virtual environments
	$(call say,Removing build results and caches)
	@rm -rf .build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* .ansible tests/output
	@find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove the virtual environments and node modules too
	@rm -rf .venv .venv-oldest tests/contract/iam_simulate/node_modules
