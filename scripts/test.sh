#!/usr/bin/env bash
# Runs every suite, whatever the others do, and ends with the totals: "N passed, N failed". Suites are found, not listed.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# add SUITE EXIT_CODE PASSED FAILED: a suite that ended badly, or ran nothing, counts as a failure.
add() {
  local p=${3:-0} f=${4:-0}
  if [ "$f" = 0 ] && { [ "$2" != 0 ] || [ "$p" = 0 ]; }; then f=1; fi
  echo "--- $1: $p passed, $f failed"
  passed=$((passed + p)) failed=$((failed + f))
}

# found PATTERN: the number in the last line of the log that has the pattern.
found() { sed -nE "s/$1/\1/p" "$log" | tail -1; }

# suite NAME PROJECT [ARGUMENT...]: one run of a .NET suite.
suite() {
  local name=$1
  shift
  dotnet test "$@" -c Release --no-build 2>&1 | tee "$log"
  add "$name" "${PIPESTATUS[0]}" "$(found '.*Passed: +([0-9]+),.*')" "$(found '.*Failed: +([0-9]+),.*')"
}

forge=$PWD/contracts/node_modules/.bin/forge
for contracts in contracts contracts/edition2; do
  (cd $contracts && "$forge" test) 2>&1 | tee "$log"
  add "$contracts (forge)" "${PIPESTATUS[0]}" "$(found '.*: ([0-9]+) tests passed, .*')" "$(found '.* tests passed, ([0-9]+) failed.*')"
done

(cd contracts && npm test --silent) 2>&1 | tee "$log"
add "contracts (node)" "${PIPESTATUS[0]}" "$(found '^# pass ([0-9]+).*')" "$(found '^# fail ([0-9]+).*')"

# Whatever the caller's is: the first run is on SQLite.
unset GATEWAY_TEST_STORE
for project in tests/*/*.csproj; do
  # tests/Client is what suites speak with, and none itself.
  grep -q Microsoft.NET.Test.Sdk "$project" || continue
  suite "$project" "$project"
done

# The scenarios once more, on the other engine. Those marked Store=own bring the store that they are about: they have run.
scenarios=tests/Scenarios/Scenarios.csproj
GATEWAY_TEST_STORE=postgres suite "$scenarios (postgres)" "$scenarios" --filter "Store!=own"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
