#!/usr/bin/env bash
# `make demo`: the whole story on real parts. A throw-away PostgreSQL, a Vitrine on SQLite and SoftHSM, a drill that
# breaks the glass, the evidence verified with nothing else at hand, and a search for the password in all that was written.
# What stays: target/demo/{evidence,founded,data,*.log}. Exit 0 only if every step held.
set -euo pipefail
: "${VITRINE:?the program}"
VITRINE=$(realpath "$VITRINE")
root=$PWD
out=$root/target/demo
ACCOUNT=orders_admin
STARTING=correct-horse-battery

exec 4>&1
start=$EPOCHREALTIME
say() { awk -v s="$start" -v n="$EPOCHREALTIME" -v l="$*" 'BEGIN { printf "%7.2f s  %s\n", n - s, l }'; }
chapter() { printf '\n%s\n' "$*"; }
fail() { printf '\nThe demo failed: %s\n' "$*" >&2; exit 1; }

vitrine= pg=$(mktemp -d -t vitrine-demo.XXXXXX)
chmod 0711 "$pg"
stop() {
  [ -z "$vitrine" ] || { kill "$vitrine" 2>/dev/null && wait "$vitrine" 2>/dev/null; vitrine=; } || true
  [ ! -d "$pg" ] || { "$root/.ci/postgres" stop "$pg/server"; rm -rf "$pg"; }
}
trap stop EXIT
trap 'exit 130' INT TERM
rm -rf "$out"
mkdir -p "$out"

chapter "A database with a superuser that can end a company"
facts=$(.ci/postgres start "$pg/server")
port=$(sed -n 's/^port=//p' <<<"$facts")
pin=$(sed -n 's/^pin=//p' <<<"$facts")
install -m 0600 "$pg/server/dba.password" "$pg/dba.password"
PGPASSWORD=$(cat "$pg/dba.password") psql -Xq -v ON_ERROR_STOP=1 "host=127.0.0.1 port=$port user=dba dbname=postgres sslmode=require" <<SQL
CREATE DATABASE orders;
CREATE ROLE $ACCOUNT LOGIN SUPERUSER PASSWORD '$STARTING';
SQL
say "PostgreSQL $("$(.ci/postgres bin)/postgres" -V | cut -d ' ' -f 3) on 127.0.0.1:$port, database orders, superuser $ACCOUNT with a password that too many know"
say "Its certificate is pinned: ${pin:0:23}..."

chapter "A Vitrine"
free=$(for p in $(shuf -i 32001-32700 -n 20); do (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; break; }; done)
origin=http://localhost:$free
export VITRINE_DATA=$out/data VITRINE_SERVER_LISTEN=127.0.0.1:$free VITRINE_KEYS_DRILL=true
cd "$out" # no configuration but this
founding=$("$VITRINE" --json init --origin "$origin" --custodian "Helga Brandt")
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$founding"; }
field ledger >founded
(umask 077; field invitation >"$pg/invitation")
say "Founded on SQLite and SoftHSM tokens. Fingerprint, kept apart: $(cut -c 1-16 founded)..."
"$VITRINE" --json serve >serving.log 2>vitrine.log &
vitrine=$!
for _ in $(seq 300); do
  grep -q listening serving.log && break
  kill -0 "$vitrine" 2>/dev/null || { cat vitrine.log >&2; fail "it did not start"; }
  sleep 0.1
done
grep -q listening serving.log || fail "it did not start in 30 s"
say "Serving $origin"

chapter "A drill: seal, ask, two of three sign, open, use, check in, rotate, prove dead"
# Descriptor 3 brings the opened password once it is dead, for the search below: it never touches a disk.
set +e
password=$("$VITRINE" drill break-glass --url "$origin" --invitation-file "$pg/invitation" --founded "$(cat founded)" \
  --target "127.0.0.1:$port/orders" --account "$ACCOUNT" --pin "$pin" \
  --administrator "host=127.0.0.1 port=$port user=dba dbname=orders sslmode=require" --administrator-password-file "$pg/dba.password" \
  --report drill.json --dead-to /dev/fd/3 --since "$(awk -v s="$start" -v n="$EPOCHREALTIME" 'BEGIN { print n - s }')" 3>&1 1>&4)
drilled=$?
set -e
[ "$drilled" = 0 ] || { tail -n 20 vitrine.log >&2; fail "the drill ended with $drilled"; }
kill "$vitrine"; wait "$vitrine" || true; vitrine=

chapter "The evidence, and a stranger who has nothing else"
"$VITRINE" audit export --out evidence >export.log 2>>vitrine.log || fail "no export"
say "$(wc -l <evidence/entries.jsonl) entries exported to target/demo/evidence, fingerprint in target/demo/founded"
stranger() { (cd / && env -i "$VITRINE" audit verify "$@" --founded "$(cat "$out/founded")"); }
code=0; verdict=$(stranger "$out/evidence") || code=$?
printf '%s\n' "$verdict" | sed 's/^/           | /'
[ "$code" = 0 ] || fail "the verifier ended with $code on the true export"
say "The verifier ends with 0: valid"

cp -r evidence changed
line=$(grep -n -m 1 '"event":"release.opened"' evidence/entries.jsonl | cut -d : -f 1)
seq=$((line - 1))
at=$(head -n "$line" evidence/entries.jsonl | grep -abo '"requester":"' | tail -n 1 | cut -d : -f 1)
at=$((at + 13))
was=$(dd if=evidence/entries.jsonl bs=1 skip="$at" count=1 2>/dev/null)
is=0; [ "$was" != 0 ] || is=1
printf %s "$is" | dd of=changed/entries.jsonl bs=1 seek="$at" conv=notrunc 2>/dev/null
[ "$(cmp -l evidence/entries.jsonl changed/entries.jsonl | wc -l)" = 1 ] || fail "not one byte was changed"
say "In a copy, one byte of entry $seq is changed: who opened it"
code=0; verdict=$(stranger "$out/changed") || code=$?
printf '%s\n' "$verdict" | sed 's/^/           | /'
[ "$code" = 1 ] || fail "the verifier ended with $code on the changed copy"
grep -qw "$seq" <<<"$verdict" || fail "the verifier did not name entry $seq"
say "The verifier ends with 1, and names entry $seq"

chapter "The password, in everything that was written"
[ "${#password}" -ge 20 ] || fail "the drill gave no password to search for"
# Base64 of the password as the bytes before it would shift it, without the digits that those bytes have a part in.
base64_at() { { head -c "$1" /dev/zero; printf %s "$password"; } | base64 -w 0 | tr '+/' '-_' | cut -c "$(($1 + ($1 > 0) + 1))-24"; }
patterns() {
  printf '%s\n' "$password"
  printf %s "$password" | od -An -v -tx1 | tr -d ' \n'; echo
  for shift in 0 1 2; do base64_at "$shift"; done
}
found() { grep -rlaF -f <(patterns) "$@"; }
printf 'x%sy' "$password" | grep -qaF -f <(patterns) || fail "the search finds nothing at all"
places=("$out" "$pg/server")
if hits=$(found "${places[@]}"); then fail "the password is in: $hits"; fi
say "Searched $(find "${places[@]}" -type f | wc -l) files ($(du -shc "${places[@]}" | tail -n 1 | cut -f 1)): Vitrine's data, logs and evidence, PostgreSQL's data and log"
say "Not found: not as text, not in hex, not in base64"
unset password
stop
say "Everything is stopped. What is left to read: target/demo"
