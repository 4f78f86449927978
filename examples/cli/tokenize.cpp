// quern tokenize: texts → token ids, and back.
#include <CLI/CLI.hpp>
#include <charconv>
#include <cstring>
#include <memory>
#include <vector>

#include "texts.h"

namespace cli {
namespace {

struct TokenizeArguments {
  std::string model;
  TextArguments input;
  bool no_truncate = false, no_special = false, decode = false;
  int64_t max_length = 0;
};

// The ids of a line: numbers between anything that is no part of one, as in [101, 7592].
std::vector<int32_t> parse_ids(const std::string& line) {
  std::vector<int32_t> ids;
  const char *at = line.data(), *const end = at + line.size();
  while (at != end) {
    if (std::strchr(" ,[]\t\r", *at) && *at != '\0') {
      ++at;
      continue;
    }
    int32_t id = 0;
    const auto [after, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0)
      throw Failure{2, "--decode: expected token ids, such as [101, 7592, 102], but a line has \"" +
                           line.substr(static_cast<size_t>(at - line.data()), 20) + "\""};
    ids.push_back(id);
    at = after;
  }
  return ids;
}

// One text a line; line breaks within a text are printed as they are.
void detokenize(const TokenizeArguments& a, const Model& model) {
  quern_detokenize_options options = quern_detokenize_options_default();
  options.skip_special = a.no_special;
  for_each_batch(a.input, "decode", [&](const TextBatch& batch) {
    for (const std::string& line : batch.texts) {
      const std::vector<int32_t> ids = parse_ids(line);
      char* text = nullptr;
      size_t length = 0;
      check(quern_detokenize(model.get(), ids.data(), ids.size(), &options, &text, &length));
      const StringHandle owner(text);
      put(std::string(text, length) + "\n");
    }
  });
}

void tokenize(const TokenizeArguments& a, const Model& model) {
  quern_tokenize_options options = quern_tokenize_options_default();
  options.add_special = !a.no_special;
  options.max_length = a.no_truncate ? -1 : a.max_length;
  std::vector<int32_t> ids;
  std::string line;
  for_each_batch(a.input, "tokenize", [&](const TextBatch& batch) {
    for (const std::string& text : batch.texts) {
      size_t n = 0;
      ids.resize(text.size() * 4 + 64);  // a byte makes at most a few tokens: enough for every tokenizer
      check(quern_tokenize(model.get(), text.data(), text.size(), &options, ids.data(), ids.size(), &n));
      line = "[";
      for (size_t i = 0; i < n; ++i) {
        char number[16];
        if (i) line += ", ";
        line.append(number, std::to_chars(number, number + sizeof number, ids[i]).ptr);
      }
      line += "]\n";
      put(line);
    }
  });
}

void run(const TokenizeArguments& a) {
  const Model model = load(a.model);
  a.decode ? detokenize(a, model) : tokenize(a, model);
  finish_stdout();
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto a = std::make_shared<TokenizeArguments>();
  CLI::App* c = app.add_subcommand("tokenize", "print each text's token ids, one JSON array a line");
  add_model_option(*c, a->model);
  add_text_arguments(*c, a->input);
  CLI::Option* max =
      c->add_option("--max-length", a->max_length, "cut to N tokens, special ones included (default: the model's)")
          ->type_name("N")
          ->check(CLI::PositiveNumber);
  c->add_flag("--no-truncate", a->no_truncate, "never cut")->excludes(max);
  c->add_flag("--no-special", a->no_special, "leave out the special tokens ([CLS], [SEP] …)");
  c->add_flag("--decode", a->decode, "the other way: each line or -p is token ids, print their text")->excludes(max);
  c->callback([a] { run(*a); });
}

}  // namespace cli
