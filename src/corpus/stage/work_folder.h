// OUT.work: where a run lives until its output takes the name OUT.
//
//   plan.json   what the run is; another run's folder is emptied
//   lock        held while a process works here
//   pieces/     the first stage
//   tables/     the second
//   out/        the last; renamed to OUT when complete
#pragma once

#include <vector>

#include "core/file.h"
#include "core/json.h"
#include "core/result.h"

namespace plinth::corpus {

// OUT and OUT.work: where they lie inside an input they are no part of it.
std::vector<Path> folders_of_run(const Path& out);

class WorkFolder {
 public:
  // Refuses an `out` that is neither empty nor a corpus nor a part of one: it would be replaced.
  // plan: of this run; a folder that an earlier start with the same plan left is gone on with.
  static Result<WorkFolder> open(const Path& out, const Json& plan);

  Path pieces() const { return folder_ / "pieces"; }

  Path tables() const { return folder_ / "tables"; }

  // Empty.
  Result<Path> fresh_output() const;

  // `fresh_output` becomes OUT, an earlier one goes, and so does this folder. A crash in between
  // leaves a folder from which the same run publishes again.
  Status publish(Path inside = "out");

 private:
  WorkFolder(Path out, Path folder, FileLock lock)
      : out_(std::move(out)), folder_(std::move(folder)), lock_(std::move(lock)) {}

  Path out_;
  Path folder_;
  FileLock lock_;
};

}  // namespace plinth::corpus
