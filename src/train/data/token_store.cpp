#include "train/data/token_store.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "core/hash.h"
#include "core/interrupt.h"
#include "core/json.h"
#include "core/log.h"
#include "core/threads.h"
#include "train/checkpoint.h"
#include "train/data/documents.h"

namespace plinth::train {
namespace {

constexpr uint64_t kSampleSeed = 1;  // of the hash that draws the tokenizer's sample

std::string digest_of(std::string_view bytes) {
  return fmt::format("xxh3:{:016x}", xxh3(bytes));
}

// What one source gave after duplicates and held-out documents were taken out.
struct Split {
  std::vector<Document> training;
  std::vector<Document> heldout;
  int64_t documents = 0;
  int64_t duplicates = 0;
  int64_t chars = 0;          // of the training documents
  int64_t heldout_chars = 0;  // of the held-out ones that are measured
};

class Splitter {
 public:
  explicit Splitter(const PretrainRecipe& recipe)
      : recipe_(&recipe),
        heldout_share_(recipe.heldout_chars / static_cast<int64_t>(recipe.sources.size())) {}

  Split split(std::vector<Document> documents) {
    Split split;
    split.documents = static_cast<int64_t>(documents.size());
    for (auto& document : documents) {
      const uint64_t hash = xxh3(document.text);
      if (!seen_.insert(hash).second) {
        ++split.duplicates;
        continue;
      }
      const int64_t chars = count_chars(document.text);
      if (hash % static_cast<uint64_t>(recipe_->heldout_mod) != 0) {
        split.chars += chars;
        split.training.push_back(std::move(document));
      } else if (split.heldout_chars + chars <= heldout_share_) {
        split.heldout_chars += chars;
        split.heldout.push_back(std::move(document));
      }
    }
    return split;
  }

