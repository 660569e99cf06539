// A corpus from uploaded files, or from a folder that the settings lend to the tenant.
//
// Spec: {"name", "files": [file ids] or "folder": path, "suites": [file ids]}.
#include <set>
#include <system_error>

#include "core/log.h"
#include "corpus/corpus.h"
#include "server/jobs/job_work.h"

namespace plinth::server {
namespace {

// The uploads under the names that they came with, which become the sources of the documents.
// Copied once: a job that goes on finds its inputs as they were.
Result<Path> input_folder(const JobWork& work) {
  const Path folder = work.folder / "input";
  const Path making = work.folder / "input.new";
  std::error_code error;
  if (std::filesystem::exists(folder, error)) return folder;
  PLINTH_TRY(remove_tree(making));
  PLINTH_TRY(make_directories(making));
  std::set<std::string> names;
  for (const Json& id : work.spec.at("files")) {
    PLINTH_TRY(const auto file, work.store.file(work.job.tenant_id, id.get<std::string>()));
    std::string name = Path(file.filename).filename().string();
    if (name.empty() || name == "." || name == "..") name = file.id;
    if (!names.insert(name).second) names.insert(name = file.id + "-" + name);
    PLINTH_TRY(job_file(work, file.id, "input.new/" + name));
  }
  std::filesystem::rename(making, folder, error);
  if (error) return internal_error("{}: {}", folder.string(), error.message());
  return folder;
}

// A link could lead out of what was lent, to what the server may read and the tenant may not.
// (Links to folders are not followed by refining.)
Status check_links(const Path& folder) {
  std::error_code error;
  std::filesystem::recursive_directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    std::error_code ignored;
    if (it->is_symlink(ignored) && !it->is_directory(ignored))
      return make_error(Code::kPermissionDenied, "folder {}: {} is a link", folder.string(),
                        it->path().lexically_relative(folder).string());
  }
  if (error) return internal_error("folder {}: {}", folder.string(), error.message());
  return {};
}

}  // namespace

Status carry_out_refine(JobWork& work) {
  corpus::RefineOptions options;
  options.out = work.folder / "corpus";
  if (work.spec.contains("files")) {
    PLINTH_TRY(const Path folder, input_folder(work));
    options.inputs = {folder};
  } else {
    options.inputs = {Path(string_or(work.spec, "folder", ""))};
    PLINTH_TRY(check_links(options.inputs.front()));
  }
  for (const Json& id : work.spec.value("suites", Json::array())) {
    const std::string suite = id.get<std::string>();
    PLINTH_TRY(const Path path, job_file(work, suite, suite + ".jsonl"));
    options.suites.push_back(path);
  }
  options.step = [&](std::string_view) -> Status {
    const Status beat = work.jobs.beat(work.job.id);
    if (!beat) log_error("job {}: {}", work.job.id, beat.error().message);
    if (work.stopped()) return Error{Code::kCancelled, "the job was stopped"};
    return {};
  };
  PLINTH_TRY(const auto report, corpus::refine(options));
  work.job.result = to_text({{"files", report.files},
                             {"documents_in", report.documents_in},
                             {"documents", report.documents_out},
                             {"rejects", report.rejects},
                             {"bytes_in", report.bytes_in},
                             {"seconds", report.seconds},
                             {"found", report.found}});
  return remove_tree(work.folder / "input");  // the uploads are still there
}

}  // namespace plinth::server
