# pgsql-ha: build, check, test, show, install.

CARGO     ?= cargo
PREFIX    ?=
OCF_ROOT  ?= /usr/lib/ocf
AGENTS     = $(PREFIX)$(OCF_ROOT)/resource.d
SBINDIR   ?= /usr/sbin
BINARY     = target/release/pgsql-ha
# Where rustup puts Rust, if scripts/setup had to install it.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

.PHONY: all setup check test simulate test-matrix faults chaos demo bench install uninstall

all:
	$(CARGO) build --release

# Installs what the tests, the demo and the benchmark run: Debian's packages. Needs root.
setup:
	scripts/setup

# Quick: format, lints, dependencies, unit tests, layering. Run it before each commit.
check:
	scripts/check

# Everything, on real clusters in namespaces. Does its own set-up. Needs root.
test: setup
	scripts/test

# The decisions in a simulated cluster: SEEDS from SEED on; WORLD=hands,nodes adds parts of the world; TRACE=1 tells the
# story, MUTATIONS=1 breaks rules on purpose.
simulate:
	$(CARGO) run --profile simulation --quiet -p simulation -- --seed $(or $(SEED),0) \
	    --seeds $(or $(SEEDS),$(if $(SEED),1,10000)) $(if $(WORLD),--world $(WORLD)) \
	    $(if $(TRACE),--trace) $(if $(MUTATIONS),--mutations)

# PostgreSQL 10 to 18, Pacemaker 2.0 to 3.0, beside the shell agent; shows the matrix. Fetches what is missing. Needs root.
test-matrix: setup
	scripts/matrix-setup
	scripts/test-matrix

# Every fault in every mode, on real clusters; writes docs/faults.md when all are played. CASES=4a,17 MODES=async JOBS=3. Needs root.
faults: setup all
	$(CARGO) run --release --quiet -p faults -- $(if $(CASES),--cases $(CASES)) $(if $(MODES),--modes $(MODES)) \
		$(if $(JOBS),--jobs $(JOBS)) $(if $(CASES)$(MODES),,--write docs/faults.md) $(FAULTS)

# Random faults on real clusters, several at once, for MINUTES; SEED and ROUND play a round again: docs/chaos.md.
# HOSTS=2..5 MODE=sync|strict|any|async REJOIN=verify|rewind FENCING=quick|slow, otherwise drawn. Needs root.
chaos: setup all
	$(CARGO) run --release --quiet -p chaos -- $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(ROUND),--round $(ROUND)) $(if $(HOSTS),--hosts $(HOSTS)) $(if $(MODE),--mode $(MODE)) \
		$(if $(REJOIN),--rejoin $(REJOIN)) $(if $(FENCING),--fencing $(FENCING)) $(CHAOS)

# A real three-host cluster on one screen. KEEP=1 leaves it up, FAULT=power cuts the primary's power. Needs root.
demo: setup all
	$(CARGO) run --release --quiet -p demo -- $(if $(KEEP),--keep) $(if $(FAULT),--fault $(FAULT))

# Side by side with the shell agent. STOCK=<checkout of ClusterLabs/resource-agents>, BENCH=<more words>. Needs root.
bench: setup all
	$(CARGO) run --release --quiet -p bench -- $(if $(STOCK),--stock $(STOCK)) $(BENCH)

# As ocf:heartbeat:pgsql (the stock file is kept as pgsql.stock) and as ocf:pgsql-ha:pgsql.
install: all
	scripts/install $(BINARY) $(AGENTS) $(PREFIX)$(SBINDIR)

uninstall:
	scripts/uninstall $(AGENTS) $(PREFIX)$(SBINDIR)
