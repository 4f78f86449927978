// quern generate: a prompt goes on, token by token, to standard output.
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "generation.h"
#include "texts.h"

namespace cli {
namespace {

struct GenerateArguments : GenerationArguments {
  std::string model, prompt, file, system, format = "text";
  bool no_chat = false, quiet = false;
};

// What came, kept for --output json.
struct Answer {
  bool stream = true;
  std::string before;  // printed before the first token, once nothing is wrong with the request
  std::string text;
  quern_finish finish = QUERN_FINISH_NONE;
  bool unwritten = false;  // standard output takes no more
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
};

int on_token(void* user, const quern_token_event* event) {
  Answer& answer = *static_cast<Answer*>(user);
  answer.text.append(event->text, event->length);
  answer.finish = event->finish;
  if (answer.stream) {
    std::fwrite(answer.before.data(), 1, answer.before.size(), stdout);
    answer.before.clear();
    std::fwrite(event->text, 1, event->length, stdout);
    answer.unwritten = std::fflush(stdout) != 0 || std::ferror(stdout);
  } else if (event->token >= 0) {
    nlohmann::ordered_json token = {{"id", event->token}};
    if (!std::isnan(event->logprob)) token["logprob"] = event->logprob;
    for (size_t i = 0; i < event->n_top; ++i)
      token["top"].push_back({{"id", event->top[i].token}, {"logprob", event->top[i].logprob}});
    answer.tokens.push_back(std::move(token));
  }
  return answer.unwritten || Interrupts::pressed();
}

const char* finish_name(quern_finish finish) {
  constexpr const char* names[] = {"cancelled", "end", "length", "stop", "error"};
  return names[finish];
}

void print_stats(const Generator& generator, const Answer& answer, uint64_t seed) {
  quern_generator_stats s;
  check(quern_generator_stats_of(generator.get(), &s));
  const auto rate = [](double n, double seconds) { return seconds > 0 ? n / seconds : 0; };
  std::fprintf(
      stderr, "\nprompt: %llu tokens, %.0f tokens/s; answer: %llu tokens, %.1f tokens/s; ended by %s; seed %llu\n",
      static_cast<unsigned long long>(s.prompt_tokens), rate(static_cast<double>(s.prompt_tokens), s.prompt_seconds),
      static_cast<unsigned long long>(s.generated_tokens),
      rate(static_cast<double>(s.generated_tokens) - 1, s.generation_seconds), finish_name(answer.finish),
      static_cast<unsigned long long>(seed));
}

std::vector<int32_t> prompt_tokens(const GenerateArguments& a, const Model& model, const std::string& prompt) {
  const bool chat = !a.no_chat && quern_model_has_chat(model.get());
  if (!chat && !a.system.empty())
    throw Failure{2,
                  "--system: " + (a.no_chat ? std::string("not with --no-chat") : a.model + " has no chat template")};
  if (!chat) return tokens_of(model, prompt, true);
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  if (!a.system.empty()) messages.push_back({{"role", "system"}, {"content", a.system}});
  messages.push_back({{"role", "user"}, {"content", prompt}});
  return chat_tokens(model, messages.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void generate(GenerateArguments& a) {
  if (a.prompt.empty() == a.file.empty()) throw Failure{2, "expected a prompt (-p) or a file with one (-f)"};
  settle(a);
  const Model model = load(a.model);
  settle_sampling(model, a);
  const Generator generator = open_generator(model, a);
  const std::string prompt = a.file.empty() ? a.prompt : read_whole_file(a.file);
  const std::vector<int32_t> ids = prompt_tokens(a, model, prompt);
  Answer answer;
  answer.stream = a.format == "text";
  const Interrupts interrupts;
  if (answer.stream && !a.quiet && (a.no_chat || !quern_model_has_chat(model.get())))
    answer.before = prompt;  // a completion is read together with what it completes
  check(quern_generate(generator.get(), ids.data(), ids.size(), &a.options, on_token, &answer));
  if (answer.unwritten) finish_stdout();
  if (answer.stream) {
    std::printf("\n");
    if (!a.quiet) print_stats(generator, answer, a.options.seed);
    return;
  }
  const nlohmann::ordered_json result = {{"text", answer.text},
                                         {"finish", finish_name(answer.finish)},
                                         {"seed", a.options.seed},
                                         {"prompt_tokens", ids.size()},
                                         {"tokens", answer.tokens}};
  std::printf("%s\n", result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

}  // namespace

void add_generate(CLI::App& app) {
  auto a = std::make_shared<GenerateArguments>();
  CLI::App* c = app.add_subcommand("generate", "go on with a prompt, or answer it where the model has a chat template");
  add_model_option(*c, a->model);
  c->add_option("-p,--prompt", a->prompt, "the prompt")->type_name("TEXT");
  c->add_option("-f,--file", a->file, "a file with the prompt (-: standard input)")->type_name("FILE");
  c->add_option("--system", a->system, "instructions that come before the prompt (chat models)")->type_name("TEXT");
  c->add_flag("--no-chat", a->no_chat, "go on with the prompt as it is, without the chat template");
  c->add_flag("--quiet", a->quiet, "the new text alone: neither the prompt nor figures");
  c->add_option("-o,--output", a->format, "text, as it comes, or json, at the end")
      ->type_name("NAME")
      ->check(CLI::IsMember({"text", "json"}));
  c->add_option("--logprobs", a->options.logprobs, "with -o json: log probabilities, and of so many other tokens")
      ->type_name("N")
      ->check(CLI::Range(0, 20));
  add_sampling_options(*c, *a);
  add_generator_options(*c, *a);
  add_machine_options(*c);
  c->callback([a] { generate(*a); });
}

}  // namespace cli