 private:
  const PretrainRecipe* recipe_;  // outlives the splitter: both live in prepare_tokens()
  int64_t heldout_share_;
  std::unordered_set<uint64_t> seen_;  // over all sources
};

Result<std::shared_ptr<const text::Tokenizer>> train_tokenizer(const PretrainRecipe& recipe,
                                                               const std::vector<Split>& splits) {
  int64_t chars = 0;
  for (const auto& split : splits) chars += split.chars;
  const double share =
      static_cast<double>(recipe.tokenizer_chars) / std::max(1.0, static_cast<double>(chars));
  const double limit = share * 0x1.0p64;
  std::vector<std::string_view> sample;
  for (const auto& split : splits)
    for (const auto& document : split.training)
      if (!document.markup && static_cast<double>(xxh3(document.text, kSampleSeed)) < limit)
        sample.emplace_back(document.text);
  log_info("tokenizer: learning {} tokens from {} of {} characters", recipe.vocabulary,
           std::min(chars, recipe.tokenizer_chars), chars);
  text::BpeTraining training;
  training.vocabulary = recipe.vocabulary;
  training.special = recipe.special;
  PLINTH_TRY(auto spec, text::train_bpe(sample, training));
  const auto id_of = [&spec](std::string_view token) {
    for (const int32_t id : spec.special)
      if (spec.tokens[static_cast<size_t>(id)] == token) return id;
    return -1;
  };
  spec.eos = id_of(recipe.special.front());
  spec.pad = spec.eos;
  return text::Tokenizer::from_spec(std::move(spec));
}

Result<std::shared_ptr<const text::Tokenizer>> open_tokenizer(const PretrainRecipe& recipe,
                                                              const Path& path) {
  PLINTH_TRY(const auto json, read_file(path));
  auto tokenizer = text::Tokenizer::from_json(json);
  if (!tokenizer) return invalid("{}: {}", path.string(), tokenizer.error().message);
  if ((*tokenizer)->size() != recipe.vocabulary)
    return invalid("{} has {} tokens, the recipe's tokenizer.vocabulary is {}", path.string(),
                   (*tokenizer)->size(), recipe.vocabulary);
  for (const auto& special : recipe.special)
    if ((*tokenizer)->special_id(special) < 0)
      return invalid("{} lacks the special token {}", path.string(), special);
  return tokenizer;
}

// The documents' tokens, each document followed by `end`.
std::vector<uint16_t> encode_all(const text::Tokenizer& tokenizer,
                                 const std::vector<Document>& documents, int32_t end) {
  std::vector<std::vector<int32_t>> ids(documents.size());
  compute_pool().parallel_for(
      static_cast<int64_t>(documents.size()), 8, [&](int64_t begin, int64_t stop, int) {
        for (int64_t i = begin; i < stop; ++i) {
          const auto& document = documents[static_cast<size_t>(i)];
          ids[static_cast<size_t>(i)] = tokenizer.encode(document.text, document.markup);
        }
      });
  std::vector<uint16_t> tokens;
  for (const auto& one : ids) {
    for (const int32_t id : one) tokens.push_back(static_cast<uint16_t>(id));
    tokens.push_back(static_cast<uint16_t>(end));
  }
  return tokens;
}

std::string_view bytes_of(const std::vector<uint16_t>& tokens) {
  return {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(uint16_t)};
}

// Those of the recipe's fields that decide what the files hold.
std::map<std::string, std::string> data_fields(const PretrainRecipe& recipe) {
  auto fields = recipe.fields();
  std::erase_if(fields, [](const auto& field) {
    return !field.first.starts_with("data.") && !field.first.starts_with("tokenizer.");
  });
  return fields;
}

Result<TokenStore> open_store(const PretrainRecipe& recipe, const Path& run_dir) {
  const Path path = run_dir / "data.json";
  PLINTH_TRY(const auto text, read_file(path));
  PLINTH_TRY(const auto data, parse_json(text, path.string()));
  if (!data.contains("recipe") || !data.contains("ranges") || !data["recipe"].is_object() ||
      !data["ranges"].is_array())
    return data_loss("{}: no recipe or no ranges", path.string());
  std::map<std::string, std::string> was;
  for (const auto& [key, value] : data["recipe"].items())
    if (value.is_string()) was[key] = value.get<std::string>();
  const auto now = data_fields(recipe);
  PLINTH_TRY(check_same_recipe(was, {&now, {}}, path));

  PLINTH_TRY(auto tokenizer, open_tokenizer(recipe, run_dir / "tokenizer.json"));
  PLINTH_TRY(auto tokens, MappedFile::open(run_dir / "tokens.bin"));
  PLINTH_TRY(auto heldout, MappedFile::open(run_dir / "heldout.bin"));
  TokenStore store{std::move(tokenizer), {}, std::move(tokens), std::move(heldout), 0, {}};
  PLINTH_TRY(store.heldout_chars, get_int(data, "heldout_chars"));
  PLINTH_TRY(store.digest, get_string(data, "tokens_digest"));
  PLINTH_TRY(const auto heldout_digest, get_string(data, "heldout_digest"));
  if (digest_of(store.tokens_file.text()) != store.digest ||
      digest_of(store.heldout_file.text()) != heldout_digest)
    return data_loss("{}: tokens.bin or heldout.bin is not what {} describes", run_dir.string(),
                     path.string());
  const auto total = static_cast<int64_t>(store.tokens().size());
  for (const auto& entry : data["ranges"]) {
    TokenRange range{string_or(entry, "name", ""), int_or(entry, "first", -1),
                     int_or(entry, "tokens", -1), number_or(entry, "weight", 1.0)};
    if (range.first < 0 || range.tokens < 0 || range.first > total - range.tokens)
      return data_loss("{}: range {} lies outside of the {} tokens", path.string(), range.name,
                       total);
    store.ranges.push_back(std::move(range));
  }
  return store;
}

Result<std::vector<Split>> read_sources(const PretrainRecipe& recipe) {
  Splitter splitter(recipe);
  std::vector<Split> splits;
  for (const auto& source : recipe.sources) {
    PLINTH_TRY(check_interrupted());
    PLINTH_TRY(auto documents, read_documents(source));
    splits.push_back(splitter.split(std::move(documents)));
    const auto& split = splits.back();
    log_info("source {}: {} documents, {} duplicates, {} held out, {} characters to train on",
             source.name, split.documents, split.duplicates, split.heldout.size(), split.chars);
  }
  return splits;
}

}  // namespace

Result<TokenStore> prepare_tokens(const PretrainRecipe& recipe, const Path& run_dir) {
  if (std::filesystem::exists(run_dir / "data.json")) return open_store(recipe, run_dir);
  PLINTH_TRY(const auto splits, read_sources(recipe));

  const Path tokenizer_path = run_dir / "tokenizer.json";
  if (!std::filesystem::exists(tokenizer_path)) {
    PLINTH_TRY(const auto tokenizer, train_tokenizer(recipe, splits));
    PLINTH_TRY(write_file_atomic(tokenizer_path, tokenizer->to_json()));
  }
  PLINTH_TRY(const auto tokenizer, open_tokenizer(recipe, tokenizer_path));
  const int32_t end = tokenizer->special_id(recipe.special.front());

  Json ranges = Json::array();
  std::vector<uint16_t> tokens;
  std::vector<uint16_t> heldout;
  std::string heldout_text;
  int64_t heldout_chars = 0;
  for (size_t i = 0; i < splits.size(); ++i) {
    PLINTH_TRY(check_interrupted());
    const auto& split = splits[i];
    const auto own = encode_all(*tokenizer, split.training, end);
    ranges.push_back({{"name", recipe.sources[i].name},
                      {"weight", recipe.sources[i].weight},
                      {"first", tokens.size()},
                      {"tokens", own.size()},
                      {"documents", split.documents},
                      {"duplicates", split.duplicates},
                      {"chars", split.chars}});
    log_info("source {}: {} tokens, {:.2f} characters per token", recipe.sources[i].name,
             own.size(),
             static_cast<double>(split.chars) / std::max(1.0, static_cast<double>(own.size())));
    tokens.insert(tokens.end(), own.begin(), own.end());
    const auto own_heldout = encode_all(*tokenizer, split.heldout, end);
    heldout.insert(heldout.end(), own_heldout.begin(), own_heldout.end());
    heldout_chars += split.heldout_chars;
    for (const auto& document : split.heldout) heldout_text += document.text + "\n\n";
  }
  if (heldout.size() < 2)
    return invalid(
        "data.heldout_mod {}: no document is held out; give more text or a smaller "
        "heldout_mod (or a larger heldout_chars)",
        recipe.heldout_mod);
  PLINTH_TRY(write_file_atomic(run_dir / "tokens.bin", bytes_of(tokens)));
  PLINTH_TRY(write_file_atomic(run_dir / "heldout.bin", bytes_of(heldout)));
  PLINTH_TRY(write_file_atomic(run_dir / "heldout.txt", heldout_text));
  const Json data = {{"recipe", data_fields(recipe)},
                     {"ranges", ranges},
                     {"tokens_digest", digest_of(bytes_of(tokens))},
                     {"heldout_digest", digest_of(bytes_of(heldout))},
                     {"heldout_tokens", heldout.size()},
                     {"heldout_chars", heldout_chars}};
  PLINTH_TRY(write_file_atomic(run_dir / "data.json", data.dump(1)));
  return open_store(recipe, run_dir);
}

Result<Texts> read_texts(const PretrainRecipe& recipe) {
  PLINTH_TRY(auto splits, read_sources(recipe));
  Texts texts;
  for (auto& split : splits) {
    for (auto& document : split.training) texts.training.push_back(std::move(document.text));
    for (auto& document : split.heldout) texts.heldout.push_back(std::move(document.text));
  }
  return texts;
}

}  // namespace plinth::train
