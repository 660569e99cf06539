// What carrying out a job may use, and the kinds of jobs that there are.
#pragma once

#include <functional>
#include <memory>

#include "core/file.h"
#include "core/json.h"
#include "engine/engine.h"
#include "store/jobs.h"
#include "store/store.h"

namespace plinth::server {

inline constexpr std::string_view kTuneJob = "tune";
inline constexpr std::string_view kRefineJob = "refine";
inline constexpr std::string_view kProveJob = "prove";

// Of the runner's thread. Long loops of the thread end by themselves (core/interrupt.h) when the
// job is not wanted any more; what `stopped` says is the same.
struct JobWork {
  store::Store& store;
  store::Jobs& jobs;
  engine::Engine& engine;
  std::shared_ptr<const model::Model> base;  // the engine's
  store::Job& job;                           // result and model are filled
  Json spec;
  Path folder;  // PLINTH_HOME/jobs/ID, there
  std::function<bool()> stopped;
};

// PLINTH_HOME/jobs/ID
Path job_folder(const store::Store& store, const std::string& id);

// The bytes of the job's tenant's file, under a name of their own in the job's folder: the same one
// when the job goes on.
Result<Path> job_file(const JobWork& work, const std::string& file_id, const std::string& name);

// Each: kCancelled when the job was stopped, and the next call with the same folder goes on. What a
// job was made for lies in its folder.
Status carry_out_tune(JobWork& work);    // run/, and a model of the tenant's own
Status carry_out_refine(JobWork& work);  // corpus/
Status carry_out_prove(JobWork& work);   // proof/

}  // namespace plinth::server
