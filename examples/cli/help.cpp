#include "help.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>

#include "common.h"
#include "texts.h"

namespace cli {
namespace {

struct Examples {
  const char* command;
  const char* text;
};

// The first line of each is among the program's own examples.
constexpr Examples kExamples[] = {
    {"pull", "quern pull minilm\nquern pull org/name --revision v1.0 --type q4"},
    {"push", "quern push minilm-gguf/ org/name --tag v1.0"},
    {"models", "quern models\nquern models --known\nquern models rm org/name"},
    {"convert",
     "quern convert all-MiniLM-L6-v2/ -o minilm.q8\n"
     "quern convert SmolLM2-135M-Instruct/ --type q4 -o smollm2.gguf"},
    {"embed",
     "quern embed -m minilm.q8 -f texts.txt -o vectors.npy\n"
     "quern embed -m minilm -p \"a text\" -p \"another\"\n"
     "quern embed -m nomic.q8 --prompt-name query -f questions.jsonl --field question -o questions.npy"},
    {"search",
     "quern search -m minilm.q8 --index vectors.npy --texts texts.txt -q \"a question\"\n"
     "quern search -m minilm.q8 --index bits.npy --rescore vectors.npy -f questions.txt --top-k 5 --json"},
    {"dedup",
     "quern dedup --index vectors.npy --threshold 0.95 --texts texts.txt\n"
     "quern dedup --index vectors.npy --threshold 0.95 --texts texts.txt --kept > kept.jsonl"},
    {"rerank", "quern rerank -m reranker.q8 -q \"a question\" -f docs.txt --top-n 5"},
    {"classify",
     "quern classify -m sst2.q8 -p \"what a lovely day\"\n"
     "quern classify -m ner.q8 -p \"Angela Merkel lives in Berlin.\""},
    {"generate",
     "quern generate -m smollm2.gguf -p \"Why is the sky blue?\" -n 128\n"
     "quern generate -m smollm2.gguf -f question.txt --json-schema-file answer.schema.json"},
    {"chat", "quern chat -m smollm2.gguf\nquern chat -m smollm2.gguf --system \"Answer in one sentence.\""},
    {"serve", "quern serve -m minilm.q8 -m smollm2.gguf --port 8080\nquern serve --config serve.json"},
    {"verify", "quern verify minilm.q8 --reference all-MiniLM-L6-v2/ -f texts.txt --min-cosine 0.99"},
    {"perplexity", "quern perplexity -m smollm2.q8 -f text.txt --reference SmolLM2-135M-Instruct/"},
    {"tokenize", "quern tokenize -m minilm.q8 -p \"a text\""},
    {"inspect", "quern inspect minilm.q8\nquern inspect minilm.q8 --verify"},
    {"bench", "quern bench -m minilm.q8 -p 16,128,512 -b 1,32\nquern bench -m smollm2.q8 -p 512 -n 64 -d 4096"},
    {"completion",
     "quern completion bash > /etc/bash_completion.d/quern\n"
     "quern completion fish > ~/.config/fish/completions/quern.fish"},
};

constexpr const char* kAbout =
    "A MODEL is a file made by quern convert, a GGUF file, a Hugging Face folder with safetensors weights, or a\n"
    "name: org/name[:file][@revision], or one that quern models --known lists. Models by name are downloaded\n"
    "and converted once, then come from the caches (docs/hub.md).\n"
    "QUERN_ISA=avx2 (scalar, avx512_vnni, neon, ...) forces an instruction set, as --isa does.\n"
    "QUERN_DEVICE=auto and QUERN_GPU_LAYERS=all say where layers run, as --device and --gpu-layers do.\n"
    "quern help COMMAND tells more of one. Exit codes: 0 done, 1 failed, 2 wrong use.";

// Options as "--name VALUE": of what CLI11 knows of a value's type, its name and its choices.
class Format final : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0) return "";
    const std::string type = option->get_type_name();
    const size_t choices = type.find('{'), colon = type.find(':');
    std::string text = choices != std::string::npos ? type.substr(choices) : type.substr(0, colon);
    for (char& c : text) c = c == ',' && choices != std::string::npos ? '|' : c;
    return (text.empty() ? "" : " " + text) + (option->get_required() ? " (required)" : "");
  }
  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string name = make_option_name(option, true) + (option->get_expected_max() > 1 ? " …" : "");
    return option->get_required() ? name : "[" + name + "]";
  }
};

size_t distance(const std::string& a, const std::string& b) {  // Levenshtein's
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t corner = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = corner + (a[i] != b[j]);
      corner = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, corner + 1});
    }
  }
  return row.back();
}

// The name that is most like `word`, "" where none is.
std::string nearest(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& name : names)
    if (const size_t d = distance(word.substr(0, 64), name); d < least) least = d, best = name;
  return best;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  return flags;
}

