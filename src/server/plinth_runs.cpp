#include "server/plinth_runs.h"

#include <string_view>
#include <utility>

#include "server/own_jobs.h"
#include "server/replies.h"

namespace plinth::server {
namespace {

constexpr uint64_t kFileMax = uint64_t{16} << 20;

Json tell(const store::Job& job, Json head) {
  const Json result = object_of(job.result);
  head["model"] = text_or_null(job.model);
  head["started"] = time_or_null(job.started_ms);
  head["result"] = result.empty() ? Json() : result;
  return head;
}

constexpr JobKind kRuns = {kTuneJob, "run", tell};

// A file that is not there, or not whole, tells nothing.
Json lines_of(const Path& path) {
  Json lines = Json::array();
  const auto text = read_file(path, kFileMax);
  if (!text) return lines;
  for (std::string_view left = *text; !left.empty();) {
    const size_t end = std::min(left.find('\n'), left.size());
    if (auto line = parse_json(left.substr(0, end), "metrics")) lines.push_back(*std::move(line));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return lines;
}

}  // namespace

void handle_list_runs(const Services& services, const Call& call) {
  reply_jobs(services, call, kRuns);
}

void handle_run(const Services& services, const Call& call) {
  answer(call, [&](std::string&) -> Result<Json> {
    PLINTH_TRY(const store::Job job, named_job(services, call, kRuns));
    PLINTH_TRY(Json json, job_json(services, kRuns, job));
    const Path folder = job_folder(services.store, job.id) / "run";
    const auto lineage = read_file(folder / "lineage.json", kFileMax);
    auto parsed = lineage ? parse_json(*lineage, "lineage") : Result<Json>(Json());
    json["lineage"] = parsed ? *std::move(parsed) : Json();
    json["metrics"] = lines_of(folder / "metrics.jsonl");
    return json;
  });
}

}  // namespace plinth::server
