// refine() and merge_parts(): the stages in their order. Each stage leaves something durable, from
// which the same call goes on after a crash: pieces, fates, the finished folder.
#include <algorithm>
#include <optional>

#include "core/clock.h"
#include "core/hash.h"
#include "core/json.h"
#include "corpus/document_json.h"
#include "corpus/shard.h"
#include "corpus/stage/plan.h"
#include "corpus/stage/read_stage.h"
#include "corpus/stage/repeated_lines.h"
#include "corpus/stage/work_folder.h"
#include "corpus/stage/write_stage.h"

namespace plinth::corpus {
namespace {

// Pieces to a corpus under OUT. Needs nothing of the inputs any more.
Result<RefineReport> finish(const Json& plan, const std::vector<Path>& pieces, WorkFolder& work,
                            const StepHook& step, double seconds, const RefineProgress& progress) {
  const auto at = [&](std::string_view name) { return step ? step(name) : Status(); };
  const Stopwatch watch;
  const Json& recipe = plan["recipe"];
  DuplicateOptions options;
  options.near.jaccard = number_or(recipe, "near_jaccard", options.near.jaccard);
  options.near.value_jaccard = number_or(recipe, "value_jaccard", options.near.value_jaccard);
  options.find_near = options.near.jaccard < 1.0;
  options.memory_bytes = static_cast<uint64_t>(number_or(recipe, "memory", 0)) / 2;
  const Path first = work.tables() / "first", last = work.tables() / "last";
  RepeatedLineOptions lines;
  lines.share = number_or(recipe, "boilerplate_share", 1);
  lines.memory_bytes = options.memory_bytes;
  PLINTH_TRY(make_directories(first));
  const auto near = [&](double share) {
    if (progress) progress("duplicates, %", static_cast<uint64_t>(share * 100), 100);
  };
  PLINTH_TRY(std::optional<Documents> documents, Documents::judge(pieces, first, options, near));
  PLINTH_TRY(const auto cut,
             cut_repeated_lines(pieces, *documents, work.tables() / "lines", lines, progress));
  PLINTH_TRY(at("lines"));
  if (cut != pieces) {
    documents.reset();
    PLINTH_TRY(make_directories(last));
    PLINTH_TRY(documents, Documents::judge(cut, last, options, near));
  }
  PLINTH_TRY(at("fates"));
  PLINTH_TRY(const Path out, work.fresh_output());
  PLINTH_TRY(auto report,
             write_corpus(plan, cut, *documents, out, seconds + watch.seconds(), progress));
  PLINTH_TRY(at("corpus"));
  PLINTH_TRY(work.publish());
  return report;
}

// part.json: the plan, which machine this was, and its pieces with their hashes.
Result<RefineReport> publish_part(const Json& plan, const RefineOptions& options,
                                  const std::vector<Path>& pieces, WorkFolder& work) {
  RefineReport report;
  Json list = Json::array();
  for (const Path& path : pieces) {
    PLINTH_TRY(const Piece piece, Piece::open(path));
    PLINTH_TRY(const std::string hash, sha256_file(path));
    list.push_back({{"name", path.filename().string()}, {"sha256", hash}});
    report.documents_in += static_cast<int64_t>(piece.entries().size());
    report.documents_out += static_cast<int64_t>(piece.keys().size());
  }
  report.rejects = report.documents_in - report.documents_out;
  const Json part = {{"format", "plinth-corpus-part"}, {"version", 1}, {"rank", options.rank},
                     {"world", options.world},         {"plan", plan}, {"pieces", std::move(list)}};
  report.json = part.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  PLINTH_TRY(write_file_atomic(work.pieces() / "part.json", report.json));
  PLINTH_TRY(work.publish("pieces"));
  return report;
}

struct Part {
  Path folder;
  Json json;
};

Result<Part> read_part(const Path& folder) {
  const Path path = folder / "part.json";
  auto text = read_file(path);
  if (!text)
    return not_found("{} is no part of a corpus: {}", folder.string(), text.error().message);
  PLINTH_TRY(Json json, parse_json(*text, path.string()));
  if (string_or(json, "format", "") != "plinth-corpus-part" || !json["plan"].is_object() ||
      !json["pieces"].is_array() || int_or(json, "version", 0) != 1)
    return data_loss("{}: no list of a part's pieces", path.string());
  return Part{folder, std::move(json)};
}

Status check_parts(std::span<const Part> parts) {
  if (parts.empty()) return invalid("merge: no part was given");
  const int64_t world = int_or(parts[0].json, "world", 0);
  std::vector<const Part*> by_rank(static_cast<size_t>(std::clamp<int64_t>(world, 0, 1 << 20)));
  for (const Part& part : parts) {
    if (part.json["plan"] != parts[0].json["plan"] || int_or(part.json, "world", 0) != world)
      return invalid("merge: {} and {} are of different runs (inputs, recipe, suites or --world)",
                     parts[0].folder.string(), part.folder.string());
    const int64_t rank = int_or(part.json, "rank", -1);
    if (rank < 0 || rank >= static_cast<int64_t>(by_rank.size()))
      return data_loss("{}: rank {} of {}", part.folder.string(), rank, world);
    const Part*& seat = by_rank[static_cast<size_t>(rank)];
    if (seat != nullptr)
      return invalid("merge: {} and {} are both rank {}", seat->folder.string(),
                     part.folder.string(), rank);
    seat = &part;
  }
  for (size_t rank = 0; rank < by_rank.size(); ++rank)
    if (by_rank[rank] == nullptr) return invalid("merge: rank {} of {} is missing", rank, world);
  return {};
}

// All pieces of all parts in the order of one run, each with the hash that its part lists.
Result<std::vector<Path>> pieces_of(std::span<const Part> parts) {
  std::vector<std::pair<std::string, Path>> named;
  for (const Part& part : parts)
    for (const Json& piece : part.json["pieces"]) {
      const std::string name = string_or(piece, "name", "");
      if (name.find('/') != name.npos || !name.ends_with(".piece"))
        return data_loss("{}: a piece is called \"{}\"", part.folder.string(), name);
      const Path path = part.folder / name;
      PLINTH_TRY(const std::string hash, sha256_file(path));
      if (hash != string_or(piece, "sha256", ""))
        return data_loss("{}: its SHA-256 is {}, not what its part lists", path.string(), hash);
      named.emplace_back(name, path);
    }
  std::sort(named.begin(), named.end());
  const auto units = static_cast<size_t>(int_or(parts[0].json["plan"], "units", 0));
  std::vector<Path> out;
  size_t ended = 0;
  for (const auto& [name, path] : named) {
    PLINTH_TRY(const Piece piece, Piece::open(path));
    if (std::strtoull(name.c_str(), nullptr, 10) != ended)
      return data_loss("merge: {} stands where unit {} should", path.string(), ended);
    ended += piece.last() ? 1 : 0;
    out.push_back(path);
  }
  if (ended != units) return data_loss("merge: {} units, the run has {}", ended, units);
  return out;
}

// Files that an order of chance puts first, until they hold `bytes`; in the order of their names.
void take_sample(std::vector<InputFile>& files, uint64_t bytes) {
  const auto by_chance = [](const InputFile& a, const InputFile& b) {
    const uint64_t left = xxh3(a.name), right = xxh3(b.name);
    return left != right ? left < right : a.name < b.name;
  };
  std::sort(files.begin(), files.end(), by_chance);
  size_t n = 0;
  for (uint64_t taken = 0; n < files.size() && taken < bytes; ++n) taken += files[n].bytes;
  files.resize(n);
  std::sort(files.begin(), files.end(),
            [](const InputFile& a, const InputFile& b) { return a.name < b.name; });
}

}  // namespace

Result<RefineReport> refine(const RefineOptions& options, const RefineProgress& progress) {
  const Stopwatch watch;
  if (options.out.empty()) return invalid("refine: no output folder was given");
  if (options.world < 1 || options.rank < 0 || options.rank >= options.world)
    return invalid("refine: rank {} of {} machines", options.rank, options.world);
  PLINTH_TRY(Rules rules, read_rules(options.recipe, options.suites));
  rules.explain = options.explain;
  PLINTH_TRY(auto files, walk_inputs(options.inputs, folders_of_run(options.out)));
  if (options.sample_bytes > 0) take_sample(files, options.sample_bytes);
  const auto units = units_of(files);
  PLINTH_TRY(const Json plan, make_plan(options, files, rules, units.size()));
  PLINTH_TRY(WorkFolder work, WorkFolder::open(options.out, {{"plan", plan},
                                                             {"rank", options.rank},
                                                             {"world", options.world},
                                                             {"times", digest_of_times(files)}}));
  PLINTH_TRY(PieceStore store, PieceStore::open(work.pieces()));
  ReadWork todo{files, units};
  todo.first = static_cast<size_t>(options.rank);
  todo.stride = static_cast<size_t>(options.world);
  if (options.sample_bytes > 0) todo.unpack_max = options.sample_bytes;
  PLINTH_TRY(read_inputs(todo, rules, store, progress, options.step));
  std::vector<Path> pieces;
  for (size_t u = todo.first; u < units.size(); u += todo.stride)
    for (Path& path : store.paths(u)) pieces.push_back(std::move(path));
  if (options.world > 1) return publish_part(plan, options, pieces, work);
  return finish(plan, pieces, work, options.step, watch.seconds(), progress);
}

Result<RefineReport> dry_run(RefineOptions options, uint64_t sample_bytes,
                             const RefineProgress& progress) {
  PLINTH_TRY(const auto temp, TempDirectory::create());
  options.out = temp.path() / "corpus";
  options.rank = 0;
  options.world = 1;
  options.sample_bytes = sample_bytes;
  options.explain = true;
  return refine(options, progress);
}

Result<RefineReport> merge_parts(const std::vector<Path>& folders, const Path& out) {
  const Stopwatch watch;
  std::vector<Part> parts;
  for (const Path& folder : folders) {
    PLINTH_TRY(Part part, read_part(folder));
    parts.push_back(std::move(part));
  }
  PLINTH_TRY(check_parts(parts));
  PLINTH_TRY(const auto pieces, pieces_of(parts));
  const Json& plan = parts[0].json["plan"];
  PLINTH_TRY(WorkFolder work, WorkFolder::open(out, {{"merge", plan}}));
  return finish(plan, pieces, work, {}, watch.seconds(), {});
}

Result<std::vector<Document>> read_documents(const Path& corpus_dir) {
  std::vector<Document> out;
  PLINTH_TRY(read_shards(corpus_dir, "documents", [&](std::string_view line) -> Status {
    PLINTH_TRY(const Json json, parse_json(line, corpus_dir.string()));
    PLINTH_TRY(auto document, document_from_json(json));
    out.push_back(std::move(document));
    return {};
  }));
  return out;
}

}  // namespace plinth::corpus
