#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "knowledge/chunker.h"
#include "knowledge/index_file.h"
#include "knowledge/knowledge.h"
#include "knowledge/terms.h"

namespace plinth::knowledge {
namespace {

// BM25's usual constants. Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework:
// BM25 and Beyond", Foundations and Trends in Information Retrieval 3(4), 2009.
constexpr double kSaturation = 1.2;
constexpr double kLengthShare = 0.75;
// Of a longer query the beginning is used: a question has dozens of characters.
constexpr size_t kQueryBytesMax = 4096;
constexpr uint64_t kOffsetMax = uint64_t{1} << 40;
constexpr uint64_t kCountMax = uint64_t{1} << 31;

struct Source {
  std::string_view id, title, source_path, source_sha256;
  int32_t page = 0;
};

struct Passage {
  uint64_t document = 0;
  std::string_view section, text;
  int64_t begin = 0, end = 0;
  double terms = 0;
};

struct Postings {
  uint64_t chunks = 0;
  std::string_view list;
};

}  // namespace

// Everything is a view into `bytes`.
struct Index::Impl {
  std::string bytes;
  std::vector<Source> sources;
  std::vector<Passage> passages;
  std::unordered_map<std::string_view, Postings> terms;
  double mean_terms = 1;

  Status read();
  bool read_terms(Reader& in);
};

// Walks every list once, so that search() needs no checks.
bool Index::Impl::read_terms(Reader& in) {
  const uint64_t n = in.count(3);
  terms.reserve(n);
  std::string_view before;
  for (uint64_t i = 0; i < n && in.ok(); ++i) {
    const std::string_view term = in.text();
    Postings postings;
    postings.chunks = in.number(passages.size());
    postings.list = in.take(in.number(bytes.size()));
    if (!in.ok() || term.empty() || (i > 0 && term <= before)) return false;
    before = term;
    Reader list(postings.list);
    uint64_t next = 0;  // one past the chunk before
    for (uint64_t p = 0; p < postings.chunks; ++p) {
      const uint64_t distance = list.number(passages.size());
      const uint64_t times = list.number(kCountMax);
      if (!list.ok() || distance == 0 || times == 0 || next + distance > passages.size())
        return false;
      next += distance;
    }
    if (!list.done() || postings.chunks == 0) return false;
    terms.emplace(term, postings);
  }
  return in.ok();
}

Status Index::Impl::read() {
  PLINTH_TRY(const std::string_view payload, unseal(bytes));
  const Error broken = data_loss("knowledge index: the payload is broken");
  Reader in(payload);
  sources.resize(in.count(5));
  for (Source& source : sources) {
    source.id = in.text();
    source.title = in.text();
    source.source_path = in.text();
    source.source_sha256 = in.text();
    source.page = static_cast<int32_t>(in.number(INT32_MAX));
    if (!in.ok()) return broken;
  }
  passages.resize(in.count(6));
  double all_terms = 0;
  for (Passage& passage : passages) {
    passage.document = in.number(kCountMax);
    passage.section = in.text();
    passage.begin = static_cast<int64_t>(in.number(kOffsetMax));
    passage.end = static_cast<int64_t>(in.number(kOffsetMax));
    passage.terms = static_cast<double>(in.number(kCountMax));
    passage.text = in.text();
    if (!in.ok() || passage.document >= sources.size() || passage.begin > passage.end)
      return broken;
    all_terms += passage.terms;
  }
  if (!passages.empty())
    mean_terms = std::max(1.0, all_terms / static_cast<double>(passages.size()));
  if (!read_terms(in) || !in.done()) return broken;
  return {};
}

Index::Index(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Index::Index(Index&&) noexcept = default;

Index& Index::operator=(Index&&) noexcept = default;

Index::~Index() = default;

Result<Index> Index::parse(std::string bytes) {
  auto impl = std::make_unique<Impl>();
  impl->bytes = std::move(bytes);
  PLINTH_TRY(impl->read());
  return Index(std::move(impl));
}

Result<Index> Index::open(const Path& path) {
  PLINTH_TRY(std::string bytes, read_file(path));
  auto index = parse(std::move(bytes));
  if (!index)
    return Error{index.error().code, fmt::format("{}: {}", path.string(), index.error().message)};
  return index;
}

Result<Index> Index::build(std::span<const Document> documents) {
  std::set<std::string_view> ids;
  std::string document_part;
  std::string chunk_part;
  uint64_t chunk_count = 0;
  std::map<std::string, std::vector<std::pair<uint64_t, uint64_t>>>
      lists;  // term -> (chunk, times)

  put_number(document_part, documents.size());
  for (size_t d = 0; d < documents.size(); ++d) {
    const Document& document = documents[d];
    if (document.id.empty()) return invalid("knowledge: document {} has no id", d);
    if (!ids.insert(document.id).second)
      return invalid("knowledge: two documents have the id {}", document.id);
    put_text(document_part, document.id);
    put_text(document_part, document.title);
    put_text(document_part, document.source_path);
    put_text(document_part, document.source_sha256);
    put_number(document_part, static_cast<uint64_t>(std::max(document.page, 0)));
    for (const Chunk& chunk : cut_into_chunks(document.text)) {
      // Title and headings are found too: a question names the law more often than its words.
      std::map<std::string, uint64_t> times;
      uint64_t terms = 0;
      for (const std::string_view text :
           {std::string_view(document.title), std::string_view(chunk.section),
            std::string_view(chunk.text)})
        for (std::string& term : terms_of(text)) {
          ++times[std::move(term)];
          ++terms;
        }
      put_number(chunk_part, d);
      put_text(chunk_part, chunk.section);
      put_number(chunk_part, static_cast<uint64_t>(chunk.begin));
      put_number(chunk_part, static_cast<uint64_t>(chunk.end));
      put_number(chunk_part, terms);
      put_text(chunk_part, chunk.text);
      for (const auto& [term, n] : times) lists[term].emplace_back(chunk_count, n);
      ++chunk_count;
    }
  }

  std::string payload = std::move(document_part);
  put_number(payload, chunk_count);
  payload += chunk_part;
  put_number(payload, lists.size());
  for (const auto& [term, list] : lists) {
    std::string packed;
    uint64_t next = 0;
    for (const auto& [chunk, times] : list) {
      put_number(packed, chunk + 1 - next);
      put_number(packed, times);
      next = chunk + 1;
    }
    put_text(payload, term);
    put_number(payload, list.size());
    put_text(payload, packed);
  }
  return parse(seal(std::move(payload)));
}

const std::string& Index::bytes() const {
  return impl_->bytes;
}

int64_t Index::documents() const {
  return static_cast<int64_t>(impl_->sources.size());
}

int64_t Index::chunks() const {
  return static_cast<int64_t>(impl_->passages.size());
}

std::vector<Hit> Index::search(std::string_view query, int64_t k) const {
  std::set<std::string> wanted;
  for (std::string& term : terms_of(query.substr(0, kQueryBytesMax)))
    wanted.insert(std::move(term));
  const auto n = static_cast<double>(impl_->passages.size());
  std::vector<double> scores(impl_->passages.size());
  for (const std::string& term : wanted) {
    const auto found = impl_->terms.find(term);
    if (found == impl_->terms.end()) continue;
    const auto have = static_cast<double>(found->second.chunks);
    const double weight = term_weight(term) * std::log1p((n - have + 0.5) / (have + 0.5));
    Reader list(found->second.list);
    uint64_t next = 0;
    for (uint64_t p = 0; p < found->second.chunks; ++p) {
      next += list.number(UINT64_MAX);
      const auto times = static_cast<double>(list.number(UINT64_MAX));
      const double length = impl_->passages[next - 1].terms / impl_->mean_terms;
      scores[next - 1] += weight * times * (kSaturation + 1) /
                          (times + kSaturation * (1 - kLengthShare + kLengthShare * length));
    }
  }

  std::vector<size_t> order;
  for (size_t i = 0; i < scores.size(); ++i)
    if (scores[i] > 0) order.push_back(i);
  const size_t kept = std::min(order.size(), static_cast<size_t>(std::max<int64_t>(k, 0)));
  std::partial_sort(
      order.begin(), order.begin() + static_cast<ptrdiff_t>(kept), order.end(),
      [&](size_t a, size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  std::vector<Hit> hits;
  for (size_t i = 0; i < kept; ++i) {
    const Passage& passage = impl_->passages[order[i]];
    const Source& source = impl_->sources[passage.document];
    hits.push_back({.score = scores[order[i]],
                    .citation = {.document_id = std::string(source.id),
                                 .title = std::string(source.title),
                                 .section = std::string(passage.section),
                                 .begin = passage.begin,
                                 .end = passage.end,
                                 .source_path = std::string(source.source_path),
                                 .source_sha256 = std::string(source.source_sha256),
                                 .page = source.page,
                                 .text = std::string(passage.text)}});
  }
  return hits;
}

}  // namespace plinth::knowledge
