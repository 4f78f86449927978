# Thin names over CMake presets and scripts/. `make help` lists them. Each first lets scripts/setup install what is missing.
.DEFAULT_GOAL := all
.PHONY: all cuda demo demo-chat test install wheel-here wheel dist bench bench-peers bench-bulk bench-quality bench-serve format asan tsan aarch64 lean fuzz clean help

all: ## build quern (./quern and ./embed)
	@scripts/setup build
	@cmake --preset release > /dev/null
	@cmake --build --preset release --target quern_cli quern quern_shared minimal
	@ln -sf build/bin/quern quern && ln -sf build/bin/quern embed

cuda: ## build quern and libquern-cuda.so, the plug-in for NVIDIA GPUs (needs nvcc, no GPU)
	@scripts/setup cuda
	@cmake --preset release -DQUERN_CUDA=ON > /dev/null
	@cmake --build --preset release --target quern_cli quern quern_shared minimal quern_cuda
	@ln -sf build/bin/quern quern && ln -sf build/bin/quern embed

demo: all ## get all-MiniLM-L6-v2, convert it to int8, embed sample texts and print each one's nearest neighbour
	@scripts/setup demo
	@scripts/get-model minilm models/all-MiniLM-L6-v2
	@./quern convert models/all-MiniLM-L6-v2 -o models/minilm.q8
	@./embed -m models/minilm.q8 -f examples/data/demo.txt | scripts/nearest examples/data/demo.txt

demo-chat: all ## get SmolLM2-135M-Instruct and let it answer a question
	@scripts/setup demo
	@scripts/get-model smollm2 models/smollm2-135m-instruct.gguf
	@./quern generate -m models/smollm2-135m-instruct.gguf -p "What is a hand mill for? Answer in one sentence." -n 80 --temp 0
	@echo "Go on with: ./quern chat -m models/smollm2-135m-instruct.gguf"

test: ## build and run every test (PRESET=werror: with warnings as errors)
	@scripts/setup $(if $(PRESET),lanes,test)
	@scripts/run-tests $(or $(PRESET),release)

install: all ## install the program, the libraries and the headers (PREFIX=/usr/local, DESTDIR=)
	@scripts/describe-program build build/bin/quern
	@cmake --install build --prefix $(or $(PREFIX),/usr/local) > /dev/null
	@echo "installed into $(DESTDIR)$(or $(PREFIX),/usr/local)"

wheel-here: ## build a wheel of pyquern for this machine into dist/
	@scripts/setup demo
	@cmake --preset wheel > /dev/null
	@cmake --build --preset wheel --target quern quern_shared quern_cli
	@scripts/build-wheel build/wheel dist

wheel: ## build wheels for every Linux since glibc 2.17, x86-64 and aarch64, into dist/ (MACHINES; half an hour)
	@scripts/setup dist
	@scripts/dist wheel $(MACHINES)

dist: ## the wheels, archives, Debian packages, an SBOM and SHA256SUMS, tested, into dist/ (MACHINES; half an hour)
	@scripts/setup dist
	@scripts/dist all $(MACHINES)

bench: all ## kernel benchmarks, start-up, and throughput of every type
	@scripts/setup bench
	@cmake --preset release -B build/bench -DQUERN_BENCH=ON -DQUERN_ONEDNN=ON -DQUERN_TESTS=OFF > /dev/null
	@cmake --build build/bench --target kernels_bench search_bench
	@scripts/bench build/bench/bin/kernels_bench
	@build/bench/bin/search_bench

bench-peers: all ## side by side with torch, ONNX Runtime, OpenVINO, CTranslate2 and llama.cpp (PEERS; an hour)
	@scripts/setup peers
	@scripts/bench-peers $(QUERN_BENCH_OPTIONS)

bench-bulk: all ## from Parquet to Parquet, beside fastembed and sentence-transformers (PEERS; half an hour)
	@scripts/setup peers
	@scripts/bench-bulk $(QUERN_BENCH_OPTIONS)

bench-quality: all ## what int8 costs in quality, on tasks too, beside the peers' int8 (PEERS; half an hour)
	@scripts/setup peers
	@scripts/bench-quality $(QUERN_BENCH_OPTIONS)

bench-serve: all ## what serving costs: beside the same work without it, under half an hour of load, behind a balancer
	@scripts/setup bench
	@cmake --preset release -B build/bench -DQUERN_BENCH=ON -DQUERN_ONEDNN=ON -DQUERN_TESTS=OFF > /dev/null
	@cmake --build build/bench --target quern_cli serve_load serve_direct
	@scripts/bench-serve build/bench/bin

format: ## is every file as clang-format has it?
asan: ## the tests under the address and undefined-behaviour sanitizers, built by clang with warnings as errors
tsan: ## the golden tests and the server's under the thread sanitizer
aarch64: ## cross compile, and test both NEON tables under qemu
lean: ## build without OpenBLAS; the library must need libc and libstdc++ alone
fuzz: ## fuzz every reader of untrusted input for 60 s each (QUERN_FUZZ_SECONDS)
format asan tsan aarch64 lean fuzz:
	@scripts/setup lanes
	@scripts/lane $@

clean: ## remove what was built (models stay)
	rm -rf build dist quern embed

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
