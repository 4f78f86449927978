// include/quern.h over the library: labels that a model was not trained on.
#include "c_api_adapter.h"
#include "c_api_results.h"
#include "zero_shot.h"

using quern::c_api::add_stats;
using quern::c_api::CallChanges;
using quern::c_api::classify_options;
using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;
using quern::c_api::texts_of;

quern_zero_shot_options quern_zero_shot_options_default(void) {
  return {.size = sizeof(quern_zero_shot_options), .hypothesis = nullptr, .multi_label = 0};
}

quern_status quern_zero_shot(quern_session* session, const char* const* texts, const size_t* lengths, size_t n,
                             const char* const* labels, size_t n_labels, const quern_zero_shot_options* zero_shot,
                             const quern_classify_options* options, float* scores, size_t scores_len,
                             quern_embed_stats* stats) {
  return guard([&] {
    require(session && (labels || n_labels == 0), "quern_zero_shot: session and labels must not be NULL");
    require(n_labels == 0 || n <= scores_len / n_labels, "quern_zero_shot: there is no room for n rows of n_labels");
    const quern_zero_shot_options z = merged(zero_shot, quern_zero_shot_options_default());
    const std::vector<std::string_view> views = texts_of("quern_zero_shot", texts, lengths, n, scores ? scores_len : 0);
    std::vector<std::string_view> names;
    for (size_t i = 0; i < n_labels; ++i) {
      require(labels[i], "quern_zero_shot: a label is NULL");
      names.emplace_back(labels[i]);
    }
    quern::ZeroShot wanted{.labels = names, .multi_label = z.multi_label != 0};
    if (z.hypothesis) wanted.hypothesis = z.hypothesis;
    const quern_classify_options o = merged(options, quern_classify_options_default());
    require(!o.adapters, "quern_zero_shot: adapters: one for all texts is taken (adapter)");
    const CallChanges changes(o, n * n_labels, session->rep->model());
    quern::TextOptions t = classify_options(o);
    t.changes = changes.all();
    quern::EmbedStats s;
    classify_zero_shot(*session->rep, views, wanted, t, {scores, scores_len}, s);
    add_stats(s, stats);
  });
}

quern_status quern_zero_shot_scores(const quern_model* model, const float* logits, size_t n, size_t n_labels,
                                    int multi_label, float* scores) {
  return guard([&] {
    require(model && (n == 0 || (logits && scores)),
            "quern_zero_shot_scores: model, logits and scores must not be NULL");
    require(n_labels > 0 && n <= quern::c_api::kMostTexts / n_labels,
            "quern_zero_shot_scores: n_labels: expected 1 or more");
    zero_shot_scores(*model->rep, {logits, n * n_labels * quern::c_api::n_labels(*model->rep)}, n_labels,
                     multi_label != 0, {scores, n * n_labels});
  });
}
