GOLANGCI_LINT := v2.15.0
TOOLS := $(CURDIR)/.tools

.PHONY: check format vet lint tidy build test million sim crash year fuzz bench bench-table

check: format vet lint tidy build test ## everything that CI runs

format:
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }

vet:
	go vet ./...

lint: $(TOOLS)/golangci-lint-$(GOLANGCI_LINT)
	$< run ./...

$(TOOLS)/golangci-lint-$(GOLANGCI_LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv $(TOOLS)/golangci-lint $@

tidy:
	go mod tidy -diff

build:
	go build -trimpath -ldflags "-s -w" -o mapper ./cmd/mapper

test:
	go test -race -timeout 30m ./...

million: ## a million messy rows through an operator that throttles, fails and lies, from every format, and through ID5 in every mode
	MAPPER_TEST_ROWS=1000000 go test -run 'TestEveryRowUnderFaults|TestFormatsAgree|^TestSignals$$' -timeout 30m -v ./jobs

year: ## a table of 200,000 customers kept for a year: MAPPER_YEAR_DAYS, MAPPER_YEAR_PEOPLE, MAPPER_YEAR_SEED
	MAPPER_YEAR_DAYS=$(or $(MAPPER_YEAR_DAYS),365) MAPPER_YEAR_PEOPLE=$(or $(MAPPER_YEAR_PEOPLE),200000) \
		go test -run '^TestYear$$' -timeout 6h -v ./jobs

sim: ## a hundred thousand nights in which everything goes wrong with a table, and as many lives of one with runs of all kinds: half an hour
	MAPPER_SIM_SCHEDULES=100000 go test -run "^Test(Life)?Simulation\$$" -timeout 180m -v ./jobs/table

crash: ## a map of two shards, a remap, a full base, a compaction and a forget, killed at each step that others can see; EVERY=5 for every fifth
	MAPPER_CRASH=$(or $(EVERY),all) go test -run 'TestCrashMatrix|TestCrashKeep|TestNextToUnfinished|TestCleanLooksAtLeasesTogether' -timeout 6h -v ./jobs

fuzz: ## each fuzz target for a minute
	@for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep ^Fuzz); do \
		echo "$$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime 60s $$p || exit 1; done; done

bench: ## per stage, and end to end: make bench ROWS=10000000
	go test -run '^$$' -bench . -benchmem ./normalize ./client/transport ./client/uid2 ./client/sandbox ./sources ./sinks ./pipeline
	MAPPER_BENCH_MB=1024 go test -run '^$$' -bench Read -benchtime 2x ./client/objects
	MAPPER_BENCH_ROWS=$(or $(ROWS),1000000) go test -run "^$$" -bench "Map|Signals" -benchtime 3x -timeout 60m ./cmd/mapper

bench-table: ## a compacted table, compared with and searched: make bench-table ROWS=10000000; MAPPER_BENCH_TABLE=folder keeps it
	MAPPER_BENCH_ROWS=$(or $(ROWS),1000000) go test -run "^$$" -bench Known -benchtime 1x -timeout 180m ./cmd/mapper
