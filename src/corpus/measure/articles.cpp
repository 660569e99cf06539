// News pages with the bodies of their articles: precision, recall and F1 as the set defines them.
#include <optional>

#include "corpus/measure/measure.h"
#include "corpus/measure/text_f1.h"
#include "corpus/read/readers.h"

namespace plinth::corpus {
namespace {

struct Page {
  std::string id;
  std::string html;
  std::string body;  // the truth
};

// Mean precision and recall over pages, and the F1 of the means.
struct Score {
  double precision = 0;
  double recall = 0;
  double char_f1 = 0;  // mean over pages, of characters
  int pages = 0;

  void add(std::string_view found, std::string_view body) {
    const Overlap words = word_gram_overlap(found, body);
    precision += words.precision;
    recall += words.recall;
    char_f1 += gram_overlap(found, body).f1;
    ++pages;
  }

  double f1() const {
    return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall) / pages;
  }
};

// The set keeps a page's headline apart from its body.
std::string body_of(std::string_view text) {
  if (text.starts_with("# ")) text.remove_prefix(std::min(text.find('\n'), text.size()));
  return without_markdown(text);
}

std::string body_in(const Json& bodies, const std::string& id) {
  const auto it = bodies.find(id);
  return it == bodies.end() || !it->is_object() ? "" : string_or(*it, "articleBody", "");
}

void report(Measurement& m, const std::string& who, const std::vector<Page>& pages,
            const std::vector<std::string>& found, double target) {
  // Half of the pages may be looked at while rules are written; the others tell what these are
  // worth.
  Score all, halves[2];
  for (size_t i = 0; i < pages.size(); ++i) {
    all.add(found[i], pages[i].body);
    halves[pages[i].id[0] < '8' ? 0 : 1].add(found[i], pages[i].body);
  }
  const auto add = [&](const std::string& what, const Score& score, double value, double wanted) {
    if (score.pages > 0)
      m.add({fmt::format("{}articles ({} pages{}", who, score.pages, what), value, "F1", wanted});
  };
  add("), F1 of runs of 4 words", all, all.f1(), target);
  add(" with ids from 0 to 7), the same", halves[0], halves[0].f1(), 0);
  add(" with ids from 8 to f), the same", halves[1], halves[1].f1(), 0);
  add("), precision", all, all.precision / all.pages, 0);
  add("), recall", all, all.recall / all.pages, 0);
  add("), F1 of character 4-grams", all, all.char_f1 / all.pages, 0);
}

Result<std::vector<Page>> read_pages(Measurement& m, const Json& truth) {
  std::vector<Page> pages;
  for (const auto& [id, entry] : truth.items()) {
    PLINTH_TRY(auto page, m.documents("html/" + id + ".html.gz"));
    if (page.empty() || id.empty()) continue;
    pages.push_back({id, std::move(page.front().second), body_in(truth, id)});
  }
  return pages;
}

Result<Json> read_object(const Path& path) {
  PLINTH_TRY(const std::string text, read_file(path, uint64_t{1} << 30));
  PLINTH_TRY(Json json, parse_json(text, path.string()));
  if (!json.is_object()) return invalid("{}: not a JSON object", path.string());
  return json;
}

}  // namespace

Result<Figures> measure_articles(const Path& dir, int repeats) {
  Measurement m(dir, repeats);
  PLINTH_TRY(const Json truth, read_object(dir / "ground-truth.json"));
  PLINTH_TRY(const auto pages, read_pages(m, truth));
  if (pages.empty()) return not_found("{}: none of the pages is there", dir.string());
  uint64_t bytes = 0;
  for (const Page& page : pages) bytes += page.html.size();
  const auto extract = [&] {
    std::vector<std::string> found;
    for (const Page& page : pages) {
      const auto drafts = read_html({page.id, page.html});
      found.push_back(drafts ? drafts->drafts.front().text : "");
    }
    return found;
  };
  auto found = extract();
  for (std::string& text : found) text = body_of(text);
  report(m, "", pages, found, 0.955);
  m.add({"articles, HTML content", m.rate(bytes, [&] { (void)extract(); }), "MB/s", 44});

  std::vector<Path> others;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "output", error))
    if (entry.path().extension() == ".json") others.push_back(entry.path());
  std::sort(others.begin(), others.end());
  for (const Path& path : others) {
    PLINTH_TRY(const Json json, read_object(path));
    const bool wrapped = json.contains("output") && json["output"].is_object();
    for (size_t i = 0; i < pages.size(); ++i)
      found[i] = body_in(wrapped ? json["output"] : json, pages[i].id);
    const std::string version = wrapped ? string_or(json, "version", "") : "";
    report(m, fmt::format("{}{}{}: ", path.stem().string(), version.empty() ? "" : " ", version),
           pages, found, 0);
  }
  return std::move(m.out);
}

}  // namespace plinth::corpus
