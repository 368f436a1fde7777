#!/usr/bin/env bash
# What the tests need beyond .NET and Node: libsecp256k1, against which the managed signing is held.
set -euo pipefail
if ldconfig -p 2>/dev/null | grep -q libsecp256k1; then exit 0; fi
if command -v brew >/dev/null; then exec brew install secp256k1; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq
  exec apt-get install -y -qq libsecp256k1-1
fi
echo "the tests need libsecp256k1 (Debian: apt-get install libsecp256k1-1)" >&2
exit 1
