# make demo    the main job on the embedded default: an emulated device in this process, no root, no VM
# make test    all tests; those in QEMU and in a guest too where `make lab` has provided what they need
# make check   ruff, mypy --strict, all tests
# make lab     a recent QEMU, a guest kernel and virtme-ng into the user's cache (Debian 12 or newer; no root)
# make vm-test the tests in a real guest alone
# make bench   the rings against their baseline, our drivers beside the kernel's in a guest, and what a listing of 64
#              devices costs; needs the lab, fio and pciutils
# make soak    fuzz what others may say, an hour each; with atheris where it can be installed; load a server for ten minutes;
#              move QEMU's machines under devices at work; kill who drives a device, 200 times, in a guest (needs the lab);
#              SEED says at which moments
# make mutation   300 small changes of the emulated device, which the judge has to notice, and 300 of our own code, which the
#              tests have to; SEED says which ones
# make image   a kernel and an initramfs with uvirtio in it, for `uvirtio boot`: uvirtio/image/ARCH in the user's cache; ARCH
# make guests  the main job in guests of three kernels in both flavours and of arm64, under TCG: half an hour (needs the lab);
#              GUESTS names some of them
# make pyz     uvirtio.pyz, one file with all that is needed, which runs with nothing but python3: dist/uvirtio.pyz
# make deb     a Debian package, for Debian 12, 13 and what is made of them: dist/uvirtio_VERSION_all.deb
# make pythons  (as root) the tests that need no guest with the Python of Debian 13 (3.13) and of what comes after it, in roots of
#              their own (needs mmdebstrap); PYTHONS names the releases
# make try-packages  both in clean roots of Debian 12 and 13, from installation to removal (needs mmdebstrap)
# make bounds  the oldest versions that are allowed of what is depended upon, and the newest: the tests that depend on them in each
# make docs    the manual page, the reference, the completions and the pictures
# make site    the documents as a site with the API of the library, in build/site; links that lead nowhere fail it
# make uninstall-system  (as root) take away what install-system has put there
# make install-system  (as root) the udev rule, the manual page and the completions; DESTDIR, PREFIX, UDEVDIR say where
# make venv    the virtual environment alone: .venv
# make clean   removes what the above made here (not the lab)

VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
PYTEST_ARGS ?= -n auto
BENCH_ARGS ?=
SOAK_ARGS ?=
GUESTS ?=
PYTHONS ?=
SEED ?= 0

# The first Python that is new enough and can make virtual environments: the user's, else the system's.
FIT := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11) or sys.implementation.name != "cpython")
PYTHON ?= $(shell for each in python3 /usr/bin/python3; do \
	if $$each -c '$(FIT)' 2>/dev/null; then echo $$each; break; fi; done)

PREFIX ?= /usr/local
UDEVDIR ?= /etc/udev/rules.d
# udev reads its rules anew by itself only where it notices; in a DESTDIR there is nobody who would.
UDEVADM ?= udevadm
RELOAD := if [ -z "$(DESTDIR)" ] && command -v $(UDEVADM) >/dev/null; then \
	$(UDEVADM) control --reload && $(UDEVADM) trigger --subsystem-match=uio || echo "udev does not run: its rules were not reloaded"; fi

.PHONY: demo test check vm-test bench soak mutation bounds lab docs site image guests pyz deb try-packages pythons install-system uninstall-system venv clean
.DEFAULT_GOAL := test

demo: $(READY)
	@$(VENV)/bin/uvirtio suspend 'emulated:rng' --cycles 5

test: $(READY)
	@$(RUN) -m pytest $(PYTEST_ARGS)

check: $(READY)
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(RUN) -m pytest $(PYTEST_ARGS)

vm-test: $(READY)
	@UVIRTIO_NOTHING_LEFT_OUT=1 $(RUN) -m pytest tests/vm $(PYTEST_ARGS)

bench: $(READY)
	@$(RUN) -m uvirtio bench ring --baseline tests/bench/baseline.json
	@$(RUN) -m tests.bench.guest $(BENCH_ARGS)
	@$(RUN) -m tests.bench.listing

soak: $(READY)
	-@$(RUN) -m pip install --quiet --disable-pip-version-check atheris
	@$(RUN) -m tests.fuzz $(SOAK_ARGS)
	@$(RUN) -m tests.soak.load
	@$(RUN) -m tests.soak.survive 10
	@UVIRTIO_KILLS=200 UVIRTIO_SEED=$(SEED) UVIRTIO_NOTHING_LEFT_OUT=1 $(RUN) -m pytest tests/vm/guest/test_kills.py -rP

mutation: $(READY)
	@test -e .mutation/reached.json || $(RUN) -m tests.mutation.reached
	@$(RUN) -m tests.mutation.device --seed $(SEED); device=$$?; \
		$(RUN) -m tests.mutation.own --seed $(SEED) && exit $$device

bounds: $(READY)
	@$(RUN) -m tests.bounds oldest
	@$(RUN) -m tests.bounds newest

lab: $(READY)
	@$(RUN) -m tests.lab.provision

image: $(READY)
	@$(VENV)/bin/uvirtio image build $(if $(ARCH),--arch $(ARCH))

guests: $(READY)
	@$(RUN) -m tests.guests $(GUESTS)

pyz: $(READY)
	@$(RUN) -m release.pyz dist/uvirtio.pyz

deb: $(READY)
	@$(RUN) -m release.deb dist

try-packages: $(READY)
	@$(RUN) -m tests.packages.roots

pythons: $(READY)
	@$(RUN) -m tests.packages.pythons $(PYTHONS)

docs: $(READY)
	@$(RUN) -m docs.make.manual docs
	@$(RUN) -m docs.make.pictures docs/pictures

site:
	@test -e build/site-venv/.ready || { $(PYTHON) -m venv build/site-venv && \
		build/site-venv/bin/pip install --quiet --disable-pip-version-check 'mkdocs-material>=9.5' 'mkdocstrings[python]>=0.26' && \
		touch build/site-venv/.ready; }
	@NO_MKDOCS_2_WARNING=1 build/site-venv/bin/mkdocs build --strict --quiet
	@echo "build/site/index.html"

install-system:
	install -D -m 644 udev/60-uvirtio.rules $(DESTDIR)$(UDEVDIR)/60-uvirtio.rules
	install -D -m 644 docs/man/uvirtio.8 $(DESTDIR)$(PREFIX)/share/man/man8/uvirtio.8
	install -D -m 644 docs/completion/uvirtio.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/uvirtio
	install -D -m 644 docs/completion/_uvirtio $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_uvirtio
	install -D -m 644 docs/completion/uvirtio.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/uvirtio.fish
	@$(RELOAD)

uninstall-system:
	rm -f $(DESTDIR)$(UDEVDIR)/60-uvirtio.rules $(DESTDIR)$(PREFIX)/share/man/man8/uvirtio.8
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/uvirtio $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_uvirtio
	rm -f $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/uvirtio.fish
	@$(RELOAD)

venv: $(READY)

$(READY): pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "CPython 3.11 or newer with venv is missing: apt-get install python3-venv" >&2; exit 1; fi
	@echo "making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[tui,test,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
