#!/usr/bin/env bash
# `make run`: a Vitrine to try by hand, in target/run: SQLite, SoftHSM, software keys allowed. Kept from run to run.
set -euo pipefail
: "${VITRINE:?the program}"
export VITRINE_DATA=target/run/data VITRINE_KEYS_DRILL=true
founding=target/run/founding
if [ ! -e "$founding" ]; then
  rm -rf target/run
  mkdir -p target/run
  (umask 077; "$VITRINE" init >"$founding.new")
  mv "$founding.new" "$founding"
fi
if [ -e target/run/served ]; then
  grep -v Invitation "$founding" # used, or waiting in target/run/founding
else
  cat "$founding"
  touch target/run/served
fi
echo
echo "Any FIDO2 key will do here, software ones too, for drill safes. Begin anew: rm -r target/run. Stop: Ctrl-C."
echo "On another machine: ssh -L 7443:localhost:7443 HOST, then http://localhost:7443 (not 127.0.0.1: keys answer the name alone)."
exec "$VITRINE" serve
