// What the architectures ask of config.json and of the tensors, and what is said of files that do not fit. Every
// folder is a fixture of tests/golden/models with one thing changed.
#include <catch2/catch.hpp>

#include "../golden/tiny_bert.h"
#include "hub/hf_folder.h"

namespace quern::test {
namespace {

using Catch::Contains;
using nlohmann::json;

struct Required {
  const char* fixture;
  std::vector<const char*> keys;
};
const Required kRequired[] = {
    {"bert",
     {"max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads"}},
    {"roberta",
     {"max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads"}},
    {"xlm-roberta",
     {"max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads"}},
    {"distilbert", {"max_position_embeddings", "dim", "n_layers", "hidden_dim", "n_heads"}},
    {"mpnet",
     {"vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size",
      "num_attention_heads"}},
    {"nomic_bert",
     {"max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads"}},
    {"gte",
     {"vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size",
      "num_attention_heads"}},
    {"modernbert",
     {"vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size",
      "num_attention_heads", "local_attention"}},
    {"deberta",
     {"vocab_size", "max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size",
      "num_attention_heads"}},
    {"t5", {"vocab_size", "d_model", "num_layers", "d_ff", "num_heads", "d_kv"}},
};

// A fixture in a scratch folder, its config.json to be changed.
struct Copy {
  explicit Copy(const std::string& fixture) {
    namespace fs = std::filesystem;
    const std::string from = QUERN_TEST_DIR "/golden/models/" + fixture;
    fs::copy(from, folder.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    config = json::parse(read_text_file(folder.file("config.json"), 1 << 20));
  }
  Error error() const {
    folder.write("config.json", config.dump());
    return error_of([&] { load_model(folder.path()); });
  }
  ScratchFolder folder;
  json config;
};

// How a key is called in messages: the checkpoints' own name of it comes first.
std::string shown(const std::string& fixture, const std::string& key, bool missing) {
  if (fixture != "nomic_bert" || !missing) return key;
  static const std::map<std::string, std::string> own = {{"max_position_embeddings", "n_positions"},
                                                         {"hidden_size", "n_embd"},
                                                         {"num_hidden_layers", "n_layer"},
                                                         {"intermediate_size", "n_inner"},
                                                         {"num_attention_heads", "n_head"}};
  return own.at(key);
}

std::vector<HfTensor> tensors_of(const std::string& folder) {
  const Safetensors file = Safetensors::open_folder(folder);
  std::vector<HfTensor> all;
  for (const StTensor& t : file.tensors())
    all.push_back({t.name, t.dtype, t.shape, {reinterpret_cast<const char*>(t.data.data()), t.data.size()}});
  return all;
}

}  // namespace

TEST_CASE("config.json: each required key missing, of another type, out of range", "[hostile]") {
  for (const Required& r : kRequired) {
    Copy copy(r.fixture);
    REQUIRE(copy.error().status == Status::ok);
    const json whole = copy.config;
    for (const std::string key : r.keys) {
      copy.config = whole;
      copy.config.erase(key);
      INFO(r.fixture << ": " << key);
      const Error missing = copy.error();
      CHECK(missing.status == Status::bad_file);
      CHECK_THAT(missing.message,
                 Contains("config.json") && Contains(shown(r.fixture, key, true)) && Contains("missing"));
      for (const json& value : {json("32"), json(32.5), json(true), json::array({32}), json::object(), json(-1),
                                json(0), json(int64_t{1} << 40), json(INT64_MIN), json(UINT64_MAX), json(1e300)}) {
        copy.config[key] = value;
        const Error e = copy.error();
        INFO(value.dump() << ": " << e.message);
        CHECK(e.status == Status::bad_file);
        CHECK_THAT(e.message, Contains("config.json") && Contains(key));
      }
    }
  }
}

TEST_CASE("config.json: sizes that the tensors contradict") {
  for (const Required& r : kRequired) {
    for (const std::string key : r.keys) {
      if (key == "max_position_embeddings" || key == "local_attention") continue;
      Copy copy(r.fixture);
      copy.config[key] = copy.config[key].get<int>() * 2;
      const Error e = copy.error();
      INFO(r.fixture << ": " << key << " doubled: " << e.message);
      // More heads of half the width have the same tensors, but for T5, which states both, and MPNet's bias.
      const bool heads = key.find("heads") != std::string::npos;
      if (heads && std::string(r.fixture) != "t5" && std::string(r.fixture) != "mpnet") {
        CHECK(e.status == Status::ok);
        continue;
      }
      CHECK(e.status == Status::bad_file);
      CHECK_THAT(e.message, Contains("model.safetensors"));
    }
  }
}

TEST_CASE("config.json: what contradicts itself or is not what quern runs") {
  struct Case {
    const char* fixture;
    const char* pointer;
    json value;
    Status status;
    const char* says;
  };
  const std::vector<Case> cases = {
      {"bert", "/num_attention_heads", 3, Status::bad_file, "attention heads"},
      {"bert", "/hidden_act", "mish", Status::unsupported, "gelu_new"},
      {"bert", "/hidden_act", 7, Status::bad_file, "hidden_act"},
      {"bert", "/layer_norm_eps", "small", Status::bad_file, "layer_norm_eps"},
      {"bert", "/layer_norm_eps", -1e-5, Status::bad_file, "layer_norm_eps"},
      {"bert", "/layer_norm_eps", 2, Status::bad_file, "layer_norm_eps"},
      {"bert", "/position_embedding_type", "relative_key", Status::unsupported, "position_embedding_type"},
      {"bert", "/is_decoder", true, Status::unsupported, "is_decoder"},
      {"bert", "/type_vocab_size", 3, Status::bad_file, "token_type_embeddings"},
      {"bert", "/type_vocab_size", -1, Status::bad_file, "type_vocab_size"},
      {"bert", "/model_type", "mamba", Status::unsupported, "mamba"},
      {"bert", "/model_type", 7, Status::bad_file, "model_type"},
      {"roberta", "/pad_token_id", 65, Status::bad_file, "position_embeddings"},
      {"roberta", "/pad_token_id", 66, Status::bad_file, "position_embeddings"},
      {"roberta", "/pad_token_id", 1000, Status::bad_file, "position_embeddings"},
      {"roberta", "/pad_token_id", -1, Status::bad_file, "pad_token_id"},
      {"roberta", "/pad_token_id", "one", Status::bad_file, "pad_token_id"},
      {"distilbert", "/n_heads", 5, Status::bad_file, "attention heads"},
      {"distilbert", "/activation", "swish7", Status::unsupported, "activation"},
      {"mpnet", "/relative_attention_num_buckets", 64, Status::unsupported, "relative_attention_num_buckets"},
      {"mpnet", "/num_attention_heads", 3, Status::bad_file, "attention heads"},
      {"nomic_bert", "/prenorm", true, Status::unsupported, "prenorm"},
      {"nomic_bert", "/rotary_emb_fraction", 0.5, Status::unsupported, "rotary_emb_fraction"},
      {"nomic_bert", "/rotary_emb_interleaved", true, Status::unsupported, "rotary_emb_interleaved"},
      {"nomic_bert", "/rotary_scaling_factor", 2.0, Status::unsupported, "rotary_scaling_factor"},
      {"nomic_bert", "/activation_function", "geglu", Status::unsupported, "activation_function"},
      {"nomic_bert", "/hidden_act", "gelu", Status::unsupported, "hidden_act"},
      {"nomic_bert", "/moe_every_n_layers", 2, Status::unsupported, "moe_every_n_layers"},
      {"nomic_bert", "/qkv_proj_bias", true, Status::unsupported, "qkv_proj_bias"},
      {"nomic_bert", "/num_attention_heads", 32, Status::bad_file, "even"},
      {"nomic_bert", "/rope_parameters/rope_theta", 0, Status::bad_file, "rope_theta"},
      {"nomic_bert", "/rope_parameters/rope_type", "yarn", Status::unsupported, "rope_type"},
      {"gte", "/rope_scaling", {{"type", "yarn"}, {"factor", 2.0}}, Status::unsupported, "rope_scaling"},
      {"gte", "/rope_scaling", {{"rope_type", "yarn"}, {"factor", 2.0}}, Status::unsupported, "rope_scaling"},
      {"gte", "/rope_scaling", {{"type", "ntk"}, {"factor", "2"}}, Status::bad_file, "rope_scaling.factor"},
      {"gte", "/rope_scaling", {{"type", "ntk"}, {"factor", 0.5}}, Status::bad_file, "rope_scaling.factor"},
      {"gte", "/layer_norm_type", "rms_norm", Status::unsupported, "layer_norm_type"},
      {"gte", "/position_embedding_type", "absolute", Status::unsupported, "position_embedding_type"},
      {"gte", "/logn_attention_scale", true, Status::unsupported, "logn_attention_scale"},
      {"gte", "/num_attention_heads", 32, Status::bad_file, "even"},
      {"modernbert", "/layer_types", json::array(), Status::bad_file, "layer_types"},
      {"modernbert", "/layer_types", "full_attention", Status::bad_file, "layer_types"},
      {"modernbert",
       "/layer_types",
       {"full_attention", "full_attention", "sliding_attention", "full_attention"},
       Status::unsupported,
       "layer_types"},
      {"modernbert", "/layer_types", {"sliding_attention", "full_attention"}, Status::unsupported, "layer_types"},
      {"modernbert", "/layer_types", json(std::vector<int>(1025)), Status::bad_file, "layer_types"},
      {"modernbert", "/global_attn_every_n_layers", 0, Status::bad_file, "global_attn_every_n_layers"},
      {"modernbert", "/local_attention", 1, Status::bad_file, "local_attention"},
      {"modernbert", "/norm_bias", true, Status::unsupported, "norm_bias"},
      {"modernbert", "/attention_bias", true, Status::unsupported, "attention_bias"},
      {"modernbert", "/rope_parameters/full_attention/rope_type", "linear", Status::unsupported, "rope_type"},
      {"deberta", "/position_buckets", 2, Status::bad_file, "position_buckets"},
      {"deberta", "/max_relative_positions", 5, Status::bad_file, "position_buckets"},
      {"deberta", "/position_buckets", 16, Status::bad_file, "rel_embeddings"},
      {"deberta", "/relative_attention", false, Status::unsupported, "relative_attention"},
      {"deberta", "/pos_att_type", {"c2p"}, Status::unsupported, "pos_att_type"},
      {"deberta", "/share_att_key", false, Status::unsupported, "share_att_key"},
      {"deberta", "/norm_rel_ebd", "none", Status::unsupported, "norm_rel_ebd"},
      {"deberta", "/position_biased_input", true, Status::unsupported, "position_biased_input"},
      {"deberta", "/conv_kernel_size", 3, Status::unsupported, "conv_kernel_size"},
      {"t5", "/feed_forward_proj", "gated-silu", Status::unsupported, "feed_forward_proj"},
      {"t5", "/feed_forward_proj", "relu", Status::bad_file, "DenseReluDense.wi.weight"},
      {"t5", "/relative_attention_max_distance", 2, Status::bad_file, "relative_attention_max_distance"},
      {"t5", "/relative_attention_num_buckets", 2, Status::bad_file, "relative_attention_num_buckets"},
      {"t5", "/relative_attention_num_buckets", 16, Status::bad_file, "relative_attention_bias"},
      {"t5", "/num_heads", 3, Status::bad_file, "relative_attention_bias"},
  };
  for (const Case& c : cases) {
    Copy copy(c.fixture);
    copy.config[json::json_pointer(c.pointer)] = c.value;
    const Error e = copy.error();
    INFO(c.fixture << " " << c.pointer << " = " << c.value.dump() << ": " << e.message);
    CHECK(e.status == c.status);
    CHECK_THAT(e.message, Contains(c.says) && (Contains("config.json") || Contains("model.safetensors")));
  }
}

TEST_CASE("tensors: each one missing, of another shape, of another dtype", "[slow]") {
  for (const Required& r : kRequired) {
    Copy copy(r.fixture);
    const std::vector<HfTensor> whole = tensors_of(copy.folder.path());
    size_t needed = 0;
    const auto check = [&](std::vector<HfTensor> tensors, const std::string& name, const char* what) {
      copy.folder.write("model.safetensors", safetensors_bytes(tensors));
      const Error e = copy.error();
      if (e.status == Status::ok) return false;  // a head's, which is not asked for
      INFO(r.fixture << ": " << name << " " << what << ": " << e.message);
      CHECK((e.status == Status::bad_file || e.status == Status::unsupported));
      // Without the first tensor the prefix of all names is not known.
      CHECK_THAT(e.message, Contains("model.safetensors") &&
                                (Contains(name) || Contains("'" + name.substr(name.find('.') + 1) + "'")));
      return true;
    };
    for (size_t i = 0; i < whole.size(); ++i) {
      std::vector<HfTensor> changed = whole;
      changed.erase(changed.begin() + static_cast<ptrdiff_t>(i));
      const bool asked = check(changed, whole[i].name, "missing");
      needed += asked;
      changed = whole;
      changed[i].data += changed[i].data;
      changed[i].shape.back() *= 2;
      CHECK(check(changed, whole[i].name, "twice as wide") == asked);
      changed = whole;
      changed[i].dtype = "I16";
      CHECK(check(changed, whole[i].name, "of integers") == asked);
    }
    INFO(r.fixture);
    CHECK(needed > 12);
  }
}

namespace {

// A folder's classifier as its config.json has it; weights play no part.
ClassifierConfig classifier_of(const json& more, const char* architecture = "BertForSequenceClassification") {
  json config = {{"model_type", "bert"}, {"max_position_embeddings", 64}, {"architectures", {architecture}}};
  config.update(more);
  const HfFolder folder = HfFolder::read("dir", [&](const std::string& path, size_t) -> std::optional<std::string> {
    if (path == "config.json") return config.dump();
    if (path == "tokenizer.json") return R"({"version":"1.0","truncation":null,"model":{}})";
    return std::nullopt;
  });
  REQUIRE(folder.pipeline.classifier);
  return *folder.pipeline.classifier;
}

json named(std::vector<std::string> labels) {
  json map = json::object();
  for (size_t i = 0; i < labels.size(); ++i) map[std::to_string(i)] = labels[i];
  return map;
}

}  // namespace

TEST_CASE("id2label: names by their number") {
  using Labels = std::vector<std::string>;
  Labels many;
  for (int i = 0; i < 12; ++i) many.push_back("name " + std::to_string(i));
  CHECK(classifier_of({{"id2label", named(many)}}).labels == many);  // "10" sorts before "2"
  CHECK(classifier_of({{"num_labels", 3}}).labels == Labels{"LABEL_0", "LABEL_1", "LABEL_2"});
  CHECK(classifier_of(json::object()).labels == Labels{"LABEL_0", "LABEL_1"});
  for (const json& wrong :
       {json::object(), json::array({"a"}), json("a"), json{{"0", "a"}, {"2", "c"}}, json{{"1", "a"}},
        json{{"0", "a"}, {"01", "b"}}, json{{"0", 7}}, json{{"0", nullptr}}, json{{"-1", "a"}}, json{{"", "a"}}}) {
    const Error e = error_of([&] { classifier_of({{"id2label", wrong}}); });
    INFO(wrong.dump() << ": " << e.message);
    CHECK(e.status == Status::bad_file);
    CHECK_THAT(e.message, Contains("config.json") && Contains("id2label"));
  }
  for (const json& wrong : {json(0), json(-1), json("2"), json(uint64_t{1} << 40)})
    CHECK_THAT(error_of([&] { classifier_of({{"num_labels", wrong}}); }).message, Contains("num_labels"));
  Copy copy("bert");  // more labels than the classifier has rows
  copy.config["architectures"] = {"BertForSequenceClassification"};
  copy.config["id2label"] = named({"a", "b", "c", "d"});
  CHECK_THAT(copy.error().message, Contains("classifier.weight") && Contains("[4, 32]") && Contains("[3, 32]"));
}

TEST_CASE("activation of scores: what config.json states, else by the number of labels") {
  const json one = {{"id2label", named({"a"})}}, three = {{"id2label", named({"a", "b", "c"})}};
  const auto activation = [](json config, const json& more, const char* architecture = "XForSequenceClassification") {
    config.update(more);
    return classifier_of(config, architecture).activation;
  };
  const json none = json::object();
  CHECK(activation(one, none) == "sigmoid");
  CHECK(activation(three, none) == "softmax");
  CHECK(activation(three, {{"problem_type", "single_label_classification"}}) == "softmax");
  CHECK(activation(three, {{"problem_type", "multi_label_classification"}}) == "sigmoid");
  CHECK(activation(three, {{"problem_type", "regression"}}) == "none");
  CHECK(activation(three, {{"problem_type", nullptr}}) == "softmax");
  CHECK(activation(three, {{"problem_type", "multi_label_classification"}}, "XForTokenClassification") == "softmax");
  const auto stated = [](const char* value) { return json{{"sentence_transformers", {{"activation_fn", value}}}}; };
  CHECK(activation(one, stated("torch.nn.modules.linear.Identity")) == "none");
  CHECK(activation(one, stated("torch.nn.modules.activation.Sigmoid")) == "sigmoid");
  CHECK(activation(three, stated("torch.nn.modules.linear.Identity")) == "none");
  CHECK(activation(one, {{"sbert_ce_default_activation_function", "torch.nn.modules.linear.Identity"}}) == "none");
  json both = stated("torch.nn.modules.activation.Sigmoid");
  both["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity";
  CHECK(activation(one, both) == "sigmoid");
  for (const char* other : {"torch.nn.modules.activation.Tanh", "os.system", "Sigmoid.", "."}) {
    const Error e = error_of([&] { activation(one, stated(other)); });
    INFO(other << ": " << e.message);
    CHECK(e.status == Status::unsupported);
    CHECK_THAT(e.message, Contains("config.json") && Contains(other));
  }
  CHECK(error_of([&] { activation(one, {{"problem_type", 7}}); }).status == Status::bad_file);
}

}  // namespace quern::test
