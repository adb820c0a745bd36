# `make` alone lists what there is. Everything that is fetched goes below target/, by pinned version.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run check test test-unit test-local test-aws test-promises test-chaos simulate lint stack-rules advisories coverage chaos alerts schemathesis fuzz bench lambda lighthouse pictures packages release release-check up init logs down

PYTHON ?= python3
# Debian's browser, for the tests of the web page and for the pictures.
export CHROMIUM ?= /usr/bin/chromium
# Debian's proxy, for the tests of the command line.
export NGINX ?= /usr/sbin/nginx
# Debian's virus scanner, for the tests of files that are scanned.
export CLAMD ?= /usr/sbin/clamd
# Debian's Prometheus, for the metrics and the alerts.
export PROMETHEUS ?= /usr/bin/prometheus
export PROMTOOL ?= /usr/bin/promtool
# Debian's LLVM of rustc's own version, which reads the profiles that it writes.
export LLVM ?= /usr/lib/llvm-22/bin
# Records what the program does to its disk, for the power cuts.
STRACE := /usr/bin/strace
# Judges the units of systemd, which needn't run here.
SYSTEMD_ANALYZE := /usr/bin/systemd-analyze
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2

# make schemathesis CASES=n SEED=n; make fuzz TARGET=name SECONDS=n
CASES ?= 5000
SEED ?= 1
TARGET ?= mutated_request
SECONDS ?= 600

TEST_TOOLS := target/test-tools
SCHEMATHESIS := target/schemathesis
BROWSER_TOOLS := target/browser-tools
PACKAGE_TOOLS := target/package-tools
PACKAGING_TOOLS := target/packaging-tools
RELEASE_TOOLS := target/release-tools
RELEASE_FILES := target/release-files
LIGHTHOUSE := target/lighthouse
# Another proxy; its tests look for it there.
CADDY := target/caddy
CHECKOV := target/checkov
CARGO_DENY := target/tools/bin/cargo-deny
CARGO_FUZZ := target/tools/bin/cargo-fuzz

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

run: ## Run the service on this machine: http://127.0.0.1:8000, everything below ./data
	cargo run --release --locked

