# Every task of the project; `make help` lists them. Nothing here needs more than Debian, Python and Go.
PYTHON ?= python3
VENV := .venv
SUNK := $(VENV)/bin/sunk
STAMP := $(VENV)/.complete
KUBECONFIG_FILE ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup check format test guest demo down docs bench nightly golden

help: ## list the tasks
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with .venv/bin/sunk

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1), and sunk needs Python 3.11 or later" >&2; \
	    echo "hint: make setup PYTHON=/path/to/python3.11" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || apt-get install -y --no-install-recommends python3-venv || \
	  { echo "error: this Python cannot make virtual environments" >&2; \
	    echo "hint: apt-get update && apt-get install python3-venv" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@

check: setup ## fast inner loop: format, lint, types, layers, unit, contract and scenario tests
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/pytest -q -n 2 tests/unit tests/contract tests/scenario -m "not real and not cluster"

format: setup ## format the code and mend what ruff can
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

test: setup ## every test layer, with times beside budgets; installs what it needs
	$(VENV)/bin/python tests/run_layers.py

guest: setup ## real RDMA and SR-IOV in two QEMU guests (not part of test)
	$(VENV)/bin/pytest -q tests/guest -m guest

demo: setup ## a real Slurm on a real Kubernetes, and an MPI job from its login node
	$(SUNK) demo $(if $(KUBECONFIG_FILE),--kubeconfig "$(KUBECONFIG_FILE)") $(ARGS)

down: setup ## take the demo down (ARGS=--purge: its caches too)
	$(SUNK) local down $(ARGS)

docs: setup ## build the documentation, strictly
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

bench: setup ## measure; figures beside limits (CHECK=1: fail on a miss, COLD=1: first start too)
	$(VENV)/bin/python -m tests.bench $(if $(CHECK),--check) $(if $(COLD),--cold)

nightly: setup ## long fuzzing and whole fault tables
	$(SUNK) local software torch ray fabric
	SUNK_HYPOTHESIS_PROFILE=nightly $(VENV)/bin/pytest -q tests/unit tests/scenario tests/cluster/test_bridge_killed.py tests/cluster/test_bridge_lies.py tests/cluster/test_faults.py tests/cluster/test_executor.py tests/cluster/test_templates.py tests/cluster/test_ray.py tests/real/test_profile_probe.py tests/real/test_fabric_collect.py tests/real/test_active.py tests/real/test_fabric.py tests/real/test_fabric_over_ssh.py tests/real/test_ray.py --timeout 3600

golden: setup ## rewrite golden files from what the code makes now; look at the diff
	SUNK_REWRITE_GOLDEN=1 $(VENV)/bin/pytest -q tests/unit
