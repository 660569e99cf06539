#include "corpus/recipe.h"

#include <algorithm>

#include "core/config.h"
#include "corpus/clean/chinese.h"
#include "corpus/clean/filters.h"
#include "corpus/clean/personal_data.h"

namespace plinth::corpus {
namespace {

Result<PiiAction> action_named(const Config& config, const std::string& key,
                               const std::string& name) {
  if (name == "mask") return PiiAction::kMask;
  if (name == "keep") return PiiAction::kKeep;
  if (name == "drop") return PiiAction::kDrop;
  return config.refusal(key, fmt::format("= \"{}\" is none of mask, keep, drop", name));
}

const char* action_name(PiiAction action) {
  return action == PiiAction::kMask ? "mask" : action == PiiAction::kKeep ? "keep" : "drop";
}

// "2 GB", "512MB"
Result<uint64_t> bytes_named(const Config& config, const std::string& key,
                             const std::string& text) {
  constexpr uint64_t kLeast = uint64_t{64} << 20;
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const size_t unit = text.find_first_not_of(' ', digits);
  const std::string name = unit == text.npos ? "" : text.substr(unit);
  const int shift = name == "MB" ? 20 : name == "GB" ? 30 : name == "TB" ? 40 : 0;
  if (shift == 0 || digits == 0 || digits > 6)
    return config.refusal(key,
                          fmt::format("= \"{}\" is no size such as \"2 GB\" or \"512 MB\"", text));
  const uint64_t bytes = std::stoull(text.substr(0, digits)) << shift;
  if (bytes < kLeast) return config.refusal(key, fmt::format("= \"{}\" is less than 64 MB", text));
  return bytes;
}

Status read_profile(const Config& config, std::string_view prefix, std::string& profile) {
  const std::string key = std::string(prefix) + "profile";
  PLINTH_TRY(profile, config.text(key, profile));
  if (!config.has(key) || profile_named(profile) != nullptr) return {};
  std::vector<std::string_view> names;
  for (const Profile& one : profiles()) names.push_back(one.name);
  return config.refusal(key,
                        fmt::format("= \"{}\" is none of {}", profile, fmt::join(names, ", ")));
}

Status read_limits(const Config& config, std::string_view prefix,
                   std::map<std::string, double>& limits) {
  for (const Filter& filter : filters()) {
    const std::string key(filter.key), path = std::string(prefix) + key;
    if (!config.has(path)) continue;
    if (filter.whole) {
      PLINTH_TRY(const int64_t value,
                 config.integer(path, 0, 0, static_cast<int64_t>(filter.most)));
      limits[key] = static_cast<double>(value);
    } else {
      PLINTH_TRY(limits[key], config.number(path, 0, 0, filter.most));
    }
  }
  return {};
}

Json json_of(const std::map<std::string, double>& limits) {
  Json out = Json::object();
  for (const auto& [key, value] : limits) out[key] = value;
  return out;
}

// All limits that hold where no source says otherwise.
void put_limits(const RefineRecipe& r, Json& out) {
  const Profile* profile = profile_named(r.profile);
  Limits limits = (profile != nullptr ? *profile : profiles()[0]).limits;
  (void)set_limits(r.limits, limits);  // what it refuses, read_rules() reports
  for (size_t i = 0; i < kFilters; ++i) {
    const Filter& filter = filters()[i];
    Json& value = out[std::string(filter.key)];
    if (filter.whole)
      value = static_cast<int64_t>(limits[i]);
    else
      value = limits[i];
  }
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
    PLINTH_TRY(r.memory, bytes_named(config, "refine.memory", memory));
  }
  PLINTH_TRY(r.jsonl_text, config.text("refine.jsonl_text", r.jsonl_text));
  PLINTH_TRY(r.jsonl_title, config.text("refine.jsonl_title", r.jsonl_title));
  PLINTH_TRY(r.opencc, config.text("refine.opencc", ""));
  const auto known = chinese_conversions();
  if (!r.opencc.empty() && std::find(known.begin(), known.end(), r.opencc) == known.end())
    return config.refusal("refine.opencc", fmt::format("= \"{}\" is none of OpenCC's {}", r.opencc,
                                                       fmt::join(known, ", ")));
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
  PLINTH_TRY(read_profile(config, "refine.", r.profile));
  PLINTH_TRY(read_limits(config, "refine.", r.limits));
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
    PLINTH_TRY(read_profile(table, "", source.profile));
    PLINTH_TRY(read_limits(table, "", source.limits));
    PLINTH_TRY(table.finish());
    if (source.licence.empty())
      return table.refusal("licence", fmt::format("of the source \"{}\" is missing", source.path));
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
    PLINTH_TRY(r.pii[kind], action_named(config, key, action));
  }
  PLINTH_TRY(config.finish());
  return r;
}

Json to_json(const RefineRecipe& r) {
  Json pii = Json::object();
  for (const auto& [kind, action] : r.pii) pii[kind] = action_name(action);
  Json sources = Json::array();
  for (const SourceLicence& s : r.sources) {
    sources.push_back({{"path", s.path}, {"name", s.name}, {"licence", s.licence}, {"url", s.url}});
    if (!s.profile.empty()) sources.back()["profile"] = s.profile;
    if (!s.limits.empty()) sources.back()["limits"] = json_of(s.limits);
  }
  Json out = {{"memory", r.memory},
              {"opencc", r.opencc},
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
              {"boilerplate_share", r.boilerplate_share},
              {"near_jaccard", r.near_jaccard},
              {"value_jaccard", r.value_jaccard},
              {"exam_run", r.exam_run},
              {"exam_share_max", r.exam_share_max},
              {"pii", std::move(pii)}};
  // What every source is held to but for its own limits, in full and as it was written.
  out["profile"] = r.profile;
  out["limits"] = json_of(r.limits);
  put_limits(r, out);
  return out;
}

}  // namespace plinth::corpus
