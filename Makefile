# Two commands on a fresh machine: make demo, make test. PY=python uses an environment that is there already.
VENV ?= .venv
PY ?= $(VENV)/bin/python
OUT ?= outputs/demo

.PHONY: install demo test check format clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@

ifeq ($(PY),$(VENV)/bin/python)
demo test check format: install
endif

demo:
	$(PY) -m babelscope train -m experiment=demo freeze=none,early 'output=$(OUT)/$${hydra:runtime.choices.freeze}'
	$(PY) -m babelscope report runs=$(OUT)

test: # what waits for Slurm wants the machine for itself
	OMP_NUM_THREADS=1 $(PY) -m pytest tests/slurm
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile --ignore tests/slurm

check:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format:
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

clean:
	rm -rf outputs dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
