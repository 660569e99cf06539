// The tokenizer of a Hugging Face folder, in whichever of its three forms it comes.
#include <filesystem>
#include <sstream>

#include "model/formats/tokenizer_files.h"
#include "model/loader.h"
#include "model/model.h"

namespace plinth::model {
namespace {

// A tokenizer.json of 256,000 tokens is about 20 MB.
constexpr uint64_t kBytesMax = uint64_t{64} << 20;

bool is_there(const Path& path) {
  std::error_code code;
  return std::filesystem::exists(path, code);
}

// The text of "eos_token": a string, or an object with 'content'.
std::string token_text(const Json& config, const char* key) {
  const auto it = config.find(key);
  if (it != config.end() && it->is_object()) return string_or(*it, "content", "");
  return string_or(config, key, "");
}

// The id of a special token: by its text in tokenizer_config.json, by its number in config.json
// (the first, when there are several), as the tokenizer has it.
int32_t special_id(const text::Tokenizer& tokenizer, const Json& tokenizer_config,
                   const Json& config, const std::string& role, int32_t fallback) {
  const auto text = token_text(tokenizer_config, (role + "_token").c_str());
  if (!text.empty()) {
    if (const int32_t id = tokenizer.special_id(text); id >= 0) return id;
  }
  auto number = config.find(role + "_token_id");
  if (number == config.end()) return fallback;
  const Json& first = number->is_array() && !number->empty() ? number->front() : *number;
  if (!first.is_number_integer()) return fallback;
  const auto id = first.get<int64_t>();
  // Configs carry their class's defaults, which may be ordinary tokens of this vocabulary.
  const bool special =
      id >= 0 && id < tokenizer.size() && tokenizer.is_special(static_cast<int32_t>(id));
  return special ? static_cast<int32_t>(id) : fallback;
}

// tokenizer_config.json's added_tokens_decoder: tokens behind the pieces of a SentencePiece model,
// and pieces of it that are looked for whole.
Status add_tokens(const Json& tokenizer_config, text::TokenizerSpec& spec) {
  const auto added = tokenizer_config.find("added_tokens_decoder");
  if (added == tokenizer_config.end() || !added->is_object()) return {};
  for (const auto& [number, token] : added->items()) {
    const bool digits = !number.empty() && number.size() <= 8 &&
                        number.find_first_not_of("0123456789") == std::string::npos;
    const size_t id = digits ? std::stoul(number) : SIZE_MAX;
    PLINTH_TRY(const std::string text, get_string(token, "content"));
    if (id >= spec.tokens.size() + added->size())
      return invalid("added token '{}' has the id {} behind {} pieces", text, number,
                     spec.tokens.size());
    if (id < spec.tokens.size() && !spec.tokens[id].empty()) continue;
    if (id >= spec.tokens.size()) {
      spec.tokens.resize(id + 1);
      spec.scores.resize(id + 1);
    }
    spec.tokens[id] = text;
    auto& list = bool_or(token, "special", false) ? spec.special : spec.user_defined;
    list.push_back(static_cast<int32_t>(id));
  }
  return {};
}

Result<std::shared_ptr<const text::Tokenizer>> read_sentencepiece(const Path& path,
                                                                  const Json& tokenizer_config) {
  PLINTH_TRY(const auto bytes, read_file(path, kBytesMax));
  PLINTH_TRY(const auto bare, in_file(path.string(), text::Tokenizer::from_sentencepiece(bytes)));
  auto spec = bare->spec();
  PLINTH_TRY(in_file(path.string(), add_tokens(tokenizer_config, spec)));
  // Llama's class puts BOS before a text unless it is told otherwise.
  if (bool_or(tokenizer_config, "add_bos_token", true) && spec.bos >= 0) spec.before = {spec.bos};
  if (bool_or(tokenizer_config, "add_eos_token", false) && spec.eos >= 0) spec.after = {spec.eos};
  return in_file(path.string(), text::Tokenizer::from_spec(std::move(spec)));
}

// vocab.json and merges.txt: the byte-level BPE of GPT-2 and Qwen2, told apart by the class.
Result<std::shared_ptr<const text::Tokenizer>> read_vocabulary(const Path& folder,
                                                               const Json& tokenizer_config) {
  const std::string path = (folder / "vocab.json").string();
  const std::string name = string_or(tokenizer_config, "tokenizer_class", "");
  const bool qwen2 = name.starts_with("Qwen2Tokenizer");
  if (!qwen2 && !name.starts_with("GPT2Tokenizer"))
    return make_error(Code::kUnimplemented,
                      "{}: the tokenizer class '{}' is not supported without a tokenizer.json",
                      path, name);
  PLINTH_TRY(const auto vocabulary_text, read_file(folder / "vocab.json", kBytesMax));
  PLINTH_TRY(const auto merges, read_file(folder / "merges.txt", kBytesMax));
  PLINTH_TRY(const auto vocabulary, parse_json(vocabulary_text, path));
  if (!vocabulary.is_object()) return invalid("{}: not an object", path);
  text::TokenizerSpec spec;
  spec.pre = qwen2 ? "qwen2" : "gpt-2";
  spec.nfc = qwen2;
  spec.tokens.resize(vocabulary.size());
  for (const auto& [token, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= spec.tokens.size())
      return invalid("{}: token '{}' has the id {} of {}", path, token, to_text(id),
                     spec.tokens.size());
    spec.tokens[id.get<size_t>()] = token;
  }
  std::istringstream lines(merges);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty() && !line.starts_with("#version")) spec.merges.push_back(line);
  }
  PLINTH_TRY(in_file(path, add_tokens(tokenizer_config, spec)));
  return in_file(path, text::Tokenizer::from_spec(std::move(spec)));
}