std::string joined(const std::vector<std::string>& words) {
  return CLI::detail::join(words, " ");
}

std::vector<std::string> names_of_commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  return names;
}

std::string bash_completion(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* command : commands_of(app))
    cases += "    " + command->get_name() + ") words=\"" + joined(flags_of(*command)) + "\" ;;\n";
  return "_quern() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" words=\"" +
         joined(names_of_commands(app)) +
         "\"\n"
         "  [ \"$COMP_CWORD\" -gt 1 ] && case \"${COMP_WORDS[1]}\" in\n" +
         cases +
         "  esac\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ] || [[ \"$current\" == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -f -- \"$current\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _quern quern\n";
}

std::string fish_completion(const CLI::App& app) {
  std::string lines;
  const auto quoted = [](std::string text) {
    std::string out = "'";
    for (const char c : text.substr(0, text.find('\n')))
      out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return out + "'";
  };
  for (const CLI::App* command : commands_of(app)) {
    const std::string name = command->get_name();
    lines +=
        "complete -c quern -n __fish_use_subcommand -a " + name + " -d " + quoted(command->get_description()) + "\n";
    for (const CLI::Option* option : command->get_options())
      for (const std::string& flag : option->get_lnames())
        lines += "complete -c quern -n '__fish_seen_subcommand_from " + name + "' -l " + flag +
                 (option->get_type_size() == 0 ? "" : " -r") + " -d " + quoted(option->get_description()) + "\n";
  }
  return lines;
}

void add_completion(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* c = app.add_subcommand("completion", "print what makes a shell complete quern's commands and flags");
  c->add_option("shell", *shell, "the shell")
      ->required()
      ->type_name("SHELL")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  c->callback([&app, shell] {
    if (*shell == "fish") return put(fish_completion(app));
    if (*shell == "zsh") put("autoload -U +X bashcompinit && bashcompinit\n");
    put(bash_completion(app));
  });
}

}  // namespace

void add_help(CLI::App& app) {
  add_completion(app);
  std::string all = "Examples:\n";
  for (const Examples& e : kExamples) {
    const std::string text = e.text;
    all += "  " + text.substr(0, text.find('\n')) + "\n";
    std::string own = "Examples:\n  ";
    for (const char c : text) own += c == '\n' ? std::string("\n  ") : std::string(1, c);
    app.get_subcommand(e.command)->footer(own);
  }
  app.footer(all + "\n" + kAbout);
  const auto format = std::make_shared<Format>();
  format->column_width(32);
  app.formatter(format);
  const auto all_of = [](CLI::App*) { return true; };
  for (CLI::App* command : app.get_subcommands(all_of)) {
    command->formatter(format);
    for (CLI::App* part : command->get_subcommands(all_of)) part->formatter(format);
  }
}

void rewrite_help_words(std::vector<std::string>& arguments) {
  if (arguments.empty()) return;
  if (arguments[0] == "version") arguments[0] = "--version";
  if (arguments[0] != "help") return;
  arguments.erase(arguments.begin());
  arguments.insert(arguments.empty() ? arguments.begin() : arguments.begin() + 1, "--help");
}

void require_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  const std::vector<std::string> names = names_of_commands(app);
  if (arguments.empty())
    throw Failure{2, "expected a command, one of: " + joined(names) + " (quern --help tells more)"};
  const std::string& word = arguments[0];
  const std::vector<std::string> flags = flags_of(app);
  if (word.starts_with("--") && std::find(flags.begin(), flags.end(), word) == flags.end()) {
    const std::string flag = nearest(word, flags);
    throw Failure{2, "expected a command, found \"" + one_line(word, 64) + "\"" +
                         (flag.empty() ? "; there are: " + joined(names) : ", did you mean " + flag + "?")};
  }
  if (word.starts_with('-') || std::find(names.begin(), names.end(), word) != names.end()) return;
  const std::string meant = nearest(word, names);
  throw Failure{2, "there is no command \"" + one_line(word, 64) + "\"" +
                       (meant.empty() ? "; there are: " + joined(names) : ", did you mean " + meant + "?")};
}

std::string unexpected(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    if (!command->get_subcommands().empty()) return unexpected(*command);
    const std::vector<std::string> words = command->remaining();
    const auto flag = std::find_if(words.begin(), words.end(), [](const std::string& w) { return w.starts_with('-'); });
    const std::string word = flag != words.end() ? flag->substr(0, flag->find('=')) : words.empty() ? "" : words.back();
    if (word.empty()) continue;
    const std::string meant = nearest(word, flags_of(*command));
    const std::string name = (app.get_parent() ? app.get_name() + " " : "") + command->get_name();
    return "quern " + name + " takes no \"" + one_line(word, 64) + "\"" +
           (meant.empty() ? " (try quern " + name + " --help)" : ", did you mean " + meant + "?");
  }
  return "unexpected arguments (try --help)";
}

}  // namespace cli
