# make demo    the whole story on real parts, narrated: a quorum opens the glass, and a stranger checks it
# make run     the portal at http://localhost:7443, with an invitation to try by hand
# make test    every test
# make check   format, lints, licences, advisories, documentation
# make bench   what it costs, as ratios within one run; into target/bench.md
#
# What is missing comes from the distribution by apt-get (.ci/need), or from wheels into target/tools (.ci/tools).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
.NOTPARALLEL:

export PATH := $(CURDIR)/target/tools/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
TARGET := $(or $(CARGO_TARGET_DIR),target)
VITRINE := $(TARGET)/debug/vitrine
# Directories too, so that a file that goes is noticed.
PAGES := $(shell find templates -type d -o -name '*.js' -o -name '*.mjs' -o -name '*.css' -o -name '*.svg')
FORGE := $(shell find audit/tests/corpus -name __pycache__ -prune -o -type d -print -o -name '*.py' -print)

.PHONY: demo run test check bench program pages tools fmt clippy deny advisories doc rust-test page-test python-test browser-test clean

demo: program
	@.ci/need softhsm postgres
	@VITRINE=$(VITRINE) drills/demo.sh

run: program
	@.ci/need softhsm
	@VITRINE=$(VITRINE) drills/portal.sh

test: rust-test page-test python-test browser-test

check: fmt clippy deny advisories doc

bench: pages
	@.ci/need cc softhsm
	cargo build --release --bin vitrine
	VITRINE=$(abspath $(TARGET))/release/vitrine VITRINE_BENCH_OUT=$(CURDIR)/target/bench.md cargo bench -p drills --bench load
	cargo bench -p audit --benches 2>&1 | tee target/bench.txt
	@grep '^| ' target/bench.txt >>target/bench.md || true
	@echo "target/bench.md; .ci/bench-table target/bench.md README.md quotes it"

program: pages
	@.ci/need cc
	cargo build --workspace --bins

# --- pages: bundled before cargo, which embeds them

pages: target/web/manifest.json

target/web/manifest.json: $(PAGES) node_modules/.package-lock.json
	node templates/bundle.mjs
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json .npmrc target/tools/installed.txt
	npm ci --ignore-scripts --silent
	@touch $@

tools: target/tools/installed.txt

target/tools/installed.txt: .ci/tools.txt .ci/tools
	@.ci/tools

# --- test

# The comparison of the verifier in audit/ with the corpus is among them.
rust-test: pages target/corpus/made
	@.ci/need cc softhsm postgres faketime
	VITRINE_CORPUS=$(CURDIR)/target/corpus timeout 60m cargo test --workspace --no-fail-fast

page-test: pages
	npm test

# The second verifier: its own tests, then every export of the corpus.
python-test: target/corpus/made
	python3 -m unittest discover -s audit/tests/verifier -p 'test_*.py'
	python3 audit/tests/verifier/compare.py target/corpus

target/corpus/made: $(FORGE) target/tools/installed.txt
	@rm -rf target/corpus
	python3 audit/tests/corpus/generate.py target/corpus
	@touch $@

# In a real Chromium, with the program of the rust tests.
browser-test: program
	@.ci/need softhsm postgres chromium
	VITRINE=$(abspath $(VITRINE)) node --test vault/tests/browser/*.test.js

# --- check

fmt:
	cargo fmt --all --check

clippy: pages
	@.ci/need cc
	cargo clippy --quiet --workspace --all-targets -- -D warnings

deny: tools
	cargo deny --log-level error check licenses bans sources

advisories: tools
	@.ci/advisories

doc: pages
	RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps

clean:
	rm -rf target node_modules
