# Every verb of this project; bare `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

HOST   := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
PLUGIN := target/plugin/vault-plugin-secrets-iamra
NODE_AGENT := target/node-agent/iamra-node-agent

.PHONY: help
help: ## list the verbs
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

.PHONY: demo
demo: release tools ## one real read: dev Vault, emulator, vault read iamra/creds/demo, sts:GetCallerIdentity
	cargo run --quiet --locked -p harness --bin demo

.PHONY: dev
dev: release tools ## the same, left running to play with until Ctrl-C
	cargo run --quiet --locked -p harness --bin demo -- --stay

.PHONY: sdks
sdks: ## the pinned AWS SDKs that the tests measure, under target/sdks
	@tests/tools/prerequisites python node java go
	@tests/sdks/prepare target/sdks

.PHONY: sdk-table
sdk-table: release tools sdks ## measure the SDKs and write their table into docs/sdks.md
	UPDATE_DOCUMENTS=1 cargo test --locked -p sdks

.PHONY: check-tables
check-tables: release tools ## run `check` on healthy and broken set-ups and write its output into docs/operate/why-403.md
	UPDATE_DOCUMENTS=1 cargo test --locked --workspace --test e2e check:: -- --test-threads=1

.PHONY: reference
reference: ## write docs/reference from the routes, the policies and the metrics
	UPDATE_DOCUMENTS=1 cargo test --quiet --locked --workspace --test engine reference::

.PHONY: pictures
pictures: ## draw the pictures of docs/pictures from their text
	UPDATE_DOCUMENTS=1 cargo test --quiet --locked --workspace --test documents pictures::

.PHONY: docs
docs: ## the book in target/book, with each link and anchor checked
	@tests/tools/build-mdbook target/tools
	cargo test --quiet --locked --workspace --test documents
	target/debug/book lay-out target/book-source
	target/tools/bin/mdbook build --dest-dir $(CURDIR)/target/book target/book-source
	target/debug/book check target/book

.PHONY: test
test: release node-agent tools promtool helm sdks ## every test that needs no root
	@tests/tools/prerequisites python openssl dpkg
	@# twice as many at once as there are cores, because the stories mostly wait
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$((2 * $$(nproc)))} cargo test --locked --workspace

.PHONY: stress
stress: release tools ## the crowd of readers, kills and an unwell AWS of `make test`, for five minutes
	STRESS_SECONDS=300 cargo test --locked --workspace --test e2e crowd::

.PHONY: soak
soak: release tools ## half an hour (SOAK_SECONDS) of readers, rotations, revocations, kills and leader changes at once: figures each minute
	cargo test --locked --workspace --test e2e soak:: -- --include-ignored --nocapture

.PHONY: fuzz
fuzz: ## looks for an input that breaks a claim, a minute for each target (FUZZ_SECONDS; FUZZ_TARGETS: only these)
	@tests/tools/prerequisites rust cc cargo-fuzz $(if $(filter-out none,$(FUZZ_SANITIZER)),nightly)
	@tests/tools/fuzz $(FUZZ_TARGETS)

.PHONY: test-k8s
test-k8s: cluster-tools sdks ## every test that needs a real cluster (root): starts one, runs the stories, ends it
	@tests/tools/prerequisites root cluster
	cargo test --locked --workspace --no-run --test cluster
	cargo build --locked --workspace --bin sdk-rust
	target/debug/cluster run tests/cluster/stories

.PHONY: bench-pods
bench-pods: cluster-tools ## what credentials cost a node, with sidecars and with the node agent (root): a table, and target/bench-pods.md
	@tests/tools/prerequisites root cluster
	cargo build --locked --workspace --bins
	target/debug/cluster run target/debug/bench_pods target/bench-pods.md $(BENCH_PODS_PAGE)

.PHONY: bench-pods-table
bench-pods-table: ## the same, and written into docs/node-agent.md
	$(MAKE) bench-pods BENCH_PODS_PAGE=docs/node-agent.md

.PHONY: cluster-tools
cluster-tools: release node-agent tools ## what a cluster consists of: Kubernetes, the injector, CoreDNS, and the images
	@tests/tools/prerequisites root images python go
	@tests/tools/build-cluster target/cluster-tools
	@tests/cluster/images/build target/cluster-images

.PHONY: cluster-up
cluster-up: cluster-tools ## a Kubernetes of one node with Vault, plugin, node agent and injector, to play in (root)
	@tests/tools/prerequisites root cluster
	cargo run --quiet --locked -p cluster -- up

.PHONY: cluster-down
cluster-down: ## ends it and gives the host back as it was
	cargo run --quiet --locked -p cluster -- down

.PHONY: helm
helm: ## helm and kustomize, which check the chart; pinned, built
	@tests/tools/build-helm target/tools/bin

.PHONY: lint-workflows
lint-workflows: ## the workflows of .github by actionlint; pinned, built
	@tests/tools/build-actionlint target/tools/bin
	target/tools/bin/actionlint

