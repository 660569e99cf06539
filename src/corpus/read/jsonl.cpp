// JSON Lines: one document per row. A bad row is one reject and never stops its neighbours.
#include "core/json.h"
#include "corpus/read/readers.h"
#include "corpus/text_path.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

// The text of a row: the recipe's member, the usual other names, or a question with its answer.
std::string text_of(const Json& row, const RefineRecipe& recipe) {
  for (const std::string& name : {recipe.jsonl_text, std::string("content"), std::string("body")}) {
    std::string text = string_or(row, name, "");
    if (!text.empty()) return text;
  }
  const auto first_of = [&](std::initializer_list<std::string_view> names) {
    for (const auto name : names)
      if (std::string value = string_or(row, name, ""); !value.empty()) return value;
    return std::string();
  };
  const std::string question = first_of({"question", "ask", "instruction", "问题"});
  const std::string answer = first_of({"answer", "output", "response", "答案"});
  if (question.empty() || answer.empty()) return {};
  return "问：" + question + "\n答：" + answer + "\n";
}

Result<Draft> read_row(std::string_view line, const RefineRecipe& recipe) {
  PLINTH_TRY(auto decoded, decode_text(line));
  PLINTH_TRY(const Json row, parse_json(decoded.text, "row"));
  if (!row.is_object()) return invalid("the row is a JSON {}, not an object", row.type_name());
  Draft draft;
  draft.text = text_of(row, recipe);
  if (draft.text.empty()) return invalid("the row has no text under \"{}\"", recipe.jsonl_text);
  draft.title = string_or(row, recipe.jsonl_title, "");
  return draft;
}

}  // namespace

Result<Drafts> read_jsonl(const RawFile& file, const RefineRecipe& recipe) {
  Drafts out;
  uint64_t at = 0;
  each_line(file.bytes, [&](std::string_view line) {
    const uint64_t begin = at;
    at += line.size() + 1;
    if (trim(line).empty()) return;
    auto draft = read_row(line, recipe);
    if (!draft) {
      out.bad.push_back({begin, begin + line.size(), draft.error().message});
      return;
    }
    draft->begin = begin;
    draft->end = begin + line.size();
    out.drafts.push_back(*std::move(draft));
  });
  return out;
}

}  // namespace plinth::corpus
