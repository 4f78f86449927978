// include/quern.h over the library: models, tokens, measuring, conversion. It and c_api_session.cpp are the only files
// that catch: nothing thrown leaves them.
#include "c_api.h"

#include <cstdlib>

#include "backend.h"
#include "convert/convert.h"
#include "cpu.h"
#include "dispatch.h"
#include "fingerprint.h"
#include "heads/pooling.h"
#include "model_cost.h"
#include "self_test.h"
#include "version.h"

struct quern_tokens {
  std::vector<std::string> pieces;
  std::vector<quern_token> all;
};
struct quern_detokenizer {
  std::shared_ptr<const quern::LoadedModel> model;
  quern::TokenDecoder rep;
  std::string text;
};

namespace {

thread_local std::string last_error;

}  // namespace

namespace quern::c_api {

char* copy_string(const std::string& text) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (!copy) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

quern_status failed(Status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return static_cast<quern_status>(status);
}

}  // namespace quern::c_api

using quern::c_api::copy_string;
using quern::c_api::guard;
using quern::c_api::merged;
using quern::c_api::require;

const char* quern_version(void) {
  return QUERN_VERSION_TEXT;
}
const char* quern_last_error(void) {
  return last_error.c_str();
}
int quern_usable_cpus(void) {
  int n = 1;
  guard([&] { n = quern::usable_cpus(); });
  return n;
}
const char* quern_isa(void) {
  const char* name = nullptr;
  guard([&] { name = quern::default_kernels().name; });
  return name;
}
const char* quern_backend(void) {
  const char* name = nullptr;
  guard([&] { name = quern::backend_name(); });
  return name;
}
const char* quern_cpu(void) {
  const char* name = "";
  guard([&] {
    static const std::string found = quern::cpu_name();
    name = found.c_str();
  });
  return name;
}
void quern_string_free(char* string) {
  std::free(string);
}

quern_status quern_model_load(const char* path, quern_model** model) {
  return quern_model_load_on(path, nullptr, model);
}
quern_load_options quern_load_options_default(void) {
  const auto of = [](const char* name, const char* otherwise) {
    const char* const value = std::getenv(name);
    return value && *value ? value : otherwise;
  };
  return {sizeof(quern_load_options), of("QUERN_DEVICE", "cpu"), of("QUERN_GPU_LAYERS", "auto")};
}
quern_status quern_model_load_on(const char* path, const quern_load_options* options, quern_model** model) {
  return guard([&] {
    require(path && model, "quern_model_load: path and model must not be NULL");
    *model = nullptr;
    const quern_load_options chosen = merged(options, quern_load_options_default());
    require(chosen.device && chosen.gpu_layers, "quern_model_load_on: device and gpu_layers must not be NULL");
    *model = new quern_model{std::shared_ptr<const quern::LoadedModel>(
        quern::load_model(path, nullptr, {.device = chosen.device, .layers = chosen.gpu_layers}))};
  });
}

void quern_model_free(quern_model* model) {
  delete model;
}
int64_t quern_model_width(const quern_model* model) {
  return model ? model->rep->model->width() : 0;
}
int64_t quern_model_max_length(const quern_model* model) {
  return model ? static_cast<int64_t>(model->rep->max_length) : 0;
}

unsigned quern_model_outputs(const quern_model* model) {
  if (!model) return 0;
  const quern::Pipeline& p = model->rep->pipeline;
  unsigned outputs = 0;
  if (!p.modules.empty()) outputs |= QUERN_DENSE;
  if (p.sparse) outputs |= QUERN_SPARSE;
  if (p.multi_vector) outputs |= QUERN_MULTI_VECTOR;
  if (generates(*model->rep)) outputs |= QUERN_TEXT;
  if (p.classifier) outputs |= p.classifier->per_token ? QUERN_TOKEN_LABELS : QUERN_LABELS;
  return outputs;
}
int64_t quern_model_labels(const quern_model* model) {
  if (!model) return 0;
  const auto& classifier = model->rep->pipeline.classifier;
  return classifier ? static_cast<int64_t>(classifier->labels.size()) : 0;
}
const char* quern_model_label(const quern_model* model, int64_t label) {
  if (label < 0 || label >= quern_model_labels(model)) return nullptr;
  return model->rep->pipeline.classifier->labels[static_cast<size_t>(label)].c_str();
}
int quern_model_matryoshka(const quern_model* model) {
  return model && model->rep->matryoshka ? 1 : 0;
}

