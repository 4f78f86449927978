// Model folders: one that sentence-transformers saved, and small ones made up to break each rule.
#include <catch2/catch.hpp>
#include <map>

#include "format_bytes.h"
#include "hub/hf_folder.h"

using namespace quern;
using namespace quern::test;

namespace {

using Files = std::map<std::string, std::string>;

HfFolder read_folder(const Files& files, const std::string& dir = "dir") {
  return HfFolder::read(dir, [&](const std::string& path, size_t) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}

Error folder_error(const Files& files) {
  return error_of([&] { read_folder(files); });
}

const std::string transformer = R"({"idx":0,"path":"","type":"sentence_transformers.models.Transformer"})";
const std::string pooling = R"({"idx":1,"path":"1_Pooling","type":"sentence_transformers.models.Pooling"})";
const std::string normalize_module =
    R"({"idx":2,"path":"2_Normalize","type":"sentence_transformers.models.Normalize"})";

std::string module_list(const std::string& more) {
  return "[" + transformer + (more.empty() ? "" : ",") + more + "]";
}

Files minimal() {
  return {{"config.json", R"({"model_type":"bert","max_position_embeddings":512})"},
          {"tokenizer.json", R"({"version":"1.0","truncation":null,"model":{}})"},
          {"1_Pooling/config.json", R"({"pooling_mode_cls_token":true})"}};
}

Files with(Files files, const std::string& path, const std::string& text) {
  files[path] = text;
  return files;
}

Decision decision(const HfFolder& folder, const std::string& what) {
  for (const Decision& d : folder.decisions) {
    if (d.what == what) return d;
  }
  return {};
}

std::vector<std::string> modes_of(const std::string& config) {
  Files files = with(minimal(), "modules.json", module_list(pooling));
  files["1_Pooling/config.json"] = config;
  return read_folder(files).pipeline.modules.at(0).pooling.modes;
}

Status dense_status(const std::string& config) {
  const std::string dense = R"({"idx":2,"path":"2_Dense","type":"sentence_transformers.models.Dense"})";
  Files files = with(minimal(), "modules.json", module_list(pooling + "," + dense));
  files["2_Dense/config.json"] = config;
  return folder_error(files).status;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("hub: a folder that sentence-transformers saved") {
  const HfFolder f = HfFolder::open(QUERN_TEST_DIR "/golden/formats/sentence");
  CHECK(f.model_type == "bert");
  CHECK(f.architectures == Names{"BertModel"});
  CHECK(f.transformer_folder.empty());
  CHECK(f.weights_dir() == f.dir);
  REQUIRE(f.pipeline.modules.size() == 3);
  CHECK(f.pipeline.modules[0].pooling.modes == Names{"cls", "mean"});
  CHECK_FALSE(f.pipeline.modules[0].pooling.include_prompt);
  const Pipeline::Module& dense = f.pipeline.modules[1];
  CHECK(dense.type == "Dense");
  CHECK(dense.folder == "2_Dense");
  CHECK(dense.dense == DenseConfig{16, 4, false, "identity"});
  CHECK(f.pipeline.modules[2].type == "Normalize");
  CHECK(f.max_length == 16);
  CHECK(decision(f, "max_length").source == "tokenizer_config.json: model_max_length");
  CHECK(f.prompts == std::map<std::string, std::string>{{"document", ""}, {"query", "query: "}});
  CHECK(f.default_prompt == "query");
  CHECK(f.similarity == "dot");
  CHECK(f.tokenizer_json.find("WordLevel") != std::string::npos);
  CHECK(pipeline_from_json(to_json(f.pipeline), "x") == f.pipeline);
  CHECK(prompts_from_json(prompts_to_json(f.prompts), "x") == f.prompts);
}

TEST_CASE("hub: a folder without modules.json is pooled by mean, and says so") {
  const HfFolder f = read_folder(minimal());
  REQUIRE(f.pipeline.modules.size() == 1);
  CHECK(f.pipeline.modules[0].pooling.modes == Names{"mean"});
  CHECK(decision(f, "pooling").source.find("no modules.json") != std::string::npos);
  CHECK(decision(f, "normalize").value == "false");
  CHECK(f.similarity == "cosine");
}

TEST_CASE("hub: missing files are named") {
  Files files = minimal();
  files.erase("tokenizer.json");
  const Error tokenizer = folder_error(files);
  CHECK(tokenizer.status == Status::not_found);
  CHECK(tokenizer.message.find("dir: tokenizer.json is missing; a model folder holds") == 0);
  files["vocab.txt"] = "x";
  const Error unfit = folder_error(files);
  CHECK(unfit.status == Status::bad_file);
  CHECK(unfit.message.find("vocab.txt: has no token \"[UNK]\"") != std::string::npos);
  files.erase("config.json");
  CHECK(folder_error(files).message.find("dir: config.json is missing") == 0);
  CHECK(error_of([] { HfFolder::open("/none"); }).status == Status::not_found);
  CHECK(error_of([] { HfFolder::open("/dev/null"); }).status != Status::ok);
}

TEST_CASE("hub: both spellings of the pooling config") {
  CHECK(modes_of(R"({"pooling_mode_cls_token":false,"pooling_mode_mean_tokens":true})") == Names{"mean"});
  CHECK(modes_of(R"({"pooling_mode_lasttoken":true,"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true,
                     "pooling_mode_weightedmean_tokens":true,"pooling_mode_max_tokens":true,
                     "pooling_mode_mean_sqrt_len_tokens":true})") ==
        Names{"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"});
  CHECK(modes_of("{}") == Names{"mean"});
  CHECK(modes_of(R"({"pooling_mode":"lasttoken","pooling_mode_cls_token":true})") == Names{"lasttoken"});
  CHECK(modes_of(R"({"pooling_mode":["mean","cls"]})") == Names{"mean", "cls"});
  for (const char* bad : {R"({"pooling_mode":7})", R"({"pooling_mode":[7]})", R"({"pooling_mode":[]})",
                          R"({"pooling_mode":"median"})", R"({"pooling_mode":["cls","cls"]})", "[]", "null", "{",
                          R"({"pooling_mode_cls_token":1})", R"({"include_prompt":"no"})"}) {
    CAPTURE(bad);
    CHECK(error_of([&] { modes_of(bad); }).status != Status::ok);
  }
}

TEST_CASE("hub: modules that are refused") {
  const auto failure = [](const std::string& list) { return folder_error(with(minimal(), "modules.json", list)); };
  CHECK(failure(module_list(pooling + "," + normalize_module)).status == Status::ok);
  const Error remote = failure(module_list(R"({"idx":1,"path":"","type":"custom_st.Transformer"})"));
  CHECK(remote.status == Status::unsupported);
  CHECK(remote.message.find("'custom_st.Transformer' is code that comes with the model") != std::string::npos);
  CHECK(failure(module_list(R"({"path":"","type":"sentence_transformers.models.LSTM"})")).status ==
        Status::unsupported);
  CHECK(failure("[" + pooling + "]").status == Status::unsupported);
  CHECK(failure(module_list(normalize_module)).status == Status::unsupported);
  CHECK(failure(module_list(pooling + "," + pooling)).status == Status::unsupported);
  for (const char* path : {"../1_Pooling", "/etc", "a/../b", "..", "a\\\\b", "c:x"}) {
    const std::string entry = R"({"idx":1,"type":"sentence_transformers.models.Pooling","path":")";
    CHECK(failure(module_list(entry + path + "\"}")).message.find("does not stay inside") != std::string::npos);
  }
  const std::string missing = R"({"idx":1,"path":"9","type":"sentence_transformers.models.Pooling"})";
  CHECK(failure(module_list(missing)).message == "dir: 9/config.json is missing, modules.json needs it");
  for (const char* list : {"{}", "[]", "[1]", "null", "[{}]", "[{\"type\":7}]", "[{\"type\":\"\"}]"}) {
    CAPTURE(list);
    CHECK(failure(list).status != Status::ok);
  }
}

TEST_CASE("hub: modules come in the order of idx, and the transformer may have its own folder") {
  const std::string list = "[" + normalize_module + "," + pooling +
                           R"(,{"idx":0,"path":"0_Transformer","type":"sentence_transformers.models.Transformer"}])";
  Files files = {{"modules.json", list},
                 {"0_Transformer/config.json", R"({"model_type":"distilbert"})"},
                 {"0_Transformer/tokenizer.json", "{}"},
                 {"0_Transformer/sentence_distilbert_config.json", R"({"max_seq_length":100,"do_lower_case":true})"},
                 {"1_Pooling/config.json", "{}"}};
  const HfFolder f = read_folder(files);
  CHECK(f.model_type == "distilbert");
  CHECK(f.weights_dir() == "dir/0_Transformer");
  CHECK(f.max_length == 100);
  CHECK(f.do_lower_case);
  CHECK(f.pipeline.modules[0].type == "Pooling");
  CHECK(f.pipeline.modules[1].type == "Normalize");
}

TEST_CASE("hub: dense configs") {
  CHECK(dense_status(R"({"in_features":8,"out_features":4})") == Status::ok);
  CHECK(dense_status(R"({"in_features":8,"out_features":4,"use_residual":true})") == Status::ok);
  CHECK(dense_status(R"({"in_features":8,"out_features":4,"activation_function":null})") == Status::ok);
  CHECK(
      dense_status(R"({"in_features":8,"out_features":4,"activation_function":"torch.nn.modules.activation.GELU"})") ==
      Status::ok);
  for (const char* more : {R"("activation_function":"evil.Tanh")", R"("activation_function":"torch.nn.Bilinear")",
                           R"("module_input_name":"token_embeddings")"}) {
    CAPTURE(more);
    CHECK(dense_status(std::string(R"({"in_features":8,"out_features":4,)") + more + "}") == Status::unsupported);
  }
  for (const char* bad : {"{}", R"({"in_features":0,"out_features":4})", R"({"in_features":-1,"out_features":4})",
                          R"({"in_features":8,"out_features":16777217})", R"({"in_features":8.5,"out_features":4})",
                          R"({"in_features":18446744073709551615,"out_features":4})"}) {
    CAPTURE(bad);
    CHECK(dense_status(bad) == Status::bad_file);
  }
}

TEST_CASE("hub: the maximum length and its source") {
  const auto folder = [](const std::string& config, const std::string& sentence, const std::string& tokenizer) {
    Files files = with(minimal(), "config.json", config);
    if (!sentence.empty()) files["sentence_bert_config.json"] = sentence;
    if (!tokenizer.empty()) files["tokenizer_config.json"] = tokenizer;
    files["tokenizer.json"] = R"({"version":"1.0","truncation":{"direction":"Right","max_length":128},"model":[)";
    return read_folder(files);
  };
  const std::string bert = R"({"model_type":"bert","max_position_embeddings":512})";
  const HfFolder f = folder(bert, R"({"max_seq_length":256})", R"({"model_max_length":512})");
  CHECK(f.max_length == 256);
  CHECK(decision(f, "max_length").source == "sentence_bert_config.json: max_seq_length (tokenizer.json says 128)");
  CHECK(folder(bert, "", R"({"model_max_length":128})").max_length == 128);
  CHECK(folder(bert, R"({"max_seq_length":null})", R"({"model_max_length":1000000000000000019884624838656})")
            .max_length == 512);
  CHECK(folder(bert, "", "").max_length == 512);
  CHECK(folder(bert, R"({"max_seq_length":600})", "").max_length == 512);
  const std::string xlmr = R"({"model_type":"xlm-roberta","max_position_embeddings":514,"pad_token_id":1})";
  CHECK(folder(xlmr, "", R"({"model_max_length":8192})").max_length == 512);
  CHECK(folder(xlmr, R"({"max_seq_length":514})", "").max_length == 512);
  const std::string rope = R"({"model_type":"nomic_bert","n_positions":2048})";
  CHECK(folder(rope, R"({"max_seq_length":8192})", "").max_length == 8192);
  CHECK(folder(rope, "", "").max_length == 2048);
  CHECK(folder(R"({"model_type":"x"})", "", "").max_length == 0);
  for (const char* bad : {"0", "-5", "1.5", "\"256\"", "true", "[]"}) {
    CAPTURE(bad);
    CHECK(error_of([&] { folder(bert, std::string(R"({"max_seq_length":)") + bad + "}", ""); }).status ==
          Status::bad_file);
  }
  CHECK(error_of([&] { folder(R"({"model_type":"roberta","max_position_embeddings":2})", "", ""); }).status ==
        Status::bad_file);
}

TEST_CASE("hub: prompts and similarity") {
  const auto failure = [](const std::string& text) {
    return folder_error(with(minimal(), "config_sentence_transformers.json", text)).status;
  };
  CHECK(failure(R"({"prompts":{},"default_prompt_name":null,"similarity_fn_name":null})") == Status::ok);
  CHECK(failure(R"({"prompts":{"q":"x"},"default_prompt_name":"q"})") == Status::ok);
  CHECK(failure(R"({"prompts":{"q":"x"},"default_prompt_name":"p"})") == Status::bad_file);
  CHECK(failure(R"({"prompts":{"q":7}})") == Status::bad_file);
  CHECK(failure(R"({"prompts":[]})") == Status::bad_file);
  CHECK(failure(R"({"similarity_fn_name":"hamming"})") == Status::bad_file);
  CHECK(failure("[]") == Status::bad_file);
}

TEST_CASE("hub: sampling as generation_config.json asks for it, field by field") {
  Files files = minimal();
  CHECK(read_folder(files).sampling == SamplingDefaults());
  files["generation_config.json"] = R"({"eos_token_id":2})";
  CHECK(read_folder(files).sampling == SamplingDefaults());
  files["generation_config.json"] = R"({"temperature":0.6,"top_k":20,"repetition_penalty":1.1,"min_p":null})";
  const HfFolder folder = read_folder(files);
  CHECK(folder.sampling == SamplingDefaults{0.6f, 20, 0.95f, 0.05f, 1.1f});
  bool told = false;
  for (const Decision& d : folder.decisions)
    told = told || (d.what == "sampling" && d.value == "temperature 0.6, top_k 20, repetition_penalty 1.1");
  CHECK(told);
  for (const char* wrong : {R"({"temperature":-1})", R"({"temperature":"hot"})", R"({"top_k":1.5})", R"({"top_p":2})",
                            R"({"repetition_penalty":0})"}) {
    files["generation_config.json"] = wrong;
    CAPTURE(wrong);
    CHECK(folder_error(files).status == Status::bad_file);
  }
}

TEST_CASE("hub: the repo and revision, where they are known") {
  const std::string commit(40, 'c');
  const HfFolder cached = read_folder(minimal(), "/x/models--org--my-model/snapshots/" + commit);
  CHECK(cached.repo == "org/my-model");
  CHECK(cached.revision == commit);
  Files files = with(minimal(), "config.json", R"({"model_type":"bert","_name_or_path":"org/tiny"})");
  CHECK(read_folder(files, "/x/other").repo.empty());
  files[".cache/huggingface/download/config.json.metadata"] = commit + "\netag\n1.5\n";
  const HfFolder named = read_folder(files, "/x/tiny");
  CHECK(named.repo == "org/tiny");
  CHECK(named.revision == commit);
}

TEST_CASE("hub: broken and deep JSON") {
  for (const char* path : {"config.json", "modules.json", "sentence_bert_config.json", "tokenizer_config.json",
                           "config_sentence_transformers.json"}) {
    CAPTURE(path);
    for (const std::string& text :
         {std::string("{"), std::string(), std::string(100000, '['), std::string("{}\0", 3)}) {
      CHECK(folder_error(with(minimal(), path, text)).status == Status::bad_file);
    }
  }
  CHECK(folder_error(with(minimal(), "config.json", "{}")).message == "dir/config.json: 'model_type' is missing");
  CHECK(folder_error(with(minimal(), "config.json", R"({"model_type":"bert","architectures":"x"})")).status ==
        Status::bad_file);
}

TEST_CASE("hub: pipelines from JSON are checked") {
  const auto status = [](const std::string& text) {
    return error_of([&] { pipeline_from_json(text, "quern.pipeline"); }).status;
  };
  CHECK(status(R"({"modules":[]})") == Status::ok);
  CHECK(status(R"({"modules":[{"type":"Pooling","modes":["cls"],"include_prompt":true},{"type":"Normalize"}]})") ==
        Status::ok);
  for (const char* bad : {"", "[]", "{}", R"({"modules":{}})", R"({"modules":[7]})", R"({"modules":[{}]})",
                          R"({"modules":[{"type":"Normalize"}]})", R"({"modules":[{"type":"Pooling"}]})",
                          R"({"modules":[{"type":"Pooling","modes":[],"include_prompt":true}]})",
                          R"({"modules":[{"type":"Pooling","modes":["x"],"include_prompt":true}]})",
                          R"({"modules":[{"type":"Pooling","modes":["cls"],"include_prompt":true},
            {"type":"Dense","in":8,"out":4,"bias":true,"activation":"tanh","folder":"../x"}]})",
                          R"({"modules":[{"type":"Pooling","modes":["cls"],"include_prompt":true},
            {"type":"Dense","in":8,"out":4,"bias":true,"activation":"tanh","folder":"x"},
            {"type":"Dense","in":5,"out":4,"bias":true,"activation":"tanh","folder":"y"}]})"}) {
    CAPTURE(bad);
    CHECK(status(bad) != Status::ok);
  }
  CHECK(error_of([] { prompts_to_json({{"a", "\xff"}}); }).status == Status::bad_argument);
}
