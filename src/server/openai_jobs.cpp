#include "server/openai_jobs.h"

#include <utility>

#include "server/own_jobs.h"
#include "server/replies.h"
#include "server/request_fields.h"
#include "server/tune_spec.h"
#include "server/url.h"

namespace plinth::server {
namespace {

constexpr const char* kUnfinished = "validating_files,queued,running,paused";

Json tuning_json(const store::Job& job) {
  const Json spec = object_of(job.spec);
  const Json result = object_of(job.result);
  const Json numbers = spec.value("hyperparameters", Json::object());
  const std::string method = string_or(spec, "method", "supervised");
  return {
      {"id", job.id},
      {"object", "fine_tuning.job"},
      {"created_at", job.created_ms / 1000},
      {"finished_at", job.ended_ms == 0 ? Json() : Json(job.ended_ms / 1000)},
      {"estimated_finish", nullptr},
      {"status", job.state},
      {"model", string_or(spec, "model", "")},
      {"fine_tuned_model", text_or_null(job.model)},
      {"organization_id", "plinth"},
      {"training_file", string_or(spec, "training_file", "")},
      {"validation_file", text_or_null(string_or(spec, "validation_file", ""))},
      {"result_files", Json::array()},
      {"seed", int_or(spec, "seed", 1)},
      {"trained_tokens", result.contains("trained_tokens") ? result["trained_tokens"] : Json()},
      {"hyperparameters", numbers},
      {"method", {{"type", method}, {method, {{"hyperparameters", numbers}}}}},
      {"metadata", spec.value("metadata", Json::object())},
      {"suffix", text_or_null(string_or(spec, "suffix", ""))},
      {"error", job.error.empty()
                    ? Json()
                    : Json{{"code", "job_failed"}, {"message", job.error}, {"param", nullptr}}}};
}

Json event_json(const store::JobEvent& event) {
  return {{"id", fmt::format("ftevent-{}", event.id)},
          {"object", "fine_tuning.job.event"},
          {"created_at", event.at_ms / 1000},
          {"level", event.level},
          {"type", event.type},
          {"message", event.message},
          {"data", object_of(event.data)}};
}

void reply_page(const Call& call, const std::vector<std::string>& ids,
                const std::function<Json(size_t)>& entry) {
  const Page page = page_of(call.exchange->request().query, ids);
  Json data = Json::array();
  for (size_t i = page.begin; i < page.end; ++i) data.push_back(entry(i));
  call.exchange->reply(
      {.body = to_text(
           {{"object", "list"}, {"data", std::move(data)}, {"has_more", page.end < ids.size()}})});
}

// The tenant's tuning job that the path names.
Result<store::Job> tuning(const Services& services, const Call& call) {
  PLINTH_TRY(auto job, services.jobs.jobs().job(call.key.tenant_id, call.argument));
  if (job.kind != kTuneJob) return not_found("job {} is not known", job.id);
  return job;
}

// An upload of the right purpose, or a refined corpus.
Status check_data(const Services& services, const Call& call, const Json& spec, const char* name,
                  std::string& param) {
  param = name;
  const std::string id = string_or(spec, name, "");
  if (id.starts_with(kCorpusPrefix)) {
    PLINTH_TRY(const auto job, services.jobs.jobs().job(call.key.tenant_id, id));
    if (job.kind == kRefineJob && job.state == "succeeded") return {};
    return invalid("{}: corpus {} is {}, not ready", name, id, job.state);
  }
  PLINTH_TRY(const auto file, services.store.file(call.key.tenant_id, id));
  if (file.purpose == "fine-tune") return {};
  return invalid("{}: its purpose is {}, fine-tune is needed", name, file.purpose);
}

Result<store::Job> create(const Services& services, const Call& call, std::string& param) {
  const model::Model& base = services.engine.model();
  PLINTH_TRY(Json spec, parse_tune_request(call.exchange->request().body, base.config(), param));
  param = "model";
  const std::string model = string_or(spec, "model", "");
  if (model != services.models.base_name())
    return invalid("model: {} cannot be tuned, only the base, {}", model,
                   services.models.base_name());
  PLINTH_TRY(check_data(services, call, spec, "training_file", param));
  if (!string_or(spec, "validation_file", "").empty())
    PLINTH_TRY(check_data(services, call, spec, "validation_file", param));
  spec["base_digest"] = base.digest();
  return services.jobs.jobs().create({.tenant_id = call.key.tenant_id,
                                      .key_id = call.key.id,
                                      .kind = std::string(kTuneJob),
                                      .spec = to_text(spec)});
}

// Flips the job's state, when it is one of `from`, and answers with what the job is then.
void flip(const Services& services, const Call& call, const char* from, const char* to) {
  store::Jobs& jobs = services.jobs.jobs();
  const auto job = tuning(services, call);
  if (!job) return refuse(call, {.error = job.error()});
  const auto flipped = jobs.flip(job->id, from, to);
  if (!flipped) return refuse(call, {.error = flipped.error()});
  if (!*flipped)
    return refuse(call,
                  {.error = invalid("job {} is {} and cannot become {}", job->id, job->state, to)});
  const Status said = jobs.add_event(job->id, {.message = fmt::format("The job is {}", to)});
  if (!said) return refuse(call, {.error = said.error()});
  services.jobs.wake();
  handle_job(services, call);
}

}  // namespace

void handle_create_job(const Services& services, const Call& call) {
  std::string param;
  const auto job = create(services, call, param);
  if (!job) return refuse(call, {.error = job.error(), .param = param});
  services.jobs.wake();
  call.exchange->reply({.body = to_text(tuning_json(*job))});
}

void handle_list_jobs(const Services& services, const Call& call) {
  const auto jobs = services.jobs.jobs().jobs(call.key.tenant_id, kTuneJob);
  if (!jobs) return refuse(call, {.error = jobs.error()});
  std::vector<std::string> ids;
  for (const auto& job : *jobs) ids.push_back(job.id);
  reply_page(call, ids, [&](size_t i) { return tuning_json((*jobs)[i]); });
}

void handle_job(const Services& services, const Call& call) {
  const auto job = tuning(services, call);
  if (!job) return refuse(call, {.error = job.error()});
  call.exchange->reply({.body = to_text(tuning_json(*job))});
}

void handle_cancel_job(const Services& services, const Call& call) {
  flip(services, call, kUnfinished, "cancelled");
}

void handle_pause_job(const Services& services, const Call& call) {
  flip(services, call, "validating_files,queued,running", "paused");
}

void handle_resume_job(const Services& services, const Call& call) {
  flip(services, call, "paused", "queued");
}

void handle_job_events(const Services& services, const Call& call) {
  const auto job = tuning(services, call);
  if (!job) return refuse(call, {.error = job.error()});
  const auto events = services.jobs.jobs().events(job->id);
  if (!events) return refuse(call, {.error = events.error()});
  std::vector<std::string> ids;
  for (const auto& event : *events) ids.push_back(fmt::format("ftevent-{}", event.id));
  reply_page(call, ids, [&](size_t i) { return event_json((*events)[i]); });
}

void handle_job_checkpoints(const Services& services, const Call& call) {
  const auto job = tuning(services, call);
  if (!job) return refuse(call, {.error = job.error()});
  const Json result = object_of(job->result);
  Json data = Json::array();
  if (!job->model.empty())
    data.push_back({{"id", "ftckpt-" + job->id.substr(job->id.find('-') + 1)},
                    {"object", "fine_tuning.job.checkpoint"},
                    {"created_at", job->ended_ms / 1000},
                    {"fine_tuning_job_id", job->id},
                    {"fine_tuned_model_checkpoint", job->model},
                    {"step_number", int_or(result, "best_step", 0)},
                    {"metrics",
                     {{"step", int_or(result, "best_step", 0)},
                      {"train_loss", number_or(result, "train_loss", 0)},
                      {"valid_loss", number_or(result, "valid_loss", 0)}}}});
  call.exchange->reply(
      {.body = to_text({{"object", "list"}, {"data", std::move(data)}, {"has_more", false}})});
}

}  // namespace plinth::server
