#include "corpus/stage/work_folder.h"

#include "core/log.h"

namespace plinth::corpus {
namespace {

namespace fs = std::filesystem;

Path without_slash(const Path& path) {
  return path.has_filename() ? path : path.parent_path();
}

Status check_target(const Path& out) {
  std::error_code error;
  if (!fs::exists(out, error)) return {};
  if (fs::is_directory(out, error) &&
      (fs::is_empty(out, error) || fs::exists(out / "manifest.json", error) ||
       fs::exists(out / "part.json", error)))
    return {};
  return make_error(Code::kAlreadyExists,
                    "{} exists and is no refined corpus: it will not be replaced", out.string());
}

Status move_folder(const Path& from, const Path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error)
    return make_error(Code::kUnavailable, "{}: cannot be renamed to {}: {}", from.string(),
                      to.string(), error.message());
  return {};
}

}  // namespace

std::vector<Path> folders_of_run(const Path& path) {
  const Path out = without_slash(path);
  Path work = out;
  work += ".work";
  return {out, work};
}

Result<WorkFolder> WorkFolder::open(const Path& path, const Json& plan) {
  const Path out = without_slash(path);
  if (out.empty()) return invalid("refine: no output folder was given");
  PLINTH_TRY(check_target(out));
  const Path folder = folders_of_run(out).back();
  PLINTH_TRY(make_directories(folder));
  auto lock = FileLock::take(folder / "lock");
  if (!lock)
    return make_error(lock.error().code, "{}: another refine works here: {}", folder.string(),
                      lock.error().message);
  WorkFolder work(out, folder, *std::move(lock));
  const Path plan_path = folder / "plan.json";
  const std::string text = to_text(plan);
  std::error_code error;
  if (fs::exists(plan_path, error)) {
    PLINTH_TRY(const std::string found, read_file(plan_path));
    if (found == text) {
      log_info("refine: going on with {}", folder.string());
      PLINTH_TRY(make_directories(work.tables()));
      return work;
    }
    log_warn("refine: {} is of another run (other inputs or recipe) and begins again",
             folder.string());
    PLINTH_TRY(remove_tree(plan_path));  // first: what is left after a crash here is no run's
  }
  PLINTH_TRY(remove_tree(work.pieces()));
  PLINTH_TRY(remove_tree(work.tables()));
  PLINTH_TRY(write_file_atomic(plan_path, text));
  PLINTH_TRY(make_directories(work.tables()));
  return work;
}

Result<Path> WorkFolder::fresh_output() const {
  const Path path = folder_ / "out";
  PLINTH_TRY(remove_tree(path));
  PLINTH_TRY(make_directories(path));
  return path;
}

Status WorkFolder::publish(Path inside) {
  std::error_code error;
  const Path old = folder_ / "old";
  PLINTH_TRY(remove_tree(old));
  PLINTH_TRY(sync_directory(folder_ / inside));
  if (fs::exists(out_, error)) PLINTH_TRY(move_folder(out_, old));
  PLINTH_TRY(move_folder(folder_ / inside, out_));
  PLINTH_TRY(sync_directory(fs::absolute(out_).parent_path()));
  // The plan first, here too: a crash half way through the rest would leave a run to go on with
  // whose tables are gone.
  PLINTH_TRY(remove_tree(folder_ / "plan.json"));
  return remove_tree(folder_);
}

}  // namespace plinth::corpus