# What takes a minute or two once everything is built, and needs neither network nor Debian packages. The model takes
# half a minute of its own: `make test T=the_promises_hold`.
check: ## Format, lints and unit tests: the inner loop while changing something
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --exclude file-share-model --locked --lib --bins
	node --test tests/browser/unit/*.test.mjs

EVERYTHING_TESTS_NEED := $(TEST_TOOLS)/.installed $(SCHEMATHESIS)/.installed $(BROWSER_TOOLS)/.installed \
	$(PACKAGE_TOOLS)/.installed $(PACKAGING_TOOLS)/.installed $(CADDY)/.installed \
	$(CHROMIUM) $(NGINX) $(STRACE) $(CLAMD) $(PROMTOOL) $(SYSTEMD_ANALYZE)

# With T=name the tests alone whose names, with those of their modules, have it in them.
test: $(EVERYTHING_TESTS_NEED) ## Run all tests; with T=name those of that name. aws mode runs against a stand-in
ifdef T
	cargo build --workspace --locked
	cargo test --workspace --locked -- $(T) | tee target/selected-tests.log
	@grep -qE '^test result: .* [1-9][0-9]* passed' target/selected-tests.log \
		|| { echo "no test has '$(T)' in its name" >&2; exit 1; }
else
	node --test tests/browser/unit/*.test.mjs
	cargo build --workspace --locked
	cargo test --workspace --locked
	target/debug/chaos
endif

# What follows is `make test` in parts, for machines that run them side by side: together they run what it runs.
test-unit: ## Run unit tests, examples in the documentation and those of the page's modules: nothing to install
	node --test tests/browser/unit/*.test.mjs
	cargo test --workspace --exclude file-share-model --locked --lib --bins
	cargo test --workspace --locked --doc

test-promises: ## Run the model and the first 1,000 seeds of the simulation
	cargo test --locked --package file-share-model --lib
	cargo test --locked --package file-share-worker --test simulation

test-chaos: $(TEST_TOOLS)/.installed $(BROWSER_TOOLS)/.installed $(STRACE) $(CLAMD) $(PROMTOOL) ## Run campaigns of kills, faults and load in short
	cargo build --workspace --locked
	target/debug/chaos

# The modules of integration tests in which the AWS stand-in is started, as they say themselves.
AWS_MODULES = $(shell grep -rlE 'Deployment|Stack::' --include=*.rs tests/it cli/tests/it \
	| sed -E 's|.*tests/it/([a-z0-9_]+).*|\1::|' | grep -v '^main::' | sort -u)

test-local: $(EVERYTHING_TESTS_NEED) ## Run the integration tests that need no AWS stand-in
	cargo build --workspace --locked
	cargo test --workspace --locked --test it -- $(addprefix --skip ,$(AWS_MODULES))

test-aws: $(EVERYTHING_TESTS_NEED) ## Run the integration tests that start the AWS stand-in, and what stands beside them
	cargo build --workspace --locked
	cargo test --workspace --locked --test it -- $(AWS_MODULES)

SEEDS ?= 10000
FIRST ?= 1

# With optimisation, overflow checks and debug assertions: a profile of its own.
simulate: ## Run SEEDS=10000 seeds of the simulation from FIRST=1 on; a test run has the first 1,000
	SIMULATION_SEEDS=$(SEEDS) SIMULATION_FIRST_SEED=$(FIRST) cargo test --profile simulation --locked \
		--package file-share-worker --test simulation the_promises_hold -- --nocapture

lint: $(TEST_TOOLS)/.installed $(BROWSER_TOOLS)/.installed $(CARGO_DENY) ## Check format, lints, dependencies and the CloudFormation templates
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --package file-share --lib --no-default-features --locked -- -D warnings
# By itself: beside the API it would be built with what only the API has.
	cargo clippy --package file-share-worker --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet
	$(CARGO_DENY) --all-features check bans licenses sources
	$(TEST_TOOLS)/bin/cfn-lint deploy/stack.yaml deploy/alarms.yaml deploy/downloads.yaml deploy/serverless.yaml
# Each script by the shell that it names, and one at a time: a shell that is given several looks at the first.
	scripts=$$(find . \( -path ./target -o -path ./.git \) -prune -o -type f \
		-exec awk 'FNR == 1 { if (/^#!.*[\/ ](ba)?sh$$/) print FILENAME; nextfile }' {} +); \
	test -n "$$scripts"; \
	for script in $$scripts; do $$(sed -n '1s/^#! *//p' "$$script") -n "$$script"; done
	$(BROWSER_TOOLS)/node_modules/.bin/eslint --config tests/browser/eslint.config.mjs web packages/npm tests/browser tests/tools

# Not a part of lint, since it brings 300 MB of its own.
stack-rules: $(CHECKOV)/.installed ## Have checkov judge the CloudFormation templates, but for what was reviewed
	$(CHECKOV)/bin/python tests/tools/judge_stack.py

# Not a part of lint, since its answer changes without a change here. The database comes from the network.
advisories: $(CARGO_DENY) ## Ask RustSec whether a dependency has a known vulnerability
	$(CARGO_DENY) --all-features check advisories

# Our own crates alone are built anew for it.
coverage: $(TEST_TOOLS)/.installed $(LLVM)/llvm-cov ## Measure by module which lines the unit tests and the stores' suites reach, and fail below the floor
	$(PYTHON) tests/tools/coverage.py

# Debug builds: overflow checks and debug assertions are on.
chaos: $(TEST_TOOLS)/.installed $(BROWSER_TOOLS)/.installed $(STRACE) $(CLAMD) $(PROMTOOL) ## Run campaigns of kills, faults and load in full; some of them: SCENARIOS="poison api-killed"
	cargo build --workspace --locked
	target/debug/chaos --full $(SCENARIOS)

