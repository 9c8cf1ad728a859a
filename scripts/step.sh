#!/usr/bin/env bash
# step.sh <what happens, and about how long> <command …>
# Runs a long command quietly: one line says what happens, and in a terminal its seconds tick.
# What the command prints is shown only when it fails. Exits as the command did.
set -euo pipefail

label=$1
shift
log=$(mktemp)
ticker=
trap '[[ -z $ticker ]] || kill "$ticker" 2>/dev/null || true; rm -f "$log"' EXIT
SECONDS=0

if [[ -t 2 ]]; then
  while printf '\r%s … %d s ' "$label" "$SECONDS"; do sleep 1; done >&2 &
  ticker=$!
else
  printf '%s …\n' "$label" >&2
fi

status=0
"$@" >"$log" 2>&1 </dev/null || status=$?

if [[ -n $ticker ]]; then
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  ticker=
  printf '\r' >&2
fi
if ((status == 0)); then
  printf '%s … done in %d s\n' "$label" "$SECONDS" >&2
else
  printf '%s … failed after %d s:\n' "$label" "$SECONDS" >&2
  cat "$log" >&2
fi
exit "$status"
