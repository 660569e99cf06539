// A model from a file of rows: spec as in server/tune_spec.h.
#include "core/log.h"
#include "server/chat_renderer.h"
#include "server/jobs/job_work.h"
#include "server/tune_spec.h"
#include "train/train.h"

namespace plinth::server {
namespace {

Json metrics_of(const train::StepReport& report) {
  Json data = {{"step", report.step},       {"total_steps", report.steps},
               {"train_loss", report.loss}, {"learning_rate", report.learning_rate},
               {"tokens", report.tokens},   {"tokens_per_s", report.tokens_per_s}};
  if (report.heldout >= 0) data["valid_loss"] = report.heldout;
  return data;
}

void report_step(const JobWork& work, const train::StepReport& report) {
  const Status added = work.jobs.add_event(
      work.job.id, {.type = "metrics",
                    .message = fmt::format("Step {}/{}: training loss={:.4f}", report.step,
                                           report.steps, report.loss),
                    .data = to_text(metrics_of(report))});
  const Status beat = work.jobs.beat(work.job.id);
  if (!added || !beat)
    log_error("job {}: {}", work.job.id, (!added ? added : beat).error().message);
}

// Rows of an uploaded file, or a corpus that an earlier job refined.
Result<Path> data_path(const JobWork& work, const char* key, const char* name) {
  const std::string id = string_or(work.spec, key, "");
  if (id.starts_with(kCorpusPrefix)) return job_folder(work.store, id) / "corpus";
  return job_file(work, id, name);
}

Status publish(const JobWork& work, const train::TuneSummary& summary, const Json& result) {
  // Another server may have it by now.
  if (work.stopped()) return Error{Code::kCancelled, "the job was stopped"};
  // The owner first: nobody else may see the name for a moment.
  const std::string& digest = work.base->digest();
  PLINTH_TRY(work.jobs.own_model(work.job.model, work.job.tenant_id));
  PLINTH_TRY(const auto adapter, work.store.add_adapter(summary.adapter, work.job.model, digest));
  PLINTH_TRY(work.store.publish(
      {.name = work.job.model,
       .base_digest = digest,
       .adapter_digest = adapter.digest,
       .verdict = to_text(
           {{"passed", false}, {"unproven", "made by job " + work.job.id}, {"job", result}})}));
  // Once, however often the job ends: the ledger knows its id.
  return work.store.add_usage({{.request_id = work.job.id,
                                .tenant_id = work.job.tenant_id,
                                .key_id = work.job.key_id,
                                .model = string_or(work.spec, "model", ""),
                                .model_digest = digest,
                                .trained_tokens = summary.tokens,
                                .outcome = "trained"}});
}

}  // namespace

Status carry_out_tune(JobWork& work) {
  if (string_or(work.spec, "base_digest", "") != work.base->digest())
    return make_error(Code::kFailedPrecondition, "the job is for another base than this server's");
  PLINTH_TRY(auto recipe, tune_recipe(work.spec, work.base->config()));
  PLINTH_TRY(const Path file, data_path(work, "training_file", "training.jsonl"));
  recipe.files = {file};
  if (!string_or(work.spec, "validation_file", "").empty()) {
    PLINTH_TRY(const Path heldout, data_path(work, "validation_file", "validation.jsonl"));
    recipe.heldout = {heldout};
  }
  train::TuneHooks hooks;
  if (!work.base->chat_template().empty()) {
    PLINTH_TRY(hooks.chat, chat_renderer(work.base));
  }
  hooks.train.stop = work.stopped;
  hooks.train.on_step = [&](const train::StepReport& report) { report_step(work, report); };
  PLINTH_TRY(const auto summary, train::tune(work.base, recipe, work.folder / "run", hooks));

  Json result = {{"trained_tokens", summary.tokens},
                 {"steps", summary.steps},
                 {"train_loss", summary.loss},
                 {"valid_loss_before", summary.heldout_before},
                 {"valid_loss", summary.heldout},
                 {"best_step", summary.best_step},
                 {"rows", summary.data.rows},
                 {"bad_rows", summary.data.bad_rows},
                 {"heldout_samples", summary.data.heldout_samples},
                 {"truncated_samples", summary.data.truncated_samples}};
  if (summary.preferred >= 0) result["valid_preferred"] = summary.preferred;
  work.job.result = to_text(result);
  work.job.model = model_name(work.spec, work.base->config(), work.job.id);
  return publish(work, summary, result);
}

}  // namespace plinth::server
