#!/usr/bin/env bash
# Runs a command beside a system of its own, in memory and at free ports, and stops the system after it.
# The command finds MILEPOST_API, MILEPOST_AWS, a MILEPOST_DAY in two weeks, MILEPOST_TOKEN (a customer's), MILEPOST_STAFF_TOKEN, and in MILEPOST the program.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
export MILEPOST=$work/milepost
go build -o "$MILEPOST" ./cmd/milepost

first=$((20000 + RANDOM % 2500 * 4))
api=127.0.0.1:$first aws=127.0.0.1:$((first + 1))
"$MILEPOST" run --data "$work/data" --api "$api" --aws "$aws" --bureau "127.0.0.1:$((first + 2))" \
  --xray "127.0.0.1:$((first + 3))" --param QuotesPerDay=0 >"$work/greeting" 2>"$work/log" &
system=$!
trap 'kill $system 2>/dev/null || true; wait $system 2>/dev/null || true; rm -rf "$work"' EXIT
export MILEPOST_API=http://$api MILEPOST_AWS=http://$aws MILEPOST_DAY
MILEPOST_DAY=$(date -u -d "+14 days" +%F 2>/dev/null || date -u -v+14d +%F)
for _ in $(seq 100); do
  curl --silent --fail --output "$work/openapi.yaml" "$MILEPOST_API/openapi.yaml" && break
  kill -0 $system 2>/dev/null || { cat "$work/log"; exit 1; }
  sleep 0.2
done
export MILEPOST_DOCUMENT=$work/openapi.yaml
MILEPOST_TOKEN=$("$MILEPOST" token --aws "$aws" --subject ada)
MILEPOST_STAFF_TOKEN=$("$MILEPOST" token --aws "$aws" --subject uwe --scope staff,quotes)
export MILEPOST_TOKEN MILEPOST_STAFF_TOKEN
"$@" || { status=$?; tail -20 "$work/log"; exit $status; }