.PHONY: check
check: helm ## format, lints (all that compiles), licences, the chart: rustfmt, clippy, cargo-deny, helm
	@tests/tools/prerequisites cargo-deny
	@tests/tools/check-charts
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo deny --log-level error check bans licenses sources

.PHONY: structure
structure: ## the sizes of the files and functions of what ships, and the circles between its files and folders
	@cargo run --quiet --locked -p harness --bin structure

.PHONY: advisories
advisories: ## known vulnerabilities in dependencies; fetches the RustSec database
	@tests/tools/prerequisites cargo-deny
	cargo deny check advisories

.PHONY: fmt
fmt: ## format the code
	cargo fmt --all

.PHONY: release
release: $(PLUGIN) ## the static plugin binary, its size and SHA-256

# FORCE: cargo knows better than make whether anything changed.
$(PLUGIN): FORCE
	@tests/tools/prerequisites rust cc
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(HOST) -p vault-plugin-secrets-iamra
	@tests/tools/install-binary target/$(HOST)/release/vault-plugin-secrets-iamra $(PLUGIN)

.PHONY: node-agent
node-agent: $(NODE_AGENT) ## the static binary of the node agent, its size and SHA-256

$(NODE_AGENT): FORCE
	@tests/tools/prerequisites rust cc
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(HOST) -p iamra-node-agent
	@tests/tools/install-binary target/$(HOST)/release/iamra-node-agent $(NODE_AGENT)

# The release folder. ARCHITECTURES: amd64, arm64 or both; RELEASE_KEY: the private key that signs it.
ARCHITECTURE_HERE := $(patsubst aarch64%,arm64,$(patsubst x86_64%,amd64,$(HOST)))
ARCHITECTURES     ?= $(ARCHITECTURE_HERE)
TARGET_amd64      := x86_64-unknown-linux-gnu
TARGET_arm64      := aarch64-unknown-linux-gnu
# On a machine of the other kind: its compiler, also for AWS-LC, is what cc-rs finds by the target's name.
CROSS_amd64       := CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=x86_64-linux-gnu-gcc
CROSS_arm64       := CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
PROGRAMS          := vault-plugin-secrets-iamra iamra-node-agent
BINARIES           = $(foreach arch,$(ARCHITECTURES),$(foreach program,$(PROGRAMS),$(arch)=target/$(TARGET_$(arch))/release/$(program)))
export RELEASE_KEY

.PHONY: dist
dist: $(ARCHITECTURES:%=binary-%) ## a release in target/dist: static binaries of plugin and node agent, packages, images, SBOMs, checksums, and a signature with RELEASE_KEY
	@tests/tools/prerequisites openssl dpkg buildah
	@tests/tools/sbom target/sbom target/tools
	@tests/tools/packages target/packages $(BINARIES)
	@tests/tools/dist target/dist target/sbom target/packages $(BINARIES)

.PHONY: binary-amd64 binary-arm64
binary-amd64 binary-arm64: binary-%:
	@tests/tools/prerequisites rust cc target-$*
	@# one after another: together, each would have the other's features
	for program in $(PROGRAMS); do \
		$(if $(filter-out $(ARCHITECTURE_HERE),$*),$(CROSS_$*)) RUSTFLAGS="-C target-feature=+crt-static" \
			cargo build --release --locked --target $(TARGET_$*) -p "$$program"; \
	done

.PHONY: tools
tools: ## the real Vault that demo and tests run: yours from PATH, or the pinned one, built
	@tests/tools/build-vault target/tools/vault

.PHONY: promtool
promtool: ## Prometheus' own checker, which tests of metrics, dashboard and alert rules run; pinned, built
	@tests/tools/build-promtool target/tools/promtool

.PHONY: simulate
simulate: ## fleets of ten thousand pods in virtual time: tables, and target/simulation.svg
	@mkdir -p target
	cargo run --quiet --locked --release -p simulation --bin simulate -- target/simulation.svg

.PHONY: bench
bench: release tools ## what a credential costs here and elsewhere, side by side: a table, and target/bench.md
	@tests/tools/prerequisites wrk python go
	@tests/tools/build-peers target/peers
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(HOST) -p aws-emulator
	RUSTFLAGS="-C target-feature=+crt-static" cargo bench --locked --target $(HOST) -p engine --bench uncached_session -- --noplot
	cargo run --quiet --locked -p bench -- --peers target/peers --criterion target/criterion \
		--emulator target/$(HOST)/release/aws-emulator $(BENCH_FLAGS) target/bench.md

.PHONY: bench-table
bench-table: ## the same, and its digest written into docs/operate/fleets-and-quotas.md
	$(MAKE) bench BENCH_FLAGS="--digest docs/operate/fleets-and-quotas.md"

.PHONY: clean
clean: ## remove what was built
	cargo clean

.PHONY: FORCE
FORCE:
