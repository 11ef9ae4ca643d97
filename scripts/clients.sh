#!/usr/bin/env bash
# Makes a client in Go and one in TypeScript from the document of the system beside which it runs (with-system.sh),
# compiles them, and lets each make a call.
set -euo pipefail
cd "$(dirname "$0")/../clients"

echo "Go:"
mkdir -p go/milepost
go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -generate types,client -package milepost \
  -o go/milepost/milepost.go "$MILEPOST_DOCUMENT"
go vet ./go/...
"$MILEPOST" example | go run ./go

echo "TypeScript:"
cd typescript
npm ci --silent --no-audit --no-fund
npx openapi-typescript "$MILEPOST_DOCUMENT" --output milepost.ts
npx tsc
"$MILEPOST" example | node dist/client.js
