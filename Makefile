# Everything runs in a virtual environment of its own: make quickstart, make test, make check.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TESTS ?= tests
# Processes that run tests side by side; each takes a few gigabytes at times.
WORKERS ?= 2
FUZZ_CASES ?= 5000

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: install quickstart test test-fast fuzz lint check clean

install: $(VENV)/installed

$(VENV)/installed: setup.py
	$(PYTHON) -c 'import sys; sys.exit("tf_inpaint needs Python 3.9 or later") if sys.version_info < (3, 9) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[samples,dev]'
	touch $@

# Real photographs, a few minutes of training on the CPU, one picture completed with the result.
quickstart: install
	$(BIN)/python -m tf_inpaint.samples --output data/samples
	$(BIN)/python train.py --config configs/quickstart.yml
	$(BIN)/python test.py --image data/samples/images/hopper.png --mask data/samples/masks/hopper.png \
		--checkpoint_dir runs/quickstart --output runs/quickstart/completed.png --save_coarse --save_attention

test: install
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

# Contracts and numbers worked out by hand, before every commit: no process of its own, nothing over five seconds.
test-fast: install
	$(MAKE) test TESTS="tests/unit tests/test_architecture.py -m 'not slow'"

# Thousands of broken files and requests; make test tries some hundreds.
fuzz: install
	FUZZ_CASES=$(FUZZ_CASES) $(MAKE) test TESTS="tests/fuzz"

lint: install
	$(BIN)/ruff check .

check: lint test

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
