# Every target sets up what it needs, and does nothing that is done already. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Also under -j: the steps share one terminal line, the two cores of a small machine, and one engine.
.NOTPARALLEL:

# npm runs on the machine's own Node, because it replaces the one in node_modules. Everything else runs on that one.
SYSTEM_PATH := $(PATH)
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

PACKAGES := node_modules/.package-lock.json
DIST := dist/.stamp
STEP := scripts/step.sh
SOURCES := $(shell find src 2>/dev/null)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(DIST) engine ## Show what the sandbox does, on this machine
	@node scripts/demo.ts

.PHONY: test
test: $(DIST) engine runtimes ## Run all tests; those of containers need an engine, and fail without
	@vitest run --project unit --project container

.PHONY: test-container
test-container: $(DIST) engine runtimes ## Run only the tests that need an engine
	@vitest run --project container

.PHONY: test-long
test-long: $(DIST) engine runtimes ## Run the long forms of the tests of faults: an hour of kills, faults and load
	@vitest run --project long

.PHONY: test-unit
test-unit: $(PACKAGES) ## Run the tests that need no engine
	@vitest run --project unit

.PHONY: check
check: $(PACKAGES) ## Check types, lint, format, import direction, generated files, unit tests
	@$(STEP) 'Types (about 3 s)' tsc --noEmit
	@$(STEP) 'Lint and format (about 1 s)' biome check --error-on-warnings
	@$(STEP) 'Import direction (about 1 s)' node scripts/check-imports.ts
	@$(STEP) 'Generated files (about 1 s)' node scripts/generate.ts --check
	@vitest run --project unit

.PHONY: build
build: $(DIST) ## Compile to dist/

.PHONY: generate
generate: $(PACKAGES) ## Write the files that are made from the source
	@node scripts/generate.ts

.PHONY: format
format: $(PACKAGES) ## Format the source, and fix what lint can fix
	@biome check --write

.PHONY: bench
bench: $(DIST) engine ## Measure lurkbox beside what else runs containers, into bench/results/ (about 14 min)
	@node bench/main.ts

.PHONY: bench-quick
bench-quick: $(DIST) engine ## Measure the same in little, into bench/results/quick/ (about 2 min)
	@node bench/main.ts --quick

.PHONY: bench-lifecycle
bench-lifecycle: $(DIST) engine ## Measure the registry, start-up with a thousand plugins, and hot reload (about 2 min)
	@node bench/registry.ts
	@node bench/lifecycle.ts

.PHONY: bench-cli
bench-cli: $(DIST) engine ## Measure the command line beside node, docker version and docker run (about 1 min)
	@node bench/cli.ts

.PHONY: engine
engine: $(PACKAGES) ## Find a container engine; as root on Debian, install and start one if there is none
	@node scripts/ensure-engine.ts

.PHONY: runtimes
runtimes: $(PACKAGES) ## Find the OCI runtimes of the tests; as root on Debian, install those that are missing
	@node scripts/ensure-runtimes.ts

.PHONY: engine-stop
engine-stop: $(PACKAGES) ## Stop the engine, if make started it
	@node scripts/dockerd.ts stop

.PHONY: clean
clean: ## Remove what was built
	@rm -rf dist .lurkbox
	@echo 'Removed dist/ and .lurkbox/. Left: node_modules/, images in the engine, the engine (make engine-stop).'

$(PACKAGES): package.json package-lock.json tools/node/package.json .npmrc
	@[[ ! -L node_modules ]] || { echo 'node_modules is a link, and installing would empty what it leads to; remove the link first.' >&2; exit 3; }
	@command -v npm >/dev/null || { echo 'npm is missing. Install Node 20 or later with npm, then run make again.' >&2; exit 3; }
	@PATH='$(SYSTEM_PATH)' $(STEP) 'Installing npm packages and Node 24 (about 30 s)' npm ci
	@[[ $$(node --version) =~ ^v(24\.(1[5-9]|[2-9][0-9])|2[6-9]|[3-9][0-9])\. ]] || { \
	  echo "This needs Node ^24.15 or >=26; here is $$(node --version), and npm brings none for this platform." >&2; exit 3; }
	@touch $@

$(DIST): $(PACKAGES) $(SOURCES) tsconfig.json tsconfig.build.json scripts/bundle-cli.ts
	@rm -rf dist
	@$(STEP) 'Compiling to dist/ (about 3 s)' tsc -p tsconfig.build.json
	@$(STEP) 'Bundling the runner (about 1 s)' esbuild src/runner/main.ts --outfile=dist/runner.cjs \
	  --bundle --platform=node --target=node24 --format=cjs \
	  --minify-whitespace --minify-syntax --legal-comments=none --log-level=warning
	@$(STEP) 'Bundling the command line (about 1 s)' node scripts/bundle-cli.ts
	@touch $@