# Times in the rules are shortened; some twenty minutes.
alerts: $(TEST_TOOLS)/.installed $(PROMTOOL) $(CLAMD) ## Have Prometheus scrape the real programs, and see each alert fire at its fault and stop
	cargo build --workspace --locked
	target/debug/chaos --full alerts-aws alerts-local

schemathesis: $(SCHEMATHESIS)/.installed ## Send CASES requests made from the contract, and judge the answers by it
	cargo build --locked
	$(SCHEMATHESIS)/bin/python tests/tools/run_schemathesis.py \
		--program target/debug/file-share --cases $(CASES) --seed $(SEED)

# What was kept is unpacked into target/, and what is new joins it there. Needs a nightly compiler.
fuzz: $(CARGO_FUZZ) ## Search for input that upsets TARGET, for SECONDS
	$(PYTHON) fuzz/corpus.py unpack $(TARGET)
	PATH="$(CURDIR)/$(dir $(CARGO_FUZZ)):$$PATH" cargo +nightly fuzz run --sanitizer none \
		--target-dir target/fuzz $(TARGET) target/fuzz-corpus/$(TARGET) -- \
		-max_total_time=$(SECONDS) -timeout=10 -max_len=4096

bench: $(TEST_TOOLS)/.installed ## Measure against the limits of this machine, all in one run
	cargo build --release --locked --package file-share-worker
	cargo bench --locked --bench figures

# For provided.al2023, whose glibc is 2.34: build it where that isn't older than here, such as in Dockerfile's image.
LAMBDA := target/lambda
lambda: ## Make the zips of both programs for AWS Lambda, into target/lambda
	cargo build --release --locked --package file-share