Result<std::shared_ptr<const text::Tokenizer>> read_files(const Path& folder,
                                                          const Json& tokenizer_config) {
  const Path json = folder / "tokenizer.json";
  if (is_there(json)) {
    PLINTH_TRY(const auto text, read_file(json, kBytesMax));
    return in_file(json.string(), text::Tokenizer::from_json(text));
  }
  if (is_there(folder / "tokenizer.model"))
    return read_sentencepiece(folder / "tokenizer.model", tokenizer_config);
  if (is_there(folder / "vocab.json")) return read_vocabulary(folder, tokenizer_config);
  return not_found("{} is missing, and tokenizer.model: a base needs its tokenizer", json.string());
}

Result<Json> read_json_if_there(const Path& path) {
  if (!is_there(path)) return Json::object();
  PLINTH_TRY(const auto text, read_file(path, kBytesMax));
  PLINTH_TRY(auto json, parse_json(text, path.string()));
  if (!json.is_object()) return invalid("{}: {}, not an object", path.string(), json.type_name());
  return json;
}

}  // namespace

Result<std::shared_ptr<const text::Tokenizer>> read_folder_tokenizer(const Path& folder,
                                                                     const Json& tokenizer_config,
                                                                     const Json& config) {
  PLINTH_TRY(auto tokenizer, read_files(folder, tokenizer_config));
  // tokenizer.json lists special tokens but does not say which of them begins and ends a text.
  const auto& spec = tokenizer->spec();
  const auto id = [&](const char* role, int32_t fallback) {
    return special_id(*tokenizer, tokenizer_config, config, role, fallback);
  };
  const int32_t bos = id("bos", spec.bos);
  const int32_t eos = id("eos", spec.eos);
  const int32_t pad = id("pad", spec.pad);
  if (bos == spec.bos && eos == spec.eos && pad == spec.pad) return tokenizer;
  auto renamed = spec;
  renamed.bos = bos;
  renamed.eos = eos;
  renamed.pad = pad;
  return in_file(folder.string(), text::Tokenizer::from_spec(std::move(renamed)));
}

Result<std::shared_ptr<const text::Tokenizer>> open_tokenizer(const Path& path) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) {
    PLINTH_TRY(const auto tokenizer_config, read_json_if_there(path / "tokenizer_config.json"));
    PLINTH_TRY(const auto config, read_json_if_there(path / "config.json"));
    return read_folder_tokenizer(path, tokenizer_config, config);
  }
  if (path.extension() == ".json") {
    PLINTH_TRY(const auto text, read_file(path, kBytesMax));
    return in_file(path.string(), text::Tokenizer::from_json(text));
  }
  if (path.extension() == ".model") {
    PLINTH_TRY(const auto bytes, read_file(path, kBytesMax));
    return in_file(path.string(), text::Tokenizer::from_sentencepiece(bytes));
  }
  PLINTH_TRY(const auto mapped, MappedFile::open(path));
  PLINTH_TRY(const auto file, GgufFile::parse(mapped.bytes(), path.string()));
  return read_gguf_tokenizer(file, path.string());
}

}  // namespace plinth::model
