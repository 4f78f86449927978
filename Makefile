# Thin names over CMake. `make help` lists them. Each target first lets scripts/setup install what is missing.
BUILD := cmake --build
GEN   := cmake -G Ninja -S .
.DEFAULT_GOAL := all
.PHONY: all demo test bench check asan tsan clang aarch64 lean fuzz clean help

all: ## build quern (./quern and ./embed)
	@scripts/setup build
	@$(GEN) -B build -DQUERN_TESTS=OFF > build.log 2>&1 || { cat build.log; exit 1; }
	@rm -f build.log
	@$(BUILD) build
	@ln -sf build/bin/quern quern && ln -sf build/bin/quern embed

demo: all ## get all-MiniLM-L6-v2, convert it to int8, embed sample texts and print each one's nearest neighbour
	@scripts/get-model minilm models/all-MiniLM-L6-v2
	@./quern convert models/all-MiniLM-L6-v2 -o models/minilm.q8
	@./embed -m models/minilm.q8 -f examples/data/demo.txt | python3 scripts/nearest examples/data/demo.txt

test: ## build and run every test
	@scripts/setup test
	@scripts/run-tests build/test

bench: all ## kernel benchmarks, start-up, and throughput of every type
	@$(GEN) -B build/bench -DQUERN_BENCH=ON -DQUERN_TESTS=OFF > /dev/null
	@$(BUILD) build/bench --target kernels_bench
	@scripts/bench build/bench/bin/kernels_bench

check: ## warnings are errors, with g++ and clang; formatting
	@scripts/setup lanes
	@scripts/lane werror
	@scripts/lane clang
	@scripts/lane format

asan tsan clang aarch64 lean fuzz: ## that lane of the CI
	@scripts/setup lanes
	@scripts/lane $@

clean: ## remove what was built (models stay)
	rm -rf build quern embed

help: ## this list
	@awk -F ':.*## ' '/^[a-z ]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
