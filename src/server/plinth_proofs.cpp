#include "server/plinth_proofs.h"

#include <algorithm>
#include <utility>

#include "eval/suite.h"
#include "server/openai_files.h"
#include "server/own_jobs.h"
#include "server/replies.h"
#include "server/request_fields.h"

namespace plinth::server {
namespace {

constexpr double kToleranceMax = 10;  // bits per character

Json tell(const store::Job& job, Json head) {
  const Json spec = object_of(job.spec);
  for (const char* field : {"model", "release", "domain", "general", "tolerance"})
    head[field] = spec.contains(field) ? spec[field] : Json();
  const Json verdict = object_of(job.result);
  head["passed"] = verdict.contains("passed") ? verdict["passed"] : Json();
  head["verdict"] = verdict.empty() ? Json() : verdict;
  return head;
}

constexpr JobKind kProofs = {kProveJob, "proof", tell};

Json suite_json(const store::FileInfo& file) {
  return {{"object", "suite"},   {"id", file.id},         {"name", file.filename},
          {"bytes", file.bytes}, {"sha256", file.digest}, {"created", file.created_ms / 1000}};
}

Result<store::FileInfo> suite_file(const Services& services, const Call& call,
                                   const std::string& id) {
  PLINTH_TRY(auto file, services.store.file(call.key.tenant_id, id));
  if (file.purpose != kSuitePurpose)
    return not_found("suite {} is not known: the file's purpose is {}", id, file.purpose);
  return file;
}

Result<Json> spec_of(const Services& services, const Call& call, std::string& param) {
  PLINTH_TRY(const Json body, parse_object(call.exchange->request().body, param));
  const Fields fields(body, param);
  Json spec;
  PLINTH_TRY(const std::string model, fields.text("model"));
  PLINTH_TRY(const std::string domain, fields.text("domain"));
  PLINTH_TRY(const std::string general, fields.text("general"));
  PLINTH_TRY(spec["tolerance"], fields.number("tolerance", 0.05, 0, kToleranceMax));
  PLINTH_TRY(spec["seed"], fields.integer("seed", 1, 0, kNumberMax));
  PLINTH_TRY(fields.nothing_else());
  param = "model";
  if (!may_see_model(services, call.key, model)) return not_found("model {} is not known", model);
  // A release is what is proven: the name may mean another one when the job begins.
  PLINTH_TRY(const auto alias, services.store.alias(model));
  spec["model"] = model;
  spec["release"] = alias.release_digest;
  for (const auto& [leg, id] : {std::pair("domain", &domain), std::pair("general", &general)}) {
    param = leg;
    PLINTH_TRY(suite_file(services, call, *id));
    spec[leg] = *id;
  }
  param.clear();
  return spec;
}

}  // namespace

void handle_list_suites(const Services& services, const Call& call) {
  auto files = services.store.files(call.key.tenant_id);
  if (files)
    std::erase_if(*files,
                  [](const store::FileInfo& file) { return file.purpose != kSuitePurpose; });
  reply_list(call, files, suite_json);
}

void handle_suite(const Services& services, const Call& call) {
  answer(call, [&](std::string&) -> Result<Json> {
    PLINTH_TRY(const auto file, suite_file(services, call, call.argument));
    PLINTH_TRY(const std::string text, services.store.artifacts().read(file.digest));
    const auto suite = Path(file.filename).extension() == ".jsonl"
                           ? eval::parse_jsonl_suite(text, file.filename)
                           : eval::parse_text_suite(text, file.filename);
    Json json = suite_json(file);
    json["kind"] = suite ? Json(eval::kind_name(suite->kind)) : Json();
    json["items"] = suite ? Json(suite->items.size()) : Json();
    json["error"] = suite ? Json() : Json(suite.error().message);
    return json;
  });
}

void handle_create_proof(const Services& services, const Call& call) {
  answer(call, [&](std::string& param) -> Result<Json> {
    PLINTH_TRY(const Json spec, spec_of(services, call, param));
    return start_job(services, call, kProofs, spec);
  });
}

void handle_list_proofs(const Services& services, const Call& call) {
  reply_jobs(services, call, kProofs);
}

void handle_proof(const Services& services, const Call& call) {
  reply_job(services, call, kProofs);
}

void handle_cancel_proof(const Services& services, const Call& call) {
  reply_cancelled(services, call, kProofs);
}

}  // namespace plinth::server
