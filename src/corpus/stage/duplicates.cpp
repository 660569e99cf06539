#include "corpus/stage/duplicates.h"

#include <algorithm>
#include <numeric>

#include "corpus/document_json.h"

namespace plinth::corpus {

Result<Documents> Documents::judge(std::span<const Path> pieces, const Path& folder,
                                   const DuplicateOptions& options,
                                   const std::function<void(double share)>& progress) {
  Documents out(pieces);
  PLINTH_TRY(out.collect(folder));
  out.rank();
  const uint64_t bytes = out.by_rank_.rows<int32_t>().size() * sizeof(Match);
  const Path path = folder / "matches", done = folder / "matches.done";
  std::error_code error;
  if (std::filesystem::exists(done, error)) {
    PLINTH_TRY(out.matches_, TableFile::open(path, bytes));
    return out;
  }
  PLINTH_TRY(out.matches_, TableFile::create(path, bytes));
  PLINTH_TRY(out.match_exact(folder));
  if (options.find_near) PLINTH_TRY(out.match_near(folder, options, progress));
  PLINTH_TRY(out.matches_.sync());
  PLINTH_TRY(write_file_atomic(done, "\n"));
  return out;
}

Status Documents::collect(const Path& folder) {
  uint64_t documents = 0, candidates = 0;
  for (const Path& path : pieces_) {
    PLINTH_TRY(const Piece piece, Piece::open(path));
    documents += piece.entries().size();
    candidates += piece.keys().size();
  }
  if (documents > INT32_MAX)
    return exhausted("{} documents in one run, more than {}", documents, INT32_MAX);
  PLINTH_TRY(rows_, TableFile::create(folder / "rows", documents * sizeof(Row)));
  PLINTH_TRY(ranks_, TableFile::create(folder / "ranks", documents * sizeof(int32_t)));
  PLINTH_TRY(by_rank_, TableFile::create(folder / "by-rank", candidates * sizeof(int32_t)));
  const auto rows = rows_.rows<Row>();
  const auto ranks = ranks_.rows<int32_t>(), by_rank = by_rank_.rows<int32_t>();
  size_t n = 0, candidate = 0;
  for (size_t p = 0; p < pieces_.size(); ++p) {
    PLINTH_TRY(const Piece piece, Piece::open(pieces_[p]));
    for (const PieceEntry& entry : piece.entries()) {
      rows[n] = {entry.text_hash,          entry.at,    entry.bytes,
                 static_cast<uint32_t>(p), entry.chars, entry.copy_like};
      ranks[n] = -1;
      if (entry.keys >= 0) by_rank[candidate++] = static_cast<int32_t>(n);
      ++n;
    }
  }
  return {};
}

// Who would stay, best first: no copy, then the longer, then the first by path.
void Documents::rank() {
  const auto rows = rows_.rows<Row>();
  const auto ranks = ranks_.rows<int32_t>(), by_rank = by_rank_.rows<int32_t>();
  std::sort(by_rank.begin(), by_rank.end(), [&](int32_t a, int32_t b) {
    const Row &left = rows[static_cast<size_t>(a)], &right = rows[static_cast<size_t>(b)];
    if (left.copy_like != right.copy_like) return right.copy_like != 0;
    return left.chars != right.chars ? left.chars > right.chars : a < b;
  });
  for (size_t i = 0; i < by_rank.size(); ++i)
    ranks[static_cast<size_t>(by_rank[i])] = static_cast<int32_t>(i);
}

Status Documents::match_exact(const Path& folder) {
  const auto rows = rows_.rows<Row>();
  const auto by_rank = by_rank_.rows<int32_t>();
  const auto matches = matches_.rows<Match>();
  PLINTH_TRY(const TableFile table,
             TableFile::create(folder / "by-hash", by_rank.size() * sizeof(int32_t)));
  const auto order = table.rows<int32_t>();  // ranks
  std::iota(order.begin(), order.end(), 0);
  const auto hash = [&](int32_t rank) {
    return rows[static_cast<size_t>(by_rank[static_cast<size_t>(rank)])].text_hash;
  };
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    const uint64_t left = hash(a), right = hash(b);
    return left != right ? left < right : a < b;
  });
  for (size_t from = 0, i = 1; i < order.size(); ++i) {
    if (hash(order[i]) != hash(order[from]))
      from = i;
    else
      matches[static_cast<size_t>(order[i])] = {1.0, order[from], Match::How::kExact};
  }
  return remove_tree(folder / "by-hash");
}

Status Documents::match_near(const Path& folder, const DuplicateOptions& options,
                             const std::function<void(double share)>& progress) {
  const auto ranks = ranks_.rows<int32_t>(), by_rank = by_rank_.rows<int32_t>();
  const auto matches = matches_.rows<Match>();
  const Path near_folder = folder / "near";
  PLINTH_TRY(remove_tree(near_folder));
  PLINTH_TRY(make_directories(near_folder));
  PLINTH_TRY(auto index, NearIndex::create(near_folder, options.memory_bytes));
  size_t n = 0;
  for (const Path& path : pieces_) {
    PLINTH_TRY(const Piece piece, Piece::open(path));
    for (const PieceEntry& entry : piece.entries()) {
      const int32_t rank = ranks[n++];
      if (rank >= 0 && matches[static_cast<size_t>(rank)].stays())
        PLINTH_TRY(index.add(rank, piece.keys()[static_cast<size_t>(entry.keys)]));
    }
  }
  NearSource source;
  source.text = [&](int32_t rank) -> Result<std::string> {
    PLINTH_TRY(const std::string found,
               record(static_cast<size_t>(by_rank[static_cast<size_t>(rank)])));
    PLINTH_TRY(const Json json, parse_json(document_line(found), "a document of this run"));
    return get_string(json, "text");
  };
  source.chars = [&](int32_t rank) -> uint64_t {
    return rows_.rows<Row>()[static_cast<size_t>(by_rank[static_cast<size_t>(rank)])].chars;
  };
  PLINTH_TRY(index.find(source, options.near, matches, progress));
  return remove_tree(near_folder);
}

const Match* Documents::match(size_t document) const {
  const int32_t rank = ranks_.rows<int32_t>()[document];
  if (rank < 0) return nullptr;
  const Match& match = matches_.rows<Match>()[static_cast<size_t>(rank)];
  return match.stays() ? nullptr : &match;
}

bool Documents::stands_alone(size_t document) const {
  const int32_t rank = ranks_.rows<int32_t>()[document];
  return rank >= 0 && matches_.rows<Match>()[static_cast<size_t>(rank)].how == Match::How::kStays;
}

size_t Documents::kept_by(const Match& match) const {
  return static_cast<size_t>(by_rank_.rows<int32_t>()[static_cast<size_t>(match.kept)]);
}

Result<std::string> Documents::record(size_t document) const {
  const Row& row = rows_.rows<Row>()[document];
  return read_record(pieces_[row.piece], row.at, row.bytes);
}

}  // namespace plinth::corpus
