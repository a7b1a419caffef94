# `make study` on a fresh machine: installs into .venv, runs the embedded study, prints the path of its page.

PYTHON ?= python3
VERSIONS := 3.11 3.12 3.13
VENV ?= .venv
BIN := $(VENV)/bin
RESULTS ?= results
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
LAUNCHER ?= serial
STUDY = $(BIN)/python -m study hydra/launcher=$(LAUNCHER) results=$(RESULTS)
ifeq ($(LAUNCHER),slurm)  # one analysis, at the end of all
STUDY += hydra.launcher.after.command=
WAIT = && $(BIN)/python -m launchers wait
endif
FAIRSEQ := ve-fairseq==0.12.3
BY_FILE := --dist loadfile --no-loadscope-reorder  # what the tests of a file share is made once, and slow files come first
HOUSE := tests/house/test_language.py tests/house/test_rooms.py tests/house/test_wall.py
SLURM_FOLDER ?= /tmp/sixteen-heads-slurm
SLURM_PACKAGES := munge slurmctld slurmd slurm-client slurmdbd mariadb-server-core mariadb-client-core

.PHONY: help install study test test-slow test-slurm slurm slurm-packages bench check versions docs notebooks pictures format models \
        lock clean

help:  ## say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed  ## make .venv with everything that the lock file pins
	@$(if $(filter install,$(MAKECMDGOALS)),echo "Installed. The command is $(BIN)/study or plain study after:  . $(BIN)/activate")

$(VENV)/.installed: pyproject.toml requirements.lock
	@found=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])') || \
	{ echo "There is no $(PYTHON). Say which Python to take:  make install PYTHON=python3.11"; exit 1; }; \
	case " $(VERSIONS) " in *" $$found "*) ;; *) \
	echo "Python $$found ($(PYTHON)) is not one of $(VERSIONS). Say another:  make install PYTHON=python3.11"; exit 1; esac
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint requirements.lock torch
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[dev,fairseq,export]'
	$(BIN)/pip install --quiet --no-deps $(FAIRSEQ) || echo "fairseq has no wheel for this Python and machine (there is one for 3.11 and 3.12 on Linux x86-64): the toy translation is left out"
	touch $@

study: install  ## the embedded study: synthetic languages, every head, and a page (LAUNCHER=slurm, local_pool: where jobs run)
	$(STUDY) experiment=toy_nli $(WAIT)
	$(STUDY) experiment=toy_nli_dynamics $(WAIT)
	$(STUDY) experiment=toy_seeds $(WAIT)
	$(STUDY) experiment=toy_induction $(WAIT)
	@if $(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("fairseq") is None)'; \
	then rm -f $(RESULTS)/notes.txt; $(STUDY) experiment=toy_translation $(WAIT) && \
	$(STUDY) experiment=toy_translation_dynamics $(WAIT); \
	else echo "The toy translation model: fairseq, which trains it, is not installed." > $(RESULTS)/notes.txt; fi
	$(BIN)/python -m analysis $(RESULTS) --along data,seed

test: install  ## the tests; nothing else is needed (OPTIONS=--costs: the dearest of them; WORKERS: processes, a core each and one)
	$(BIN)/pytest -q -n $(WORKERS) $(BY_FILE) $(OPTIONS)

test-slow: install  ## the tests that try all there is, for minutes each; `make test` leaves them out
	$(BIN)/pytest -q -n auto $(BY_FILE) -m exhaustive

test-slurm: install  ## the tests that need a real SLURM: brings one up on this machine (root, see slurm-packages)
	HEADS_SLURM=$(SLURM_FOLDER) $(BIN)/pytest -q $(OPTIONS) tests/slurm

slurm: install  ## a shell in a small SLURM of this machine (COMMAND="make study LAUNCHER=slurm": a command)
	@HEADS_SLURM=$(SLURM_FOLDER) $(BIN)/python tests/slurm/cluster.py $(COMMAND)

slurm-packages:  ## Debian's packages of SLURM, for the two above; as root
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(SLURM_PACKAGES) >/dev/null

bench: install  ## how fast the engine is, side by side with other ways (PART=name: one part); under twenty minutes
	@$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[bench]' || echo "left out: hydra-submitit-launcher"
	$(BIN)/python -m benchmarks $(PART) --json $(RESULTS)/benchmarks.json

check: install  ## format, lint, types, import rules, the rules of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/pytest -q $(HOUSE)

versions: install  ## do packages resolve, and types hold, on the other versions of Python?
	@for version in $(VERSIONS); do \
	echo "Python $$version"; $(BIN)/pyright --pythonpath $(BIN)/python --pythonversion $$version; \
	if command -v python$$version > /dev/null && rm -rf $(VENV)/resolve && python$$version -m venv $(VENV)/resolve; \
	then $(VENV)/resolve/bin/pip install --quiet --dry-run '.[dev,fairseq,export]' && echo "resolves"; \
	else echo "python$$version is not here"; fi; done; rm -rf $(VENV)/resolve

notebooks: install  ## execute the notebooks of examples/ anew, and keep what they show
	NOTEBOOKS=write $(BIN)/pytest -q -m "exhaustive or not exhaustive" tests/docs/test_notebooks.py

docs: $(VENV)/.docs  ## the documentation as a site, in site/; a dead link is an error
	$(BIN)/zensical build --strict

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[docs]'
	touch $@

pictures: study  ## draw every picture of README and docs anew, from the embedded study
	PYTHONPATH=tests $(BIN)/python -m pictures $(RESULTS)

format: install  ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

models: install  ## write docs/models.md and docs/architectures.md anew: what is certified
	PYTHONPATH=tests $(BIN)/python -m architectures

lock: install  ## pin the versions now installed
	$(BIN)/pip freeze --exclude-editable | grep -v '^ve-fairseq' | sed 's/+cpu$$//' > requirements.lock

clean:  ## remove results and logs; the cache of made models stays
	rm -rf results logs