quern_status quern_model_fingerprint(const quern_model* model, char** fingerprint) {
  return guard([&] {
    require(model && fingerprint, "quern_model_fingerprint: model and fingerprint must not be NULL");
    *fingerprint = copy_string(quern::fingerprint_of(*model->rep));
  });
}

quern_status quern_model_describe(const quern_model* model, char** json) {
  return guard([&] {
    require(model && json, "quern_model_describe: model and json must not be NULL");
    *json = copy_string(quern::describe_model(*model->rep));
  });
}

quern_status quern_model_self_test(const quern_model* model, char** json) {
  return guard([&] {
    require(model && json, "quern_model_self_test: model and json must not be NULL");
    *json = copy_string(quern::run_self_test(*model->rep));
  });
}

quern_tokenize_options quern_tokenize_options_default(void) {
  return {.size = sizeof(quern_tokenize_options), .add_special = 1, .max_length = 0};
}

// Cut as texts are that are embedded.
static quern::EncodeOptions encode_options(const quern_model* model, const quern_tokenize_options& o) {
  require(o.max_length >= -1, "max_length must not be below -1");
  quern::EncodeOptions encode{.add_special = o.add_special != 0};
  if (o.max_length >= 0)
    encode.max_length = o.max_length == 0 ? model->rep->max_length : static_cast<size_t>(o.max_length);
  encode.truncate_left = model->rep->tokenizer->cuts_left();
  return encode;
}

// This thread's, whose memory serves again. Not within an exported function: Windows exports no thread's variables.
static quern::Encoding& own_encoding() {
  thread_local quern::Encoding encoding;
  return encoding;
}

quern_status quern_tokenize(const quern_model* model, const char* text, size_t length,
                            const quern_tokenize_options* options, int32_t* ids, size_t capacity, size_t* n_ids) {
  return guard([&] {
    require(model && (text || length == 0) && n_ids && (ids || capacity == 0),
            "quern_tokenize: model, text, ids and n_ids must not be NULL");
    const quern_tokenize_options o = merged(options, quern_tokenize_options_default());
    quern::Encoding& encoding = own_encoding();
    model->rep->tokenizer->encode({text, length}, encode_options(model, o), encoding);
    *n_ids = encoding.ids.size();
    require(encoding.ids.size() <= capacity, "quern_tokenize: there are more ids than `capacity`");
    if (!encoding.ids.empty()) std::memcpy(ids, encoding.ids.data(), encoding.ids.size() * sizeof(int32_t));
  });
}

quern_status quern_tokenize_parts(const quern_model* model, const char* text, size_t length,
                                  const quern_tokenize_options* options, quern_tokens** tokens) {
  return guard([&] {
    require(model && (text || length == 0) && tokens, "quern_tokenize_parts: model, text and tokens must not be NULL");
    *tokens = nullptr;
    const quern_tokenize_options o = merged(options, quern_tokenize_options_default());
    quern::Encoding e;
    quern::EncodeOptions encode = encode_options(model, o);
    encode.want_offsets = true;
    model->rep->tokenizer->encode({text, length}, encode, e);
    auto made = std::make_unique<quern_tokens>();
    for (const int32_t id : e.ids) made->pieces.emplace_back(model->rep->tokenizer->piece(id));
    for (size_t i = 0; i < e.ids.size(); ++i)
      made->all.push_back(
          {e.ids[i], e.special_mask[i] != 0, e.offsets[i].begin, e.offsets[i].end, made->pieces[i].c_str()});
    *tokens = made.release();
  });
}
void quern_tokens_free(quern_tokens* tokens) {
  delete tokens;
}
const quern_token* quern_tokens_of(const quern_tokens* tokens, size_t* count) {
  if (count) *count = tokens ? tokens->all.size() : 0;
  return tokens ? tokens->all.data() : nullptr;
}

quern_detokenize_options quern_detokenize_options_default(void) {
  return {.size = sizeof(quern_detokenize_options), .skip_special = 1};
}

quern_status quern_detokenize(const quern_model* model, const int32_t* ids, size_t n,
                              const quern_detokenize_options* options, char** text, size_t* length) {
  return guard([&] {
    require(model && (ids || n == 0) && text && length,
            "quern_detokenize: model, ids, text and length must not be NULL");
    const quern_detokenize_options o = merged(options, quern_detokenize_options_default());
    const std::string all = model->rep->tokenizer->decode({ids, n}, o.skip_special != 0);
    *text = copy_string(all);
    *length = all.size();
  });
}

