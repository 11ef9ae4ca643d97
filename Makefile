.DEFAULT_GOAL := help

# Runs the whole system on this machine until Ctrl-C. The first line is the address of its pages.
run:
	@test -e dist/milepost || echo "Building Milepost. The first time this takes some minutes."
	@go build -o dist/milepost ./cmd/milepost
	@dist/milepost run

# Runs all tests. Vetting is make lint's. Each test opens systems of its own and soon drops them: collecting garbage more
# often than this takes a third of the time, and not collecting it at all takes more in fresh memory than it saves.
test:
	GOGC=400 go test -vet=off ./...

# Measures the system and prints a table.
bench:
	go run ./cmd/bench

# Builds the binary that every Lambda function runs, for template.yaml to deploy. Without inlining in the SDKs its zip,
# which a cold start loads, is 0.7 MB smaller.
build:
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -ldflags="-s -w" \
	  -gcflags='github.com/aws/aws-sdk-go-v2/...=-l' -gcflags='google.golang.org/...=-l' -o dist/lambda/bootstrap ./cmd/bootstrap

# Checks template.yaml with cfn-lint, the SAM translator and our own linter for what they miss.
validate: .venv/ok
	.venv/bin/cfn-lint template.yaml
	.venv/bin/python scripts/translate.py template.yaml
	go run ./cmd/milepost run --check
	go test . ./local/template

.venv/ok: scripts/requirements.txt
	python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt && touch $@

# Makes a client in Go and one in TypeScript from the served API document; each makes a call. Needs Node.
clients:
	scripts/with-system.sh scripts/clients.sh

CONTRACT_SECONDS = 180

# Tries the served API against its own document for CONTRACT_SECONDS, as a customer and as staff.
contract: .venv/ok
	CONTRACT_SECONDS=$(CONTRACT_SECONDS) SCHEMATHESIS=.venv/bin/schemathesis scripts/with-system.sh scripts/schemathesis.sh

# Follows a quote by a WebSocket client of Python, and tries the limits that AWS documents.
websocket: .venv/ok
	scripts/with-system.sh .venv/bin/python scripts/websocket.py

# Checks the Go code with the linters of .golangci.yml, go vet among them.
lint:
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

# Compares the local DynamoDB with Amazon's DynamoDB Local, which it gets from Maven Central. Needs Java 17 and Maven.
differential: .dynamodb-local/ok
	DYNAMODB_LOCAL=$(CURDIR)/.dynamodb-local go test -vet=off -count=1 -timeout 1h -v ./local/dynamodb/differential

.dynamodb-local/ok: scripts/dynamodb-local/pom.xml
	mvn --quiet --batch-mode --file $< -Dmaven.repo.local=$(CURDIR)/.dynamodb-local/repository \
		dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=$(CURDIR)/.dynamodb-local && touch $@

# Tests the pages in Chromium, and looks for barriers with axe-core. Needs Chromium and npm.
browser: .axe/ok
	BROWSER=yes AXE=$(CURDIR)/.axe/node_modules/axe-core/axe.min.js go test -vet=off -count=1 -v ./e2e/browser

.axe/ok: scripts/axe/package.json scripts/axe/package-lock.json
	mkdir -p .axe && cp scripts/axe/package*.json .axe/ && npm ci --silent --prefix .axe && touch $@

# Looks for known vulnerabilities in what the program uses.
vulncheck:
	go run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./...

# Deploys to AWS; asks for what template.yaml needs. Needs the SAM command line and credentials.
deploy: build
	sam deploy --guided --capabilities CAPABILITY_IAM

# Prints the targets, each with the first sentence of the comment above it.
help:
	@awk '/^# / { about = about substr($$0, 2); next } \
	  /^[a-z]+:/ && about { sub(/:.*/, ""); sub(/[.;] .*|\.$$/, "", about); printf "make %-14s%s\n", $$0, about } \
	  { about = "" }' $(MAKEFILE_LIST)

.PHONY: run test bench build validate clients contract websocket lint differential browser vulncheck deploy help
