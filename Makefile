# Layer by Layer. Needs GNU make and Python 3.11, 3.12 or 3.13; everything else goes into .venv.
# All paths are relative, so the folder's own name may hold blanks.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Set-up is repeated when one of these changes. A stamp is the last thing that a set-up writes.
PINS := pyproject.toml requirements.lock
READY_LAB := $(VENV)/.ready-lab
READY_DEV := $(VENV)/.ready-dev
UNFINISHED := $(VENV)/.unfinished

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab venv dev test lessons lessons-build bench lock clean

help: ## this list
	@echo "Layer by Layer: deep learning you can step through"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  Another Python: make venv PYTHON=python3.12. Options of lab: make lab ARGS='--lesson 02'"

lab: $(READY_LAB) ## set up if needed, then open JupyterLab on the lessons
	@$(PY) -m toolkit lab $(ARGS)

venv: $(READY_LAB) ## only set up: .venv with the pinned packages
	@echo "Ready: make lab"

dev: $(READY_DEV) ## set up with what tests need

# OpenBLAS waits by spinning: two workers that each take all cores would slow each other down many times.
test: $(READY_DEV) ## ruff, then the whole test suite
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	OPENBLAS_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadgroup $(ARGS)

lessons: $(READY_LAB) ## execute every lesson and print a table
	@$(PY) -m toolkit lessons run $(ARGS)

lessons-build: $(READY_LAB) ## write the notebooks anew from notebooks/src
	@$(PY) -m toolkit lessons build $(ARGS)

bench: $(READY_LAB) ## run the benchmarks, one after the other
	@set -e; for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(PY) "$$benchmark"; done

# TensorFlow has no wheels for newer Pythons, and an older one would fail late and unreadably.
define CHECK_PYTHON
	if ! command -v "$(PYTHON)" >/dev/null 2>&1; then \
		echo "There is no '$(PYTHON)'. Install Python 3.11, 3.12 or 3.13, or name yours: make venv PYTHON=python3.12" >&2; \
		exit 1; \
	fi; \
	if ! "$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; then \
		echo "'$(PYTHON)' is $$("$(PYTHON)" -V 2>&1); TensorFlow needs Python 3.11, 3.12 or 3.13." >&2; \
		echo "If you have one, name it: make venv PYTHON=python3.12" >&2; \
		exit 1; \
	fi
endef

# $(call INSTALL,requirement): a set-up that was killed leaves the mark 'unfinished' behind; nobody
# knows what its packages are worth, so the next one starts from nothing. Bytecode is compiled here on
# all cores, not by pip on one, and even where the environment tells Python and pip not to:
# TensorFlow imports in 3 s compiled and in 7 to 14 s not.
define INSTALL
	@set -e; \
	if [ -e $(UNFINISHED) ] && kill -0 "$$(cat $(UNFINISHED))" 2>/dev/null; then \
		echo "Another set-up is under way (process $$(cat $(UNFINISHED))); wait for it." >&2; exit 1; \
	fi; \
	if [ -e $(UNFINISHED) ] || ! $(PY) -c '' 2>/dev/null; then \
		$(CHECK_PYTHON); \
		rm -rf $(VENV); \
	fi; \
	mkdir -p $(VENV); \
	echo $$$$ >$(UNFINISHED); \
	rm -f $(READY_LAB) $(READY_DEV); \
	if [ ! -x $(PY) ]; then echo "Making $(VENV) ..."; "$(PYTHON)" -m venv $(VENV); fi; \
	echo "Installing the pinned packages (about 2 GB, a few minutes the first time) ..."; \
	$(PY) -m pip install --disable-pip-version-check --no-compile -c requirements.lock -e '$(1)'; \
	echo "Compiling ..."; \
	$(PY) -m compileall -q -j 0 $(VENV)/lib toolkit >/dev/null || true; \
	rm $(UNFINISHED)
endef

$(READY_LAB): $(PINS)
	$(call INSTALL,.)
	@touch $@

$(READY_DEV): $(PINS) $(READY_LAB)
	$(call INSTALL,.[dev])
	@touch $(READY_LAB) && touch $@

# Pins for all supported Pythons and systems, without indexes. The second expression takes out the
# marker that every package gets because `environments` in pyproject.toml leaves Intel Macs out.
lock: ## refresh requirements.lock (needs the network)
	@set -e; \
	$(CHECK_PYTHON); \
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	"$(PYTHON)" -m venv "$$folder/venv"; \
	"$$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	"$$folder/venv/bin/uv" pip compile --universal --python-version 3.11 --no-annotate --no-header \
		--all-extras --fork-strategy fewest --upgrade pyproject.toml -o "$$folder/requirements.lock"; \
	sed -E "s/ and \(platform_machine == 'arm64' or sys_platform != 'darwin'\)//; \
		s/ ; platform_machine == 'arm64' or sys_platform != 'darwin'$$//" \
		"$$folder/requirements.lock" >requirements.lock.part; \
	mv requirements.lock.part requirements.lock

clean: ## remove .venv and what tools leave behind; notebooks and data stay
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis *.egg-info requirements.lock.part
	find toolkit tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
