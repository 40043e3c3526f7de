# `make help` lists the targets. The first target that needs .venv sets it up from requirements.lock.

PROFILE ?= default
DATASET ?=
NB ?=
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,\
	$(shell $(name) -c '$(IS_SUPPORTED)' 2>/dev/null && echo $(name))))
IN_VENV := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup pipeline test fuzz lab notebooks exercises demo-gif release-model bench bench-training site

help:  ## list the targets
	@echo "make lab      open JupyterLab on notebooks/ (start here)"
	@echo "make pipeline [PROFILE=quick|default|full|public] [DATASET=folder]"
	@echo "              run notebooks 00-07 without JupyterLab and write runs/<profile>/index.html"
	@echo "make test     run every check"
	@echo "make fuzz [N=10000] [SEED=0]"
	@echo "              give random input to all that reads other people's files (two minutes)"
	@echo "make notebooks [NB=03]"
	@echo "              execute all notebooks (or one) in place and store them in their normal form"
	@echo "make site     build the website from the notebooks as they are stored; open build/site/index.html"
	@echo "make exercises [NB=03]"
	@echo "              execute the solutions (or one of them) and make the exercises from them"
	@echo "make demo-gif make the animation at the top of the README with the classifier in runs/default"
	@echo "make release-model WILD=folder"
	@echo "              train three teachers and three students with street faces, correct the first student's"
	@echo "              probabilities with the face crops in a folder, and update its model card (2½ hours)"
	@echo "make bench    compare the speed of our live loop and folder loop with the usual ones, measure how ours scale, and"
	@echo "              update docs/results.md (10 minutes)"
	@echo "make bench-training [PUBLIC=folder]"
	@echo "              compare our training with the usual one on the public data set, and update docs/results.md"
	@echo "              (30 minutes, 6 GB of memory)"
	@echo "make setup    only set up .venv"
	@echo "PYTHON=path   set up .venv with a different Python (3.11, 3.12, or 3.13)"

setup: .venv/installed

pipeline: setup
	@$(IN_VENV) -m maskdet_utils pipeline --profile "$(PROFILE)" $(if $(DATASET),--dataset "$(DATASET)")

test: setup
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy
	$(IN_VENV) -m tools.notebooks --check
	$(IN_VENV) -m pytest tests -rs --durations=15 -n 2 --dist loadfile --no-loadscope-reorder

fuzz: setup
	@$(IN_VENV) tests/fuzz.py -n $(or $(N),10000) --seed $(or $(SEED),0)

lab: setup
	@$(IN_VENV) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

notebooks: setup
	@$(IN_VENV) -m tools.notebooks $(NB)

# WILD: class folders of face crops from photos that are not in the street collection.
release-model: setup
	@test -n "$(WILD)" || { echo "Give face crops for the last correction: make release-model WILD=FOLDER"; exit 1; }
	@$(IN_VENV) -m maskdet_utils fetch public
	@$(IN_VENV) -m maskdet_utils fetch street
	@$(IN_VENV) -m tools.release --wild "$(WILD)"

# PUBLIC: the unpacked public data set, if it is not in data/public. PHOTOS: a folder with boxes.csv, to evaluate the face detectors on.
bench: setup
	@$(IN_VENV) -m benchmarks.live_loop $(if $(PHOTOS),--photos "$(PHOTOS)")
	@$(IN_VENV) -m benchmarks.folders
	@$(IN_VENV) -m benchmarks.growth
	@$(IN_VENV) -m benchmarks.report

bench-training: setup
	@$(IN_VENV) -m benchmarks.training $(if $(PUBLIC),--public "$(PUBLIC)")
	@$(IN_VENV) -m benchmarks.report

exercises: setup
	@$(IN_VENV) -m tools.exercises $(NB)

demo-gif: setup
	@$(IN_VENV) -m tools.demo_gif docs/demo.gif

# A fresh build every time: Sphinx warns about a page only when it reads the page, and here every warning is an error.
site: setup
	@rm -rf build/site docs/api
	@$(IN_VENV) -m sphinx --fail-on-warning --keep-going --quiet -c docs -d build/site-doctrees --fresh-env . build/site
	@echo "build/site/index.html"

# This file is written last. If .venv lacks it, setup was interrupted, and .venv is made again.
.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(IS_SUPPORTED)' || { \
		echo "You need Python 3.11, 3.12, or 3.13, but $(or $(PYTHON),python3) is a different version. Choose one with PYTHON=path."; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null && { test "$$(uname)" != Linux || \
		$(PYTHON) -c 'import ctypes; [ctypes.CDLL(name) for name in ("libGL.so.1", "libgthread-2.0.so.0")]' 2>/dev/null; } || { \
		echo "System packages are missing. On Debian or Ubuntu: sudo apt-get install python3-venv libgl1 libglib2.0-0"; \
		exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv --clear .venv
	@echo "Installing the packages in requirements.lock (about 1 GB to download, a few minutes) …"
	@$(IN_VENV) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(IN_VENV) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo ".venv is ready."
