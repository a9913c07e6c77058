# Every command a person needs. `make demo` and `make test` work on a fresh Debian 12 machine with a Rust toolchain and Node.

APT := flite espeak-ng libpocketsphinx3 pocketsphinx-en-us sox sip-tester baresip-core kamailio kamailio-tls-modules tmux chromium firefox-esr ca-certificates cmake pkg-config
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
DEMO ?= stay

.PHONY: help demo test torture bench check deps web rust-test web-test e2e demo-test

help:
	@echo "make demo         build, start a sample clinic, let three callers ring in (DEMO=once ends by itself)"
	@echo "make test         everything: lints, unit tests, stories with real peers, browser tests, the demo"
	@echo "make torture      kills, power cuts and rotten bits under the store, for TORTURE=30m (or 90s, 2h, or a number of rounds)"
	@echo "make check        formatting and lints only"
	@echo "make bench        figures, printed"
	@echo "make web          build the web pages that the binary carries"
	@echo "make deps         install what the other commands need"

# Debian's packages are installed only where one is missing, so that a prepared machine needs neither root nor network.
deps:
	@missing=""; for p in $(APT); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing:$$missing"; \
	  $(SUDO) apt-get update -q && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -q --no-install-recommends $$missing </dev/null; \
	fi

webui/node_modules/.package-lock.json: webui/package-lock.json
	cd webui && npm ci </dev/null && touch node_modules/.package-lock.json

web: webui/node_modules/.package-lock.json
	cd webui && npm run build

demo: deps web
	cargo build --release --locked
ifeq ($(DEMO),once)
	./target/release/auricle demo --once
else
	./target/release/auricle demo
endif

check: webui/node_modules/.package-lock.json
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd webui && npm run check

test: deps web check rust-test web-test e2e demo-test
	@echo "everything passed"

rust-test:
	cargo test --workspace --locked

web-test: webui/node_modules/.package-lock.json
	cd webui && npm test

# The browser tests run against the real binary in its demo, with the accounts that it prints.
e2e: web
	cargo build --locked
	cd webui && npm run e2e

demo-test: web
	cargo build --locked
	./target/debug/auricle demo --once

# The harnesses of `make test` again, with new seeds, for as long as TORTURE says. A loss is printed with the command that brings it
# back: the same target with TORTURE_ONLY (the harness) and TORTURE_SEED.
TORTURE ?= 10m
torture: export TORTURE := $(TORTURE)
torture:
	cargo test --locked -p auricle-storage --test torture

# Beside us the peers that others would use: Kamailio for signalling, rtpengine for media.
bench: APT += rtpengine-daemon
bench: deps
	cargo bench --locked --workspace --benches
