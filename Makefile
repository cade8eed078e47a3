# `make run` and `make test` do all set-up on a fresh machine: only Python, make and apt are needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: run test testiso hostile faults mutants libvirt libvirt-host check messages reference live packages clean

run: reference
	$(BIN)/kola run --parallel auto --tag defaults,smoke

test: check live libvirt-host
	$(BIN)/pytest -q tests/unit -n 2
	$(BIN)/pytest -q tests/hostile -n 2
	$(BIN)/pytest -q tests/acceptance -n 2
	$(BIN)/pytest -q tests/vm -n 2 --dist loadfile

hostile: $(VENV)/.ready
	KOLA_HOSTILE=all $(BIN)/pytest -q tests/hostile -n 2

faults: live
	KOLA_FAULTS=all $(BIN)/pytest -q tests/vm/test_faults.py tests/vm/test_live_defects.py

# make testiso BUILD=DIR: every way to boot and install the build in DIR; without BUILD the reference OS.
testiso: $(if $(BUILD),$(VENV)/.ready packages,live)
	$(BIN)/kola testiso --parallel 2 --workdir "$(or $(BUILD),none)"

mutants: reference
	$(BIN)/pytest -q tests/mutants

# The platform libvirt: its packages, without services, and libvirt-python; then its tests on daemons of their own.
# Tests of a pool start an sshd of their own; that of the host stays off.
LIBVIRT := libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-system libvirt-daemon-system-sysv \
	libvirt-clients libvirt-dev pkg-config gcc netcat-openbsd dnsmasq-base virtinst openssh-server

libvirt: reference libvirt-host
	$(BIN)/pytest -q tests/vm/test_libvirt.py tests/vm/test_libvirt_pool.py

libvirt-host: $(VENV)/.ready
	@missing=$$(for p in $(LIBVIRT); do \
	    [ "$$(dpkg-query -Wf '$${Status}' $$p 2>/dev/null)" = 'install ok installed' ] || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	    echo "apt installs:" $$missing; \
	    policy=/usr/sbin/policy-rc.d; \
	    [ -e $$policy ] || { printf '#!/bin/sh\nexit 101\n' | $(SUDO) tee $$policy >/dev/null; \
	        $(SUDO) chmod 755 $$policy; made=yes; }; \
	    $(SUDO) apt-get update -q >/dev/null; \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing >/dev/null; \
	    status=$$?; [ -z "$$made" ] || $(SUDO) rm $$policy; \
	    case "$$missing" in *openssh-server*) $(SUDO) systemctl -q disable ssh 2>/dev/null ;; esac; \
	    exit $$status; \
	fi
	$(BIN)/python -c 'import libvirt' 2>&- || $(BIN)/pip install -q --disable-pip-version-check -e '.[dev,libvirt]'

check: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The catalogues that the messages are read from, after a change of a kola.po.
messages: $(VENV)/.ready
	$(BIN)/python tests/helpers/messages.py
	$(BIN)/pybabel -q compile -d harness/locale -D kola

reference: $(VENV)/.ready packages
	$(SUDO) env HOME="$$HOME" $(BIN)/kola reference build --install-missing

# With live media: the installer is compiled once, osmet files are packed in a guest.
live: reference
	$(SUDO) env HOME="$$HOME" PATH="$$PATH" $(BIN)/kola reference build --live --install-missing

packages:
	@wanted=$$(grep -v '^#' packages.txt); \
	missing=$$(for p in $$wanted; do \
	    [ "$$(dpkg-query -Wf '$${Status}' $$p 2>/dev/null)" = 'install ok installed' ] || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	    echo "apt installs:" $$missing; \
	    $(SUDO) apt-get update -q >/dev/null; \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing >/dev/null; \
	fi

$(VENV)/.ready: pyproject.toml packages.txt
	$(MAKE) packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
