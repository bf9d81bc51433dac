GOLANGCI_LINT := v2.15.0
TOOLS := $(CURDIR)/.tools

.PHONY: check format vet lint tidy build test million sim crash year fuzz bench bench-check bench-baseline bench-table profile

check: format vet lint tidy build test bench-check ## everything that CI runs

format:
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }

vet:
	go vet ./... ./testdata/bench

lint: $(TOOLS)/golangci-lint-$(GOLANGCI_LINT)
	$< run ./... ./testdata/bench

$(TOOLS)/golangci-lint-$(GOLANGCI_LINT):
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv $(TOOLS)/golangci-lint $@

tidy:
	go mod tidy -diff

build: ## the program; the tag leaves out what would measure gRPC, which is not used: 13 MB
	go build -trimpath -tags disable_grpc_modules -ldflags "-s -w" -o mapper ./cmd/mapper
	@test "$$(wc -c < mapper)" -le 60000000 || { echo "the program is larger than 60 MB"; exit 1; }

test:
	go test -race -timeout 30m ./... ./testdata/bench
	go test -run 'AllocatesNothing$$' ./normalize

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

BENCH_ROWS := 1000000,10000000
STAGES := go test -run '^$$' -bench '^BenchmarkStage$$' -benchmem ./sources ./normalize ./client/uid2 ./pipeline ./sinks ./jobs/table

bench: ## one table: each stage beside its floor, then whole runs; bench.txt is for benchstat: make bench ROWS=1000000
	$(STAGES) -benchtime 500ms -count 3 > bench.txt
	MAPPER_BENCH_ROWS=$(or $(ROWS),$(BENCH_ROWS)) go test -run '^$$' -bench '^Benchmark(Map|Shards|Start|Signals)$$' \
		-benchtime 1x -timeout 180m ./cmd/mapper >> bench.txt
	@go run ./testdata/bench -baseline testdata/bench/baseline.txt < bench.txt

bench-check: ## fails when a stage takes more than twice as many times its floor as in the baseline
	$(STAGES) -benchtime 100ms -count 3 > bench-check.txt
	go run ./testdata/bench -baseline testdata/bench/baseline.txt < bench-check.txt

bench-baseline: ## measures the baseline anew
	$(STAGES) -benchtime 500ms -count 5 > bench.txt
	go run ./testdata/bench < bench.txt
	mv bench.txt testdata/bench/baseline.txt

profile: ## cpu.prof of a map of five million rows; go tool pprof cpu.prof
	MAPPER_BENCH_ROWS=$(or $(ROWS),5000000) go test -run '^$$' -bench Profile -benchtime 2x -cpuprofile cpu.prof -o mapper.test ./cmd/mapper

bench-table: ## a compacted table, compared with and searched: make bench-table ROWS=10000000; MAPPER_BENCH_TABLE=folder keeps it
	MAPPER_BENCH_ROWS=$(or $(ROWS),1000000) go test -run "^$$" -bench Known -benchtime 1x -timeout 180m ./cmd/mapper
