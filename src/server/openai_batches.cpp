#include "server/openai_batches.h"

#include <algorithm>
#include <array>
#include <utility>

#include "server/access.h"
#include "server/batch_runner.h"
#include "server/request_fields.h"
#include "server/url.h"

namespace plinth::server {
namespace {

constexpr std::array<std::string_view, 3> kEndpoints = {"/v1/chat/completions", "/v1/completions",
                                                        "/v1/embeddings"};

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json batch_json(const store::Batch& batch) {
  const auto ended = [&](std::string_view state) {
    return batch.state == state ? Json(batch.ended_ms / 1000) : Json();
  };
  const int64_t created_s = batch.created_ms / 1000;
  const Json errors =
      batch.error.empty()
          ? Json()
          : Json{{"object", "list"},
                 {"data", Json::array({{{"code", "invalid_input"}, {"message", batch.error}}})}};
  const auto metadata = parse_json(batch.metadata, "metadata");
  return {{"id", batch.id},
          {"object", "batch"},
          {"endpoint", batch.endpoint},
          {"errors", errors},
          {"input_file_id", batch.input_file},
          {"completion_window", "24h"},
          {"status", batch.state},
          {"output_file_id", text_or_null(batch.output_file)},
          {"error_file_id", text_or_null(batch.error_file)},
          {"created_at", created_s},
          {"in_progress_at", created_s},
          {"expires_at", created_s + kBatchWindowMs / 1000},
          {"completed_at", ended("completed")},
          {"failed_at", ended("failed")},
          {"expired_at", ended("expired")},
          {"cancelled_at", ended("cancelled")},
          {"request_counts",
           {{"total", batch.total}, {"completed", batch.completed}, {"failed", batch.failed}}},
          {"metadata", metadata ? *metadata : Json()}};
}

Result<store::Batch> create(const Services& services, const Call& call, std::string& param) {
  PLINTH_TRY(const Json body, parse_object(call.exchange->request().body, param));
  const Fields fields(body, param);
  store::Batch batch{.tenant_id = call.key.tenant_id, .key_id = call.key.id};
  PLINTH_TRY(batch.input_file, fields.text("input_file_id"));
  PLINTH_TRY(services.store.file(batch.tenant_id, batch.input_file));
  PLINTH_TRY(batch.endpoint, fields.text("endpoint"));
  if (std::ranges::find(kEndpoints, batch.endpoint) == kEndpoints.end())
    return invalid("endpoint: {} cannot be asked in batches", batch.endpoint);
  PLINTH_TRY(const std::string window, fields.text("completion_window"));
  if (window != "24h") return invalid("completion_window: only 24h");
  PLINTH_TRY(check_metadata(fields));
  if (const Json* metadata = fields.find("metadata")) batch.metadata = to_text(*metadata);
  PLINTH_TRY(fields.nothing_else());
  return services.store.start_batch(batch);
}

}  // namespace

void handle_create_batch(const Services& services, const Call& call) {
  std::string param;
  // A batch asks for answers: a key that may not ask for them may not start one.
  const auto batch = may(call.key, Action::kInfer)
                         ? create(services, call, param)
                         : Result<store::Batch>(make_error(Code::kPermissionDenied,
                                                           "this key may not ask for answers"));
  if (!batch) return refuse(call, {.error = batch.error(), .param = param});
  services.batches.wake();
  call.exchange->reply({.body = to_text(batch_json(*batch))});
}

void handle_list_batches(const Services& services, const Call& call) {
  const auto batches = services.store.batches(call.key.tenant_id);
  if (!batches) return refuse(call, {.error = batches.error()});
  std::vector<std::string> ids;
  for (const auto& one : *batches) ids.push_back(one.id);
  const Page page = page_of(call.exchange->request().query, ids);
  Json data = Json::array();
  for (size_t i = page.begin; i < page.end; ++i) data.push_back(batch_json((*batches)[i]));
  call.exchange->reply(
      {.body = to_text(
           {{"object", "list"}, {"data", std::move(data)}, {"has_more", page.end < ids.size()}})});
}

void handle_batch(const Services& services, const Call& call) {
  const auto batch = services.store.batch(call.key.tenant_id, call.argument);
  if (!batch) return refuse(call, {.error = batch.error()});
  call.exchange->reply({.body = to_text(batch_json(*batch))});
}

void handle_cancel_batch(const Services& services, const Call& call) {
  const auto cancelled = services.store.cancel_batch(call.key.tenant_id, call.argument);
  if (!cancelled) return refuse(call, {.error = cancelled.error()});
  services.batches.wake();
  handle_batch(services, call);
}

}  // namespace plinth::server
