# Two commands on a fresh machine: make demo, make test. PY=python uses an environment that is there already.
VENV ?= .venv
PY ?= $(VENV)/bin/python
OUT ?= outputs/demo

.PHONY: install demo test test-slurm test-others check format clean

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

test: # Slurm's tests wait for half of their time, in which the others run, which make way for them
	@$(MAKE) --no-print-directory -j 2 -k test-slurm test-others

test-slurm:
	@said=$$(OMP_NUM_THREADS=1 $(PY) -m pytest tests/slurm 2>&1); code=$$?; echo "$$said"; exit $$code

test-others:
	OMP_NUM_THREADS=1 nice -n 10 $(PY) -m pytest -n 2 --dist loadfile --ignore tests/slurm

check:
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format:
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

clean:
	rm -rf outputs dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