# By itself: beside the API it would be built with what only the API has.
	cargo build --release --locked --package file-share-worker
	$(PYTHON) deploy/lambda_zip.py target/release/file-share $(LAMBDA)/file-share-lambda.zip
	$(PYTHON) deploy/lambda_zip.py target/release/file-share-worker $(LAMBDA)/file-share-worker-lambda.zip
	@ls -l $(LAMBDA)/*.zip

# Not among the tests: what else a machine does counts as slowness of the pages.
lighthouse: $(LIGHTHOUSE)/.installed $(CHROMIUM) ## Have Lighthouse judge the pages as a phone would, on a quiet machine
	cargo build --release --locked
	node tests/browser/lighthouse.mjs target/release/file-share

# Of other builds: PROGRAMS=target/debug
pictures: $(TEST_TOOLS)/.installed $(CHROMIUM) ## Make the pictures of README anew, from the running programs
	$(TEST_TOOLS)/bin/python docs/pictures/make.py $(if $(PROGRAMS),--programs $(PROGRAMS))

# For npm and for pip, from this tree. Publishing them is somebody's decision.
packages: $(PACKAGE_TOOLS)/.installed ## Make the packages for developers, into target/packages
	node packages/npm/pack.mjs target/packages
	$(PACKAGE_TOOLS)/bin/pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation \
		--wheel-dir target/packages packages/python
	@ls target/packages/*.tgz target/packages/*.whl

# What a release consists of, the same bytes from any folder. docs/releasing.md says how one is made.
# x86_64-unknown-linux-musl and aarch64-unknown-linux-gnu need Rust's own library for them, which rustup has.
RELEASE_TARGETS ?= x86_64-unknown-linux-gnu

release: $(RELEASE_TOOLS)/.installed $(PACKAGING_TOOLS)/.installed ## Compile and pack a release for RELEASE_TARGETS, with SBOM and SHA256SUMS, into target/release-files
	rm -rf $(RELEASE_FILES)
	mkdir -p $(RELEASE_FILES)
	for target in $(RELEASE_TARGETS); do \
		deploy/release/compile $$target; \
		deploy/release/pack.py $$target target/release-build/$$target/release $(RELEASE_FILES); \
	done
	deploy/release/pack.py --sbom $(RELEASE_FILES)
# What else a release has is made here, before the sums are taken.
	cd $(RELEASE_FILES) && sha256sum -- * > ../SHA256SUMS && mv ../SHA256SUMS .
	ls -l $(RELEASE_FILES)

release-check: ## Try the release where nothing else is installed (as root; aarch64 needs qemu-user-static)
	deploy/release/check $(RELEASE_FILES)

up: ## Start API, worker and an AWS emulator in containers: http://127.0.0.1:8000
	docker compose up --build --detach --wait

init: ## Deploy the stack into the running emulator (again; changes nothing if it is there)
	docker compose exec localstack /etc/localstack/init/ready.d/10-deploy-stack.sh

logs: ## Follow the logs of the containers
	docker compose logs --follow

down: ## Stop the containers; what the emulator held is gone
	docker compose down --volumes

# $(call virtual_environment,FOLDER,LIST): what is on the list, in a folder of its own. A changed list is installed anew.
define virtual_environment
$(1)/.installed: $(2)
	$(PYTHON) -m venv --clear $(1)
	$(1)/bin/pip install --quiet --disable-pip-version-check --requirement $(2)
	touch $$@
endef

$(eval $(call virtual_environment,$(TEST_TOOLS),tests/tools/requirements.txt))
$(eval $(call virtual_environment,$(SCHEMATHESIS),tests/tools/schemathesis.txt))
$(eval $(call virtual_environment,$(PACKAGE_TOOLS),tests/tools/packages.txt))
$(eval $(call virtual_environment,$(PACKAGING_TOOLS),tests/tools/packaging.txt))
$(eval $(call virtual_environment,$(RELEASE_TOOLS),deploy/release/tools.txt))
$(eval $(call virtual_environment,$(CADDY),tests/tools/caddy.txt))
$(eval $(call virtual_environment,$(CHECKOV),tests/tools/checkov.txt))

$(CARGO_FUZZ):
	cargo install --quiet --locked --version $(CARGO_FUZZ_VERSION) --root target/tools cargo-fuzz

# The browser's driver, the check for accessibility, the linter of the web page's modules and an issuer that people
# sign in at, exactly as the lock file has them. npm wants its lists beside what it installs.
$(BROWSER_TOOLS)/.installed: tests/browser/package.json tests/browser/package-lock.json
	mkdir -p $(BROWSER_TOOLS)
	cp tests/browser/package.json tests/browser/package-lock.json $(BROWSER_TOOLS)/
	npm ci --prefix $(BROWSER_TOOLS) --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

$(LIGHTHOUSE)/.installed: tests/tools/lighthouse/package.json tests/tools/lighthouse/package-lock.json
	mkdir -p $(LIGHTHOUSE)
	cp $^ $(LIGHTHOUSE)/
	npm ci --prefix $(LIGHTHOUSE) --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# $(call debian_package,PROGRAM,PACKAGE,SETTING): a program that only root can install. SETTING, if there is one, names another.
define debian_package
$(1):
	@test "$$$$(id -u)" = 0 || { echo 'No $(1): install $(2)$(if $(3), or set $(3) to another).' >&2; exit 1; }
	apt-get update --quiet --quiet
	apt-get install --yes --no-install-recommends --quiet --quiet $(2)
endef

$(eval $(call debian_package,$(CHROMIUM),chromium,CHROMIUM))
$(eval $(call debian_package,$(NGINX),nginx-light,NGINX))
$(eval $(call debian_package,$(STRACE),strace))
$(eval $(call debian_package,$(SYSTEMD_ANALYZE),systemd))
$(eval $(call debian_package,$(LLVM)/llvm-cov,llvm-22,LLVM))
# The tests start their own, with one signature; the package's is for whoever runs a scanner here.
$(eval $(call debian_package,$(CLAMD),clamav-daemon,CLAMD))
# Both programs are of one package, which would also start a server of its own.
$(eval $(call debian_package,$(PROMTOOL),prometheus,PROMTOOL))

$(CARGO_DENY):
# Runs for a second; optimised, it would be built for minutes more.
	cargo install --quiet --debug --locked --version $(CARGO_DENY_VERSION) --no-default-features --root target/tools cargo-deny