quern_status quern_detokenizer_new(const quern_model* model, const quern_detokenize_options* options,
                                   quern_detokenizer** detokenizer) {
  return guard([&] {
    require(model && detokenizer, "quern_detokenizer_new: model and detokenizer must not be NULL");
    *detokenizer = nullptr;
    const quern_detokenize_options o = merged(options, quern_detokenize_options_default());
    *detokenizer = new quern_detokenizer{model->rep, {*model->rep->tokenizer, o.skip_special != 0}, {}};
  });
}

void quern_detokenizer_free(quern_detokenizer* detokenizer) {
  delete detokenizer;
}

quern_status quern_detokenizer_push(quern_detokenizer* detokenizer, const int32_t* ids, size_t n, const char** text,
                                    size_t* length) {
  return guard([&] {
    require(detokenizer && (ids || n == 0) && text && length,
            "quern_detokenizer_push: detokenizer, ids, text and length must not be NULL");
    detokenizer->text.clear();
    for (size_t i = 0; i < n; ++i) detokenizer->rep.push(ids[i], detokenizer->text);
    *text = detokenizer->text.c_str();
    *length = detokenizer->text.size();
  });
}

quern_status quern_detokenizer_flush(quern_detokenizer* detokenizer, const char** text, size_t* length) {
  return guard([&] {
    require(detokenizer && text && length, "quern_detokenizer_flush: detokenizer, text and length must not be NULL");
    detokenizer->text.clear();
    detokenizer->rep.flush(detokenizer->text);
    *text = detokenizer->text.c_str();
    *length = detokenizer->text.size();
  });
}

quern_status quern_model_macs(const quern_model* model, int64_t n_tokens, double* products, double* attention) {
  return guard([&] {
    require(model && n_tokens >= 0, "quern_model_macs: model must not be NULL, n_tokens not negative");
    const quern::Macs macs = quern::text_macs(*model->rep, n_tokens);
    if (products) *products = macs.products;
    if (attention) *attention = macs.attention;
  });
}

quern_status quern_session_limit(quern_session* session, double seconds, double* macs_per_second) {
  return guard([&] {
    require(session && macs_per_second && seconds >= 0 && seconds <= 60,
            "quern_session_limit: session and macs_per_second must not be NULL, seconds 0 to 60");
    *macs_per_second = session->rep->int8_limit(seconds);
  });
}

const char* quern_written_type(size_t i) {
  const auto types = quern::written_types();
  return i < types.size() ? types[i].name : nullptr;
}

const char* quern_pooling_mode(size_t i) {
  const auto modes = quern::pooling_modes();
  return i < modes.size() ? modes[i].option : nullptr;
}

quern_convert_options quern_convert_options_default(void) {
  return {.size = sizeof(quern_convert_options),
          .type = nullptr,
          .calibration = nullptr,
          .n_threads = 0,
          .self_test = nullptr,
          .progress = nullptr,
          .user = nullptr,
          .adapters = nullptr,
          .adapter_weights = nullptr,
          .n_adapters = 0,
          .note = nullptr};
}

quern_status quern_convert(const char* folder, const char* output, const quern_convert_options* options) {
  return guard([&] {
    require(folder && output, "quern_convert: folder and output must not be NULL");
    const quern_convert_options o = merged(options, quern_convert_options_default());
    require(o.n_threads >= 0 && o.n_threads <= 1024, "n_threads: expected 0 (all that are usable) to 1024");
    quern::ConvertOptions c;
    if (o.type) c.type = o.type;
    if (o.calibration) c.calibration = o.calibration;
    if (o.self_test) c.self_test = o.self_test;
    c.threads = o.n_threads;
    require(o.n_adapters <= 1024 && (o.adapters || o.n_adapters == 0),
            "adapters: expected at most 1024 folders, and none where it is NULL");
    for (size_t i = 0; i < o.n_adapters; ++i) {
      require(o.adapters[i], "adapters: a folder must not be NULL");
      c.adapters.push_back({o.adapters[i], o.adapter_weights ? o.adapter_weights[i] : 1.0f});
    }
    if (o.note) c.note = [&](const std::string& text) { o.note(o.user, text.c_str()); };
    if (o.progress)
      c.progress = [&](double done, double total, const char* what) {
        return o.progress(o.user, done, total, what) == 0;
      };
    quern::convert(folder, output, c);
  });
}
