# The commands of DebAtomic. `make` alone lists them.
PYTHON := .venv/bin/python
ROOT := scripts/as-root
STATE := $(if $(DEBATOMIC_HOME),,var)
.DEFAULT_GOAL := help
.PHONY: help install demo run stop test install-test chaos bare clean

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: install  ## install, start, and do the main job: build a package, compose and boot a system
	@$(ROOT) $(PYTHON) manage.py demo

run: install  ## start web and one builder in the foreground
	@exec $(ROOT) $(PYTHON) manage.py run

stop:  ## end what `make run` or `make demo` started
	@if [ -e .venv/.installed ]; then $(ROOT) $(PYTHON) manage.py stop; fi

test: install-test  ## every check: style, types, tests on both databases, browser, real builds and images
	@$(ROOT) $(PYTHON) scripts/check.py $(GROUPS)

chaos: install-test  ## harm a hub and three hosts for an hour and see that nothing is lost (CHAOS="--seed 7 --minutes 5")
	@$(ROOT) $(PYTHON) -m tests.chaos $(CHAOS)

bare: install  ## try `make demo` and `make test` in fresh minimal Debian 12 and 13 roots (takes hours)
	@$(ROOT) $(PYTHON) -m scripts.bare $(BARE)

clean: stop  ## remove everything that the other commands made here, the state folder var/ with it
	@$(ROOT) rm -rf --one-file-system .venv .make node_modules static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@$(ROOT) find . -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -n "$(STATE)" ] && [ -d "$(STATE)" ]; then $(ROOT) scripts/remove-state "$(STATE)"; fi

install: .make/packages .venv/.installed static/vendor/manifest.json

install-test: install .make/packages-test .venv/.installed-test

.make/packages: packages.txt scripts/install-packages
	@scripts/install-packages packages.txt
	@mkdir -p .make && touch $@

.make/packages-test: packages-test.txt .make/packages
	@scripts/install-packages packages-test.txt
	@touch $@

# Debian's own Python, whatever else is on the PATH
.venv/.installed: requirements.txt | .make/packages
	@echo "Installing Python packages"
	@test -x $(PYTHON) || /usr/bin/python3 -m venv .venv
	@$(PYTHON) -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.installed-test: requirements-dev.txt .venv/.installed
	@echo "Installing Python packages for the tests"
	@$(PYTHON) -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@

static/vendor/manifest.json: package.json package-lock.json scripts/vendor.py | .make/packages .venv/.installed
	@echo "Installing browser libraries"
	@npm ci --silent
	@$(PYTHON) scripts/vendor.py
