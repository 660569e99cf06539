#include "corpus/document_json.h"

namespace plinth::corpus {

Json to_json(const Document& document) {
  const Source& from = document.source;
  Json source = {{"path", from.path},
                 {"sha256", from.sha256},
                 {"range", {from.begin, from.end}},
                 {"page", nullptr}};
  if (!from.url.empty()) source["url"] = from.url;
  if (!from.licence.empty()) source["licence"] = from.licence;
  if (!from.pages.empty()) {
    source["page"] = from.pages.front().page;
    Json pages = Json::array();
    for (const PageMark& mark : from.pages) pages.push_back({mark.page, mark.at});
    source["pages"] = std::move(pages);
  }
  Json out = {{"id", document.id},           {"text", document.text},
              {"title", document.title},     {"lang", document.lang},
              {"quality", document.quality}, {"source", std::move(source)},
              {"rules", document.rules}};
  if (document.quality_model >= 0) out["quality_model"] = document.quality_model;
  if (!document.doubts.empty()) {
    out["doubt"] = document.doubt;
    out["doubts"] = document.doubts;
  }
  return out;
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
