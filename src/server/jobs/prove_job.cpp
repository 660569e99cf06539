// A domain model against its base, on the engine that serves: its rows ride in the same steps.
//
// Spec: {"model", "release", "domain": file id, "general": file id, "tolerance", "seed"}. Each
// answered item stands in a journal: a proof that was interrupted goes on with the others, and
// comes to the same verdict, to the bit where the engine is deterministic.
#include "eval/verdict.h"
#include "server/examination.h"
#include "server/jobs/job_work.h"

namespace plinth::server {
namespace {

Result<std::shared_ptr<const model::Adapter>> adapter_of(const JobWork& work) {
  PLINTH_TRY(const auto release, work.store.release(string_or(work.spec, "release", "")));
  if (release.base_digest != work.base->digest())
    return make_error(Code::kFailedPrecondition,
                      "model {} stands on another base than this server's", release.name);
  if (release.adapter_digest.empty()) return std::shared_ptr<const model::Adapter>();
  PLINTH_TRY(const Path path, work.store.artifacts().find(release.adapter_digest));
  return model::Adapter::open(path, work.base->config());
}

// Suites are told apart by the ends of their names.
Result<eval::Suite> suite_of(const JobWork& work, const char* leg) {
  const std::string id = string_or(work.spec, leg, "");
  PLINTH_TRY(const auto file, work.store.file(work.job.tenant_id, id));
  PLINTH_TRY(const Path path, job_file(work, id, leg + Path(file.filename).extension().string()));
  return eval::read_suite(path);
}

}  // namespace

Status carry_out_prove(JobWork& work) {
  const auto seed = static_cast<uint64_t>(int_or(work.spec, "seed", 1));
  PLINTH_TRY(const auto adapter, adapter_of(work));
  PLINTH_TRY(const auto domain, suite_of(work, "domain"));
  PLINTH_TRY(const auto general, suite_of(work, "general"));
  PLINTH_TRY(auto options, examination(work.base, seed));
  const auto run = [&](const char* name, const std::shared_ptr<const model::Adapter>& one,
                       const eval::Suite& suite) -> Result<eval::SuiteResult> {
    // The job's spec says all that decides an item; the release is named by its digest.
    options.journal = work.folder / "proof" / name / "journal.jsonl";
    options.journal_key = work.job.spec;
    PLINTH_TRY(auto result, eval::run_suite(work.engine, one, suite, options));
    PLINTH_TRY(eval::write_result(work.folder / "proof" / name, result));
    PLINTH_TRY(work.jobs.add_event(work.job.id,
                                   {.message = std::string(name) + ": " + eval::describe(result)}));
    PLINTH_TRY(work.jobs.beat(work.job.id));
    return result;
  };
  PLINTH_TRY(const auto domain_base, run("domain-base", nullptr, domain));
  PLINTH_TRY(const auto domain_tuned, run("domain-tuned", adapter, domain));
  PLINTH_TRY(const auto general_base, run("general-base", nullptr, general));
  PLINTH_TRY(const auto general_tuned, run("general-tuned", adapter, general));
  eval::Gate gate;
  gate.tolerance_bpc = number_or(work.spec, "tolerance", gate.tolerance_bpc);
  gate.seed = seed;
  PLINTH_TRY(auto verdict,
             eval::judge({domain_base, domain_tuned, general_base, general_tuned}, gate));
  verdict.base = work.base->digest();
  verdict.adapter = eval::identity_of(adapter.get());
  PLINTH_TRY(eval::write_verdict(work.folder / "proof", verdict));
  work.job.result = eval::to_json_text(verdict);
  return {};
}

}  // namespace plinth::server
