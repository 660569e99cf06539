#include "corpus/stage/facts.h"

#include "corpus/json_line.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kExamSamplesMax = 12;

// Members at their default are left out: most documents have few of them.
template <typename T>
void put(Json& json, const char* key, const T& value) {
  if (value != T{}) json[key] = value;
}

std::vector<std::string> texts_of(const Json& json, const char* key) {
  std::vector<std::string> out;
  if (const auto it = json.find(key); it != json.end() && it->is_array())
    for (const Json& text : *it)
      if (text.is_string()) out.push_back(text.get<std::string>());
  return out;
}

}  // namespace

FileFacts facts_of(const std::string& path, const FileOutcome& file) {
  return {path,       file.sha256, std::string(kind_name(file.kind)),
          file.bytes, file.leaf,   file.continues};
}

DocumentFacts facts_of(const Outcome& outcome, Kind kind) {
  DocumentFacts out;
  out.id = outcome.document.id;
  out.path = outcome.document.source.path;
  out.lang = outcome.document.lang;
  if (outcome.drop) {
    out.stage = outcome.drop->stage;
    out.reason = outcome.drop->reason;
  }
  out.chars_in = outcome.chars;
  out.chars_out = static_cast<int64_t>(count_chars(outcome.document.text));
  out.html = kind == Kind::kHtml;
  out.repaired = outcome.repaired;
  out.normalised = outcome.normalised;
  out.blocks_removed = outcome.blocks_removed;
  out.exam_lines = static_cast<int64_t>(outcome.exam_lines.size());
  for (const std::string& line : outcome.exam_lines)
    if (out.exam_samples.size() < kExamSamplesMax)
      out.exam_samples.emplace_back(prefix_chars(line, 120));
  out.pii = outcome.pii;
  out.risks = outcome.risks;
  out.licence = outcome.document.source.licence;
  out.effects = outcome.effects;
  return out;
}

Json to_json(const FileFacts& facts) {
  Json json = {{"path", facts.path}, {"kind", facts.kind}, {"bytes", facts.bytes}};
  put(json, "sha256", facts.sha256);
  put(json, "leaf", facts.leaf);
  put(json, "continues", facts.continues);
  return json;
}

void append_text(const DocumentFacts& facts, std::string& out) {
  JsonLine line(out);
  const auto text = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    line.name(name);
    line.text(value);
  };
  const auto texts = [&](const char* name, const std::vector<std::string>& values) {
    if (values.empty()) return;
    line.name(name);
    line.texts(values);
  };
  const auto integer = [&](const char* name, int64_t value) {
    if (value == 0) return;
    line.name(name);
    line.integer(value);
  };
  const auto flag = [&](const char* name, bool value) {
    if (!value) return;
    line.name(name);
    line.flag(value);
  };
  line.open('{');
  integer("blocks_removed", facts.blocks_removed);
  integer("chars_in", facts.chars_in);
  integer("chars_out", facts.chars_out);
  if (!facts.effects.empty()) {
    line.name("effects");
    line.open('[');
    for (const Effect& e : facts.effects) {
      line.open('[');
      line.text(e.rule);
      line.integer(e.chars);
      line.text(e.before);
      line.text(e.after);
      line.close(']');
    }
    line.close(']');
  }
  integer("exam_lines", facts.exam_lines);
  texts("exam_samples", facts.exam_samples);
  flag("html", facts.html);
  text("id", facts.id);
  text("lang", facts.lang);
  text("licence", facts.licence);
  flag("normalised", facts.normalised);
  text("path", facts.path);
  if (!facts.pii.empty()) {
    line.name("pii");
    line.open('{');
    for (const auto& [kind, count] : facts.pii) {
      line.name(kind);
      line.open('[');
      for (const int64_t n : {count.found, count.masked, count.near_miss}) line.integer(n);
      line.close(']');
    }
    line.close('}');
  }
  text("reason", facts.reason);
  flag("repaired", facts.repaired);
  texts("risks", facts.risks);
  text("stage", facts.stage);
  line.close('}');
}

FileFacts file_facts(const Json& json) {
  FileFacts out;
  out.path = string_or(json, "path", "");
  out.sha256 = string_or(json, "sha256", "");
  out.kind = string_or(json, "kind", "");
  out.bytes = static_cast<uint64_t>(int_or(json, "bytes", 0));
  out.leaf = bool_or(json, "leaf", false);
  out.continues = bool_or(json, "continues", false);
  return out;
}

DocumentFacts document_facts(const Json& json) {
  DocumentFacts out;
  out.id = string_or(json, "id", "");
  out.path = string_or(json, "path", "");
  out.lang = string_or(json, "lang", "und");
  out.stage = string_or(json, "stage", "");
  out.reason = string_or(json, "reason", "");
  out.chars_in = int_or(json, "chars_in", 0);
  out.chars_out = int_or(json, "chars_out", 0);
  out.html = bool_or(json, "html", false);
  out.repaired = bool_or(json, "repaired", false);
  out.normalised = bool_or(json, "normalised", false);
  out.blocks_removed = int_or(json, "blocks_removed", 0);
  out.exam_lines = int_or(json, "exam_lines", 0);
  if (const auto it = json.find("effects"); it != json.end() && it->is_array())
    for (const Json& e : *it)
      if (e.is_array() && e.size() == 4 && e[0].is_string() && e[1].is_number_integer() &&
          e[2].is_string() && e[3].is_string())
        out.effects.push_back({e[0].get<std::string>(), e[1].get<int64_t>(),
                               e[2].get<std::string>(), e[3].get<std::string>()});
  out.licence = string_or(json, "licence", "");
  out.exam_samples = texts_of(json, "exam_samples");
  out.risks = texts_of(json, "risks");
  if (const auto it = json.find("pii"); it != json.end() && it->is_object())
    for (const auto& [kind, count] : it->items())
      if (count.is_array() && count.size() == 3 && count[0].is_number_integer() &&
          count[1].is_number_integer() && count[2].is_number_integer())
        out.pii[kind] = {count[0].get<int64_t>(), count[1].get<int64_t>(), count[2].get<int64_t>(),
                         0};
  return out;
}

}  // namespace plinth::corpus
