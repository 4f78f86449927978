// quern perplexity: how well a decoder predicts a text, and how far it is from another.
#include <cstdio>

#include "generation.h"

namespace cli {
namespace {

struct PerplexityArguments : GenerationArguments {
  std::string model, file, reference;
  bool quiet = false;
};

int progress(void*, double done, double total, double perplexity) {
  std::fprintf(stderr, "\r%.0f of %.0f windows, PPL %.4f ", done, total, perplexity);
  if (done == total) std::fputc('\n', stderr);
  return Interrupts::pressed();
}

void perplexity(PerplexityArguments& a) {
  if (a.context == 0) a.context = 512;
  const Model model = load(a.model);
  const Generator generator = open_generator(model, a);
  const Model other = a.reference.empty() ? Model() : load_source(a.reference);
  const Generator reference = other ? open_generator(other, a) : Generator();
  const std::string text = read_whole_file(a.file);
  const Interrupts interrupts;
  quern_perplexity_result r;
  check(quern_generator_perplexity(generator.get(), text.data(), text.size(), a.context, reference.get(),
                                   stderr_is_terminal() && !a.quiet ? progress : nullptr, nullptr, &r));
  std::printf("PPL = %.4f +/- %.4f (%llu tokens predicted)\n", r.perplexity, r.error,
              static_cast<unsigned long long>(r.tokens));
  if (!reference) return;
  std::printf("reference PPL = %.4f, ratio = %.5f\n", r.reference_perplexity, r.perplexity / r.reference_perplexity);
  std::printf("KL divergence = %.6f, largest %.4f; the same likeliest token: %.2f %%\n", r.kl_mean, r.kl_max,
              r.same_top * 100);
}

}  // namespace

void add_perplexity(CLI::App& app) {
  auto a = std::make_shared<PerplexityArguments>();
  CLI::App* c = app.add_subcommand("perplexity", "how well a model predicts a text: lower is better");
  add_model_option(*c, a->model);
  c->add_option("-f,--file", a->file, "the text (-: standard input)")->type_name("FILE")->required();
  c->add_option("--reference", a->reference, "another model of the same vocabulary: adds the KL divergence from it")
      ->type_name("MODEL");
  c->add_flag("--quiet", a->quiet, "no progress");
  add_generator_options(*c, *a);
  c->get_option("--ctx")->description("tokens of a window, of which the second half is predicted (default: 512)");
  add_machine_options(*c);
  c->callback([a] { perplexity(*a); });
}

}  // namespace cli
