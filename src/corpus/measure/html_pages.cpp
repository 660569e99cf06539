// Main content of labelled pages: mean F1 of character 4-grams by kind and language, and speed.
#include <map>

#include "core/json.h"
#include "corpus/measure/measure.h"
#include "corpus/measure/text_f1.h"
#include "corpus/read/readers.h"

namespace plinth::corpus {

Status measure_html(Measurement& m) {
  PLINTH_TRY(const auto gold, m.rows("raw/html/magic_html_gold.jsonl.zst"));
  PLINTH_TRY(const auto files, m.documents("raw/html/magic_html_pages.tar.zst"));
  if (gold.empty() || files.empty()) return {};
  std::map<std::string, std::string_view> pages;  // by file name
  uint64_t bytes = 0;
  for (const auto& [path, page] : files) {
    pages[path.substr(path.rfind('/') + 1)] = page;
    bytes += page.size();
  }

  struct Mean {
    double sum = 0;
    int n = 0;
  };

  std::map<std::string, Mean> means;
  for (const std::string& row : gold) {
    PLINTH_TRY(const Json json, parse_json(row, "gold"));
    const auto page = pages.find(string_or(json, "file", ""));
    if (page == pages.end()) continue;
    const auto drafts = read_html({page->first, page->second});
    const std::string text = drafts ? without_markdown(drafts->drafts.front().text) : "";
    Mean& mean = means[string_or(json, "lang", "") + " " + string_or(json, "kind", "")];
    mean.sum += gram_overlap(text, string_or(json, "content", "")).f1;
    ++mean.n;
  }
  const std::map<std::string, double> targets = {{"zh article", 0.91}, {"zh forum", 0.65}};
  for (const auto& [kind, mean] : means) {
    const auto target = targets.find(kind);
    m.add({fmt::format("HTML content, {} ({} pages)", kind, mean.n), mean.sum / mean.n, "F1",
           target == targets.end() ? 0 : target->second});
  }
  m.add({"HTML content",
         m.rate(bytes,
                [&] {
                  for (const auto& [name, page] : pages) (void)read_html({name, page});
                }),
         "MB/s", 44});
  return {};
}

}  // namespace plinth::corpus
