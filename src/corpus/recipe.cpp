#include "corpus/recipe.h"

#include "core/config.h"
#include "corpus/clean/personal_data.h"

namespace plinth::corpus {
namespace {

Result<PiiAction> action_named(const std::string& kind, const std::string& name) {
  if (name == "mask") return PiiAction::kMask;
  if (name == "keep") return PiiAction::kKeep;
  if (name == "drop") return PiiAction::kDrop;
  return invalid("refine.pii.{}: \"{}\" is none of mask, keep, drop", kind, name);
}

const char* action_name(PiiAction action) {
  return action == PiiAction::kMask ? "mask" : action == PiiAction::kKeep ? "keep" : "drop";
}

// "2 GB", "512MB"
Result<uint64_t> bytes_named(const std::string& text) {
  constexpr uint64_t kLeast = uint64_t{64} << 20;
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const size_t unit = text.find_first_not_of(' ', digits);
  const std::string name = unit == text.npos ? "" : text.substr(unit);
  const int shift = name == "MB" ? 20 : name == "GB" ? 30 : name == "TB" ? 40 : 0;
  if (shift == 0 || digits == 0 || digits > 6)
    return invalid("refine.memory: \"{}\" is no size such as \"2 GB\" or \"512 MB\"", text);
  const uint64_t bytes = std::stoull(text.substr(0, digits)) << shift;
  if (bytes < kLeast) return invalid("refine.memory: \"{}\" is less than 64 MB", text);
  return bytes;
}

}  // namespace

Result<RefineRecipe> read_recipe(const Path& path) {
  PLINTH_TRY(const Config config, Config::read(path));
  RefineRecipe r;
  const auto share = [&](const char* key, double& value) -> Status {
    PLINTH_TRY(value, config.number(std::string("refine.") + key, value, 0.0, 1.0));
    return {};
  };
  PLINTH_TRY(const std::string memory, config.text("refine.memory", ""));
  if (!memory.empty()) {
    PLINTH_TRY(r.memory, bytes_named(memory));
  }
  PLINTH_TRY(r.jsonl_text, config.text("refine.jsonl_text", r.jsonl_text));
  PLINTH_TRY(r.jsonl_title, config.text("refine.jsonl_title", r.jsonl_title));
  PLINTH_TRY(const int64_t bytes,
             config.integer("refine.file_bytes_max", static_cast<int64_t>(r.file_bytes_max), 1,
                            int64_t{1} << 40));
  r.file_bytes_max = static_cast<uint64_t>(bytes);
  PLINTH_TRY(const int64_t rows,
             config.integer("refine.csv_rows_per_document", r.csv_rows_per_document, 1, 1'000'000));
  r.csv_rows_per_document = static_cast<int>(rows);
  PLINTH_TRY(const int64_t depth,
             config.integer("refine.unpack_depth_max", r.unpack_depth_max, 0, 100));
  r.unpack_depth_max = static_cast<int>(depth);
  PLINTH_TRY(r.unpack_ratio_max,
             config.number("refine.unpack_ratio_max", r.unpack_ratio_max, 1.0, 1e9));
  PLINTH_TRY(r.unpack_entries_max, config.integer("refine.unpack_entries_max", r.unpack_entries_max,
                                                  1, int64_t{1} << 40));
  PLINTH_TRY(const int64_t unpacked,
             config.integer("refine.unpack_bytes_max", static_cast<int64_t>(r.unpack_bytes_max), 1,
                            int64_t{1} << 60));
  r.unpack_bytes_max = static_cast<uint64_t>(unpacked);
  PLINTH_TRY(r.chars_min, config.integer("refine.chars_min", r.chars_min, 0, 1'000'000));
  PLINTH_TRY(share("symbol_share_max", r.symbol_share_max));
  PLINTH_TRY(share("han_share_min", r.han_share_min));
  PLINTH_TRY(share("repeated_line_share_max", r.repeated_line_share_max));
  PLINTH_TRY(share("repeated_run_share_max", r.repeated_run_share_max));
  PLINTH_TRY(share("broken_share_max", r.broken_share_max));
  PLINTH_TRY(r.spam_score_max,
             config.number("refine.spam_score_max", r.spam_score_max, 0.0, 100.0));
  PLINTH_TRY(share("quality_min", r.quality_min));
  // Files are named as seen from the recipe's folder.
  const auto file = [&](const char* key, Path& value) -> Status {
    PLINTH_TRY(const std::string name, config.text(std::string("refine.") + key, ""));
    if (!name.empty()) value = path.parent_path() / name;
    return {};
  };
  PLINTH_TRY(file("quality_model", r.quality_model));
  PLINTH_TRY(share("quality_model_min", r.quality_model_min));
  PLINTH_TRY(file("keywords", r.keywords));
  PLINTH_TRY(r.licence_required, config.flag("refine.licence_required", false));
  PLINTH_TRY(const auto sources, config.tables("refine.source"));
  for (const Config& table : sources) {
    SourceLicence source;
    PLINTH_TRY(source.path, table.text("path", ""));
    PLINTH_TRY(source.name, table.text("name", ""));
    PLINTH_TRY(source.licence, table.text("licence", ""));
    PLINTH_TRY(source.url, table.text("url", ""));
    PLINTH_TRY(table.finish());
    if (source.licence.empty())
      return invalid("{}: the source \"{}\" has no licence", path.string(), source.path);
    r.sources.push_back(std::move(source));
  }
  PLINTH_TRY(share("boilerplate_share", r.boilerplate_share));
  PLINTH_TRY(share("near_jaccard", r.near_jaccard));
  PLINTH_TRY(share("value_jaccard", r.value_jaccard));
  PLINTH_TRY(const int64_t run, config.integer("refine.exam_run", r.exam_run, 4, 64));
  r.exam_run = static_cast<int>(run);
  PLINTH_TRY(share("exam_share_max", r.exam_share_max));
  for (const std::string_view name : kPiiKinds) {
    const std::string kind(name);
    const std::string key = "refine.pii." + kind;
    if (!config.has(key)) continue;
    PLINTH_TRY(const std::string action, config.text(key, ""));
    PLINTH_TRY(r.pii[kind], action_named(kind, action));
  }
  PLINTH_TRY(config.finish());
  return r;
}

Json to_json(const RefineRecipe& r) {
  Json pii = Json::object();
  for (const auto& [kind, action] : r.pii) pii[kind] = action_name(action);
  Json sources = Json::array();
  for (const SourceLicence& s : r.sources)
    sources.push_back({{"path", s.path}, {"name", s.name}, {"licence", s.licence}, {"url", s.url}});
  return {{"memory", r.memory},
          {"quality_model", r.quality_model.filename().string()},
          {"quality_model_min", r.quality_model_min},
          {"keywords", r.keywords.filename().string()},
          {"sources", std::move(sources)},
          {"licence_required", r.licence_required},
          {"jsonl_text", r.jsonl_text},
          {"jsonl_title", r.jsonl_title},
          {"file_bytes_max", r.file_bytes_max},
          {"csv_rows_per_document", r.csv_rows_per_document},
          {"unpack_depth_max", r.unpack_depth_max},
          {"unpack_ratio_max", r.unpack_ratio_max},
          {"unpack_entries_max", r.unpack_entries_max},
          {"unpack_bytes_max", r.unpack_bytes_max},
          {"chars_min", r.chars_min},
          {"symbol_share_max", r.symbol_share_max},
          {"han_share_min", r.han_share_min},
          {"repeated_line_share_max", r.repeated_line_share_max},
          {"repeated_run_share_max", r.repeated_run_share_max},
          {"broken_share_max", r.broken_share_max},
          {"spam_score_max", r.spam_score_max},
          {"quality_min", r.quality_min},
          {"boilerplate_share", r.boilerplate_share},
          {"near_jaccard", r.near_jaccard},
          {"value_jaccard", r.value_jaccard},
          {"exam_run", r.exam_run},
          {"exam_share_max", r.exam_share_max},
          {"pii", std::move(pii)}};
}

}  // namespace plinth::corpus
