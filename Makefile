# `make demo` and `make test` set up everything they need in .venv and work offline from the second time on.
PYTHON ?= python3
VENV ?= .venv
# The tests find cmake and ninja there.
export PATH := $(abspath $(VENV)/bin):$(PATH)
PIP = $(VENV)/bin/pip install --quiet --constraint constraints.txt
PACKAGES = pyproject.toml train/pyproject.toml constraints.txt Testing/requirements-nnunet.txt

.PHONY: help demo test lint bench bench-uncertainty bench-explanation pictures clean
help:
	@echo "make demo    segment the hippocampi of a template head; results in demo-out/"
	@echo "make test    check the style and run all tests"
	@echo "make bench   measure speed, memory and the worker against MONAI and nnU-Net; takes about an hour"
	@echo "make bench-uncertainty   measure calibration, guarantees and the guard on held-out cases"
	@echo "make bench-explanation   measure explanations against chance and edges on held-out cases"
	@echo "make pictures   make README's pictures again; needs Chromium"
	@echo "make clean   remove .venv and demo-out"

$(VENV)/bin/python:
	@echo "Making a Python environment in $(VENV) ..."
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "DeepSeg needs Python 3.10 or newer; this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

# Each stamp says which set of packages the environment holds; the test set holds the demo's.
$(VENV)/demo.installed: $(PACKAGES) | $(VENV)/bin/python
	@echo "Installing PyTorch, MONAI and what the demo needs (once; with CUDA's libraries several GB) ..."
	$(PIP) torch==2.13.0 --editable ".[demo]"
	@touch $@

$(VENV)/test.installed: $(PACKAGES) | $(VENV)/bin/python
	@echo "Installing PyTorch, MONAI, Slicer's own scene and what the tests need (once; with CUDA's libraries several GB) ..."
	$(PIP) torch==2.13.0 --editable ".[test]" --editable "./train[onnx,search]"
	$(PIP) --no-deps --requirement Testing/requirements-nnunet.txt
	@touch $@ $(VENV)/demo.installed

demo: $(VENV)/demo.installed
	$(VENV)/bin/python -m deepseg.demo demo-out

lint: $(VENV)/test.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

test: lint
	# One thread for each of the two: four threads on two cores wait for each other. Files in their order, of which the first take longest.
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/test.installed
	$(VENV)/bin/python Testing/benchmarks/speed.py
	$(VENV)/bin/python Testing/benchmarks/memory.py
	$(VENV)/bin/python Testing/benchmarks/worker.py
	$(VENV)/bin/python Testing/benchmarks/panel.py

bench-uncertainty: $(VENV)/test.installed
	$(VENV)/bin/python Testing/benchmarks/uncertainty.py
	$(VENV)/bin/python Testing/benchmarks/guarantees.py
	$(VENV)/bin/python Testing/benchmarks/quality.py

bench-explanation: $(VENV)/test.installed
	$(VENV)/bin/python Testing/benchmarks/explanation.py

pictures: demo $(VENV)/test.installed
	$(VENV)/bin/python Testing/pictures/report_sections.py
	$(VENV)/bin/python Testing/pictures/panels_and_views.py

clean:
	rm -rf $(VENV) demo-out
