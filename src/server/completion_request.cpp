#include "server/completion_request.h"

namespace plinth::server {
namespace {

constexpr int64_t kTopLogprobsMax = 20;

}  // namespace

Result<CompletionRequest> parse_completion_request(std::string_view body, std::string& param) {
  PLINTH_TRY(const Json json, parse_object(body, param));
  const Fields fields(json, param);
  CompletionRequest request;
  PLINTH_TRY(request.model, fields.text("model"));
  if (const Json* suffix = fields.find("suffix"); suffix != nullptr && *suffix != "")
    return invalid("suffix: text is only continued here, not filled in");
  PLINTH_TRY(request.prompts, parse_inputs(fields, "prompt", CompletionRequest::kPromptsMax));
  PLINTH_TRY(parse_sampling(fields, request.sampling));
  PLINTH_TRY(request.stop, parse_stop(fields));
  PLINTH_TRY(request.stop_tokens, parse_stop_tokens(fields));
  PLINTH_TRY(request.ignore_eos, fields.flag("ignore_eos", false));
  PLINTH_TRY(request.urgency, parse_urgency(fields));
  PLINTH_TRY(request.echo, fields.flag("echo", false));
  PLINTH_TRY(request.tokens_max, fields.integer("max_tokens", 16, 0, kNumberMax));
  if (request.tokens_max == 0 && !request.echo)
    return invalid("max_tokens: 0 leaves nothing to answer without echo");
  request.logprobs = fields.find("logprobs") != nullptr;
  PLINTH_TRY(const int64_t top, fields.integer("logprobs", 0, 0, kTopLogprobsMax));
  request.sampling.top_logprobs = static_cast<int32_t>(top);
  PLINTH_TRY(const int64_t n, fields.integer("n", 1, 1, engine::kChoicesMax));
  request.n = static_cast<int32_t>(n);
  PLINTH_TRY(const int64_t best, fields.integer("best_of", n, 1, engine::kChoicesMax));
  if (best != n) return invalid("best_of: {} is not n, {}: all choices are returned", best, n);
  PLINTH_TRY(const StreamChoice streaming, parse_stream(fields, param));
  request.stream = streaming.stream;
  request.include_usage = streaming.include_usage;
  PLINTH_TRY(fields.text_or("user", ""));
  PLINTH_TRY(fields.nothing_else());
  param.clear();
  return request;
}

}  // namespace plinth::server
