# make book    the rendered book, in _build/html          make test    the whole test suite
# make lab     JupyterLab on the notebooks (or DIR=...)   make capture the shipped traces again (hours on a CPU)
# make student the notebooks without their solutions      make instructor with them, and all answers on one sheet
# make pdf     the book as one file, _build/lethe.pdf      make zip     the pages for reading offline, zipped
# make gates   every built page in Chromium: errors, accessibility, pictures, phone
# Everything runs in .venv, which the first command makes from requirements.lock.

# the first Python that runs and is 3.11 or 3.12
PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready

.PHONY: book book-strict pdf zip test gates slow lab student instructor capture sync lint clean setup
.DEFAULT_GOAL := book

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Lethe needs Python 3.11 or 3.12: install one, or make PYTHON=/path/to/python3.12"; exit 1; }
	@echo "== set-up: .venv with the pinned packages (6 GB once, a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "no venv module: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --quiet --requirement requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@touch $(READY)
	@echo "== set-up: done"

book: $(READY)
	@$(BIN)/python -m lethe.pages.build

book-strict: $(READY)
	@$(BIN)/python -m lethe.pages.build --strict

pdf: $(READY)
	@$(BIN)/python -m lethe.pages.pdf

zip: $(READY)
	@$(BIN)/python -m lethe.pages.archive

test: $(READY)
	@echo "== tests"
	@$(BIN)/python -m pytest -m "not slow and not gates"

gates: $(READY)
	@$(BIN)/python -m pytest -m gates -k desktop & desktop=$$!; \
	$(BIN)/python -m pytest -m gates -k phone; phone=$$?; wait $$desktop && exit $$phone

slow: $(READY)
	@$(BIN)/python -m pytest -m slow

lint: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

lab: $(READY)
	@$(BIN)/jupyter lab $(or $(DIR),notebooks)

student: $(READY)
	@$(BIN)/lethe course student

instructor: $(READY)
	@$(BIN)/lethe course instructor

sync: $(READY)
	@$(BIN)/python -m lethe.pages.twins

capture: $(READY)
	@$(BIN)/python -m lethe.capture.shipped

clean:
	@rm -rf _build
