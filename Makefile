# Everything a person or CI does with this project. `make help` lists it.
SHELL := /bin/bash
ARGS ?=
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help install demo test unit golden lint format typecheck lock crds cli-docs api-docs kube clients consul-api-tests etcd dist bench fuzz upgrade-test chaos clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit
	@touch $@

install: node_modules/.installed ## Install the locked dependencies (nothing runs at install time)

demo: install ## Three services, health checks and live DNS in one process (ARGS=--once runs the tour unattended)
	@bin/lictor demo $(ARGS)

test: install ## Every test; parts that are not installed are skipped with a hint (LICTOR_REQUIRE_REAL=1 fails instead)
	@scripts/run-tests $(ARGS)

unit: install ## The fast tests only: beside the sources, and the architecture's
	@scripts/run-tests --testPathIgnorePatterns /node_modules/ /dist/ /.cache/ '/test/(clients|conformance|e2e|fuzz|golden|integration|property|support)/' -- $(ARGS)

golden: install ## Rewrite the golden files with what comes out now; the commit explains the differences
	@GOLDEN=rewrite scripts/run-tests test/golden

lint: install ## Lint, formatting and types
	biome ci --colors=off .
	tsc --noEmit

format: install ## Rewrite the formatting
	biome format --write .

typecheck: install ## Check the types only
	tsc --noEmit

lock: ## Bring package-lock.json up to date with package.json, for every platform
	npm install --package-lock-only --no-audit
	scripts/node scripts/complete-lock.ts

crds: install ## Generate the TypeScript types of the CRDs
	@scripts/node crds/generate.ts

cli-docs: install ## Generate docs/cli.md from the commands
	@scripts/node scripts/make-cli-docs.ts

api-docs: install ## Generate docs/http-endpoints.md from the descriptions of the endpoints
	@scripts/node scripts/make-api-docs.ts

kube: ## Build the kube-apiserver that the integration tests use (needs Go; minutes the first time)
	@scripts/build-kube

clients: ## Make the Consul clients that test/clients runs (needs Go, Python, Maven; minutes the first time)
	@scripts/install-clients

consul-api-tests: install ## Consul's own tests of its Go client against lictor (needs Go; some 8 minutes)
	@scripts/consul-api-tests $(ARGS)

etcd: ## Build the current etcd that the store's tests use beside the installed one (needs Go)
	@scripts/build-etcd

dist: install ## Plain JavaScript under dist/ and a packed tarball
	@scripts/make-dist

bench: install ## Measure the figures (ARGS=--short for the short form)
	@scripts/run-benches $(ARGS)

fuzz: install ## The long form of the fuzz tests
	@FUZZ_RUNS=1000000 FILTER_REQUESTS=100000 scripts/run-tests test/fuzz $(ARGS)

upgrade-test: install ## Servers of the previous commit (UPGRADE_FROM) are replaced one by one while writers go on
	@scripts/run-tests test/e2e/upgrade.test.ts $(ARGS)

chaos: install ## Half an hour of every fault under load, then 5 minutes without etcd; a line of result each (CHAOS_SECONDS, CHAOS_SEED; needs etcd, root)
	@CHAOS_SECONDS=$${CHAOS_SECONDS:-1800} CHAOS_SEED=$${CHAOS_SEED:-$$RANDOM} CHAOS_REPORT=1 scripts/run-tests test/e2e/linearizability.test.ts $(ARGS)
	@ETCD_GONE_SECONDS=300 CHAOS_REPORT=1 scripts/run-tests test/e2e/servers-cut-off.test.ts

clean: ## Remove what was built or cached
	rm -rf dist .cache coverage *.tgz
