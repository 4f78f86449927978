// A vector is the same to the bit whatever the other texts, their order, the batch size and the number of threads.
#include <catch2/catch.hpp>
#include <numeric>
#include <random>

#include "dispatch.h"
#include "tiny_bert.h"

namespace quern::test {
namespace {

// Texts of many lengths: packs end at different places for every batch size.
std::vector<std::string> many_texts(size_t n) {
  const std::vector<std::string> words = {"the",        "quick", "fox", "jumps", "cosine",
                                          "similarity", "user",  "50",  "!",     "not"};
  std::mt19937 random(7);
  std::vector<std::string> texts = golden_texts();
  while (texts.size() < n) {
    std::string text;
    for (size_t left = random() % 40; left > 0; --left) text += words[random() % words.size()] + ' ';
    texts.push_back(text);
  }
  return texts;
}

// few: fewer texts, for what is covered in full elsewhere.
void check_type(const std::string& type, bool few) {
  INFO(type);
  ScratchFolder scratch;
  const auto model = Embedder::share(convert_to(scratch, type));
  const std::vector<std::string> texts = many_texts(few ? 30 : 100);
  const Rows expected = Embedder(model, 1)(texts);
  for (const int threads : {1, 2, 3, 4}) {
    INFO(threads << " threads");
    Embedder embed(model, threads);
    CHECK(embed(texts) == expected);
    for (const size_t batch : {1, 2, 7, 64}) {
      INFO("batches of " << batch);
      bool same = true;
      for (size_t i = 0; i < texts.size(); i += batch) {
        const size_t end = std::min(texts.size(), i + batch);
        const Rows rows = embed({texts.begin() + static_cast<long>(i), texts.begin() + static_cast<long>(end)});
        same = same && std::equal(rows.begin(), rows.end(), expected.begin() + static_cast<long>(i));
      }
      CHECK(same);
    }
    std::mt19937 random(static_cast<unsigned>(threads));
    std::vector<size_t> order(texts.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    std::vector<std::string> shuffled;
    for (const size_t i : order) shuffled.push_back(texts[i]);
    const Rows rows = embed(shuffled);
    bool same = true;
    for (size_t i = 0; i < order.size(); ++i) same = same && rows[i] == expected[order[i]];
    CHECK(same);
  }
}

}  // namespace

TEST_CASE("bit-equal: every type, on every ISA", "[slow]") {
  for (const KernelTable* table : built_kernels()) {
    if (!table->runs_here()) continue;
    const SetEnv isa("QUERN_ISA", table->name);
    INFO(table->name);
    for (const WrittenType& type : written_types()) check_type(type.name, table != built_kernels()[0]);
  }
}

TEST_CASE("bit-equal: conversion does not depend on the number of threads") {
  ScratchFolder scratch;
  for (const char* type : {"f32", "q8", "q4"}) {
    std::string first;
    for (const int threads : {1, 2, 3}) {
      ConvertOptions options;
      options.type = type;
      options.threads = threads;
      convert(tiny_bert(), scratch.file("model"), options);
      const std::string bytes = read_text_file(scratch.file("model"), 1 << 24);
      if (first.empty()) first = bytes;
      INFO(type << " with " << threads << " threads");
      CHECK(bytes == first);
    }
  }
}

TEST_CASE("bit-equal: files made with little memory for calibration") {
  for (const std::string& folder : {tiny_bert(), std::string(QUERN_TEST_DIR) + "/golden/models/qwen3"}) {
    ScratchFolder scratch;
    ConvertOptions options;
    options.type = "q8";
    convert(folder, scratch.file("plenty"), options);
    const std::string expected = read_text_file(scratch.file("plenty"), 1 << 24);
    for (const size_t bytes : {size_t{1}, size_t{40000}}) {  // one matrix at a time, or two or three
      options.gram_bytes = bytes;
      convert(folder, scratch.file("little"), options);
      INFO(folder << " with " << bytes << " bytes");
      CHECK(read_text_file(scratch.file("little"), 1 << 24) == expected);
    }
  }
}

TEST_CASE("bit-equal: sessions of one model at the same time") {
  ScratchFolder scratch;
  const auto model = Embedder::share(convert_to(scratch, "q8"));
  const std::vector<std::string> texts = many_texts(100);
  const Rows expected = Embedder(model, 1)(texts);
  std::vector<Rows> found(4);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < found.size(); ++i)
      threads.emplace_back([&, i] { found[i] = Embedder(model, 1 + static_cast<int>(i % 2))(texts); });
  }
  for (const Rows& rows : found) CHECK(rows == expected);
}

}  // namespace quern::test
