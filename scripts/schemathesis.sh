#!/usr/bin/env bash
# Tries the API of the system beside which it runs (with-system.sh) against its own document, as a customer and as
# staff, for CONTRACT_SECONDS (40) together. SCHEMATHESIS is the program.
set -euo pipefail
seconds=${CONTRACT_SECONDS:-40}

try() { # who token
  echo "As $1:"
  # An HTTP API answers 404 to a method that a path does not have, not 405.
  "${SCHEMATHESIS:-schemathesis}" --config-file "$(dirname "$0")/schemathesis.toml" run "$MILEPOST_API/openapi.yaml" \
    --header "Authorization: Bearer $2" --exclude-checks unsupported_method,allow_header_conformance \
    --max-time $((seconds / 2)) --continue-on-failure
}

try "a customer" "$MILEPOST_TOKEN"
try "staff" "$MILEPOST_STAFF_TOKEN"
