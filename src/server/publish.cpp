#include "server/publish.h"

#include "core/json.h"
#include "server/tune_spec.h"

namespace plinth::server {
namespace {

Status check_verdict(const PublishRequest& request) {
  PLINTH_TRY(const Json verdict, parse_json(request.verdict, request.name + ": verdict"));
  if (!verdict.is_object()) return invalid("{}: the verdict is not an object", request.name);
  if (bool_or(verdict, "passed", false)) return {};
  std::string reasons;
  if (const auto it = verdict.find("reasons"); it != verdict.end() && it->is_array())
    for (const Json& reason : *it)
      if (reason.is_object() && !bool_or(reason, "passed", false))
        reasons += (reasons.empty() ? "" : "; ") + string_or(reason, "text", "");
  return make_error(Code::kFailedPrecondition, "{}: the verdict did not pass: {}", request.name,
                    reasons.empty() ? "it gives no reasons" : reasons);
}

}  // namespace

Result<store::Release> publish(store::Store& store, const PublishRequest& request) {
  if (request.name.starts_with(kTunedPrefix))
    return invalid("{}: names that begin with {} are those of tuning jobs", request.name,
                   kTunedPrefix);
  PLINTH_TRY(check_verdict(request));
  store::Release release;
  release.name = request.name;
  release.base_digest = request.base_digest;
  release.chat_template = request.chat_template;
  release.system_prompt = request.system_prompt;
  release.knowledge_in_prompt = request.knowledge_in_prompt;
  release.verdict = request.verdict;
  if (!request.adapter.empty()) {
    PLINTH_TRY(const auto stored,
               store.add_adapter(request.adapter, request.name, request.base_digest));
    release.adapter_digest = stored.digest;
  }
  if (request.knowledge != nullptr) {
    PLINTH_TRY(release.knowledge_digest, store.artifacts().put(request.knowledge->bytes()));
  }
  return store.publish(release);
}

}  // namespace plinth::server
