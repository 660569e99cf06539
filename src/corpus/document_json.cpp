#include "corpus/document_json.h"

#include "corpus/json_line.h"

namespace plinth::corpus {

namespace {

void append_source(const Source& from, JsonLine& line) {
  line.open('{');
  if (!from.licence.empty()) {
    line.name("licence");
    line.text(from.licence);
  }
  line.name("page");
  if (from.pages.empty()) {
    line.null();
  } else {
    line.integer(from.pages.front().page);
    line.name("pages");
    line.open('[');
    for (const PageMark& mark : from.pages) {
      line.open('[');
      line.integer(mark.page);
      line.integer(static_cast<int64_t>(mark.at));
      line.close(']');
    }
    line.close(']');
  }
  line.name("path");
  line.text(from.path);
  line.name("range");
  line.open('[');
  line.integer(static_cast<int64_t>(from.begin));
  line.integer(static_cast<int64_t>(from.end));
  line.close(']');
  line.name("sha256");
  line.text(from.sha256);
  if (!from.url.empty()) {
    line.name("url");
    line.text(from.url);
  }
  line.close('}');
}

}  // namespace

void append_line(const Document& document, std::string& out) {
  JsonLine line(out);
  line.open('{');
  if (!document.doubts.empty()) {
    line.name("doubt");
    line.number(document.doubt);
    line.name("doubts");
    line.texts(document.doubts);
  }
  line.name("id");
  line.text(document.id);
  line.name("lang");
  line.text(document.lang);
  line.name("quality");
  line.number(document.quality);
  if (document.quality_model >= 0) {
    line.name("quality_model");
    line.number(document.quality_model);
  }
  line.name("rules");
  line.texts(document.rules);
  line.name("source");
  append_source(document.source, line);
  line.name("text");
  line.text(document.text);
  line.name("title");
  line.text(document.title);
  line.close('}');
}

Result<Document> document_from_json(const Json& json) {
  if (!json.is_object())
    return data_loss("a document is a JSON {}, not an object", json.type_name());
  Document out;
  PLINTH_TRY(out.id, get_string(json, "id"));
  PLINTH_TRY(out.text, get_string(json, "text"));
  out.title = string_or(json, "title", "");
  out.lang = string_or(json, "lang", "und");
  out.quality = number_or(json, "quality", 0);
  out.quality_model = number_or(json, "quality_model", -1);
  out.doubt = number_or(json, "doubt", 0);
  if (const auto doubts = json.find("doubts"); doubts != json.end() && doubts->is_array())
    for (const Json& doubt : *doubts)
      if (doubt.is_string()) out.doubts.push_back(doubt.get<std::string>());
  const auto source = json.find("source");
  if (source != json.end() && source->is_object()) {
    out.source.path = string_or(*source, "path", "");
    out.source.sha256 = string_or(*source, "sha256", "");
    out.source.url = string_or(*source, "url", "");
    out.source.licence = string_or(*source, "licence", "");
    const auto range = source->find("range");
    if (range != source->end() && range->is_array() && range->size() == 2 &&
        (*range)[0].is_number_unsigned() && (*range)[1].is_number_unsigned()) {
      out.source.begin = (*range)[0].get<uint64_t>();
      out.source.end = (*range)[1].get<uint64_t>();
    }
    const auto pages = source->find("pages");
    if (pages != source->end() && pages->is_array())
      for (const Json& mark : *pages)
        if (mark.is_array() && mark.size() == 2 && mark[0].is_number_integer() &&
            mark[1].is_number_unsigned())
          out.source.pages.push_back({mark[0].get<int>(), mark[1].get<uint64_t>()});
  }
  const auto rules = json.find("rules");
  if (rules != json.end() && rules->is_array())
    for (const Json& rule : *rules)
      if (rule.is_string()) out.rules.push_back(rule.get<std::string>());
  return out;
}

}  // namespace plinth::corpus
