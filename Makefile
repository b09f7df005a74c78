# The front door. `make help` lists what it opens; every target installs what it needs first.
SHELL := /bin/bash
BIN := .venv/bin
INVENTORY ?= inventories/local
# Scenarios that take long: not in make test, but in make long.
LONG := aria2 bad_swarms_all clients closed evidence families impair outages survive tls upgrade
SCENARIOS ?= $(filter-out $(LONG),$(notdir $(patsubst %/,%,$(dir $(wildcard molecule/*/molecule.yml)))))
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_HOME := $(CURDIR)/.ansible
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
export MOLECULE_COMMAND_BORDERS := 0
# One line a step; ANSIBLE_VERBOSITY=1 shows all.
lab doctor down: export ANSIBLE_STDOUT_CALLBACK ?= steps

.DEFAULT_GOAL := help
.PHONY: help setup setup-local setup-test lab bundle down test lint unit molecule long bad-swarms soak stress bench bench-clients bench-scale bench-tracker doctor

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make the Python environment that runs the lab on hosts of your own; needs no root (implied by doctor)
	@scripts/setup controller

setup-local: ## As root: install podman and what else hosts on this machine need (implied by lab, down)
	@scripts/setup local

setup-test: ## As root: install what the tests need on top (implied by test, lint, unit, molecule, stress, bench)
	@scripts/setup test

lab: setup-local ## Boot the lab on this machine, provision it, download from it and show where everything is
	ansible-playbook --inventory $(INVENTORY) playbooks/local_hosts.yml
	ansible-playbook --inventory $(INVENTORY) playbooks/site.yml

doctor: setup ## Say of every torrent why it does, or does not, download
	ansible-playbook --inventory $(INVENTORY) playbooks/doctor.yml

bundle: setup ## Collect for hosts without a way out what they cannot fetch (INVENTORY=inventories/mine)
	ansible-playbook --inventory $(INVENTORY) playbooks/bundle.yml

down: setup-local ## Remove the lab of this machine (KEEP_IMAGES=1 keeps the host images for the next time)
	ansible-playbook --inventory $(INVENTORY) playbooks/local_hosts.yml \
	  --extra-vars '{"container_host_state": "absent", "container_host_remove_images": $(if $(KEEP_IMAGES),false,true)}'

test: setup-test ## Lint, unit and contract tests, every Molecule scenario: side by side, with a table at the end
	@scripts/parts lint unit $(SCENARIOS)

lint: setup-test ## Check style and types
	scripts/lint

unit: setup-test ## Run the unit and contract tests
	pytest tests/unit tests/contract

molecule: setup-test ## Run the Molecule scenarios on real hosts (SCENARIOS="default all_in_one" for some)
	@scripts/parts $(SCENARIOS)

long: setup-test ## Run the scenarios that make test leaves out, as they take long
	@scripts/parts $(LONG)

TIMES ?= 5
bad-swarms: setup-test ## Judge every bad swarm of the menu with three clients of each of two releases
	@scripts/parts bad_swarms_all

soak: setup-test ## Ten minutes with 200 scripted peers and three clients: memory and exceptions (no root)
	python bench/soak.py

stress: setup-test ## Run every scenario TIMES times while two processes keep both cores busy
	@scripts/parts --repeat $(TIMES) --busy 2 $(SCENARIOS)

bench: setup-test ## Measure generation and hashing against their peers, and a scripted seeder against others
	python bench/run.py
	python bench/scripted.py

bench-clients: setup-test ## Measure every client's rate from the lab beside a plain stream over the same bridge (boots two hosts)
	python bench/clients.py

bench-scale: setup-test ## Measure a seeder with 1,000 torrents against the shell loop (boots two hosts)
	python bench/scale.py

bench-tracker: setup-test ## Measure the tracker at its limit, against Debian's and beside a download (boots a host)
	python bench/tracker.py
