#include "corpus/data/written.h"

#include <algorithm>
#include <set>

#include "core/interrupt.h"
#include "core/json.h"
#include "core/rng.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr size_t kQuestionCharsMin = 4;
constexpr double kGroundedMin = 0.6;
constexpr size_t kGram = 2;

// Runs of two letters or digits, punctuation and white space left out.
std::vector<std::u32string> grams_of(std::string_view text) {
  std::u32string words;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = fold_char(next_char(text, at));
    if (is_word(c)) words.push_back(c);
  }
  std::vector<std::u32string> out;
  for (size_t i = 0; i + kGram <= words.size(); ++i) out.push_back(words.substr(i, kGram));
  if (out.empty() && !words.empty()) out.push_back(words);
  return out;
}

double share_in(std::string_view answer, std::string_view passage) {
  const auto list = grams_of(passage);
  const std::set<std::u32string> known(list.begin(), list.end());
  const auto wanted = grams_of(answer);
  if (wanted.empty()) return 0;
  // A single character is no gram of the passage: it is looked for as it stands.
  if (wanted.size() == 1 && wanted[0].size() < kGram)
    return passage.find(trim(answer)) == passage.npos ? 0 : 1;
  const auto found = std::count_if(wanted.begin(), wanted.end(),
                                   [&](const auto& gram) { return known.contains(gram); });
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

}  // namespace

std::string writing_prompt(std::string_view passage) {
  return fmt::format(
      "根据下面的资料写三个问题和答案。答案只用资料里的内容，问题不看资料也能读懂。只输出 JSON "
      "列表："
      "[{{\"question\": \"……\", \"answer\": \"……\"}}]\n\n资料：\n{}",
      passage);
}

WrittenPairs written_pairs(std::string_view answer, std::string_view passage) {
  WrittenPairs out;
  const size_t open = answer.find('['), close = answer.rfind(']');
  if (open == answer.npos || close == answer.npos || close < open) return out;
  const auto list = parse_json(answer.substr(open, close - open + 1), "answer");
  if (!list || !list->is_array()) return out;
  for (const Json& pair : *list) {
    if (!pair.is_object()) continue;
    const std::string question(trim(string_or(pair, "question", "")));
    const std::string said(trim(string_or(pair, "answer", "")));
    if (count_chars(question) < kQuestionCharsMin || said.empty()) continue;
    if (share_in(said, passage) < kGroundedMin)
      ++out.ungrounded;
    else
      out.grounded.emplace_back(question, said);
  }
  return out;
}

Status add_written_rows(const std::vector<Document>& documents, const BuildOptions& options,
                        std::vector<Row>& rows, BuildReport& report) {
  std::vector<Row> passages;
  for (const Document& document : documents)
    add_text_rows(document, options.passage_chars, passages);
  Rng rng(options.seed);
  const auto n = std::min<size_t>(passages.size(), static_cast<size_t>(options.written_passages));
  for (size_t i = 0; i < n; ++i) {
    PLINTH_TRY(check_interrupted());
    std::swap(passages[i], passages[i + rng.below(passages.size() - i)]);
    const Row& passage = passages[i];
    PLINTH_TRY(const std::string answer, options.writer(writing_prompt(passage.answer)));
    auto pairs = written_pairs(answer, passage.answer);
    report.ungrounded += pairs.ungrounded;
    report.unusable += pairs.grounded.empty() && pairs.ungrounded == 0 ? 1 : 0;
    for (auto& [question, said] : pairs.grounded)
      rows.push_back({"model", passage.source, std::move(question), std::move(said)});
  }
  return {};
}

}  // namespace plinth::corpus
