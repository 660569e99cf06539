#include "server/openai_completions.h"

#include <utility>

#include "server/completion_format.h"
#include "server/reading_batch.h"
#include "server/text_input.h"

namespace plinth::server {
namespace {

// The prompts are known (and read, where that was asked for): now the answers.
void answer(const Services& services, const Call& call, const CompletionRequest& request,
            const DomainModelPtr& model, const std::vector<ReadPrompt>& prompts) {
  AnswerPlan plan{.model = request.model,
                  .release = model,
                  .stream = request.stream,
                  .prompts_only = request.tokens_max == 0};
  for (const ReadPrompt& prompt : prompts) plan.core_s += prompt.reading.core_s;
  for (const ReadPrompt& prompt : prompts)
    plan.requests.push_back({.prompt = prompt.tokens,
                             .sampling = request.sampling,
                             .tokens_max = request.tokens_max,
                             .stop = request.stop,
                             .stop_tokens = request.stop_tokens,
                             .n = request.n});
  for (engine::Request& work : plan.requests) request.urgency.set(work);
  if (request.ignore_eos)
    for (engine::Request& work : plan.requests)
      ignore_ends(services.engine.model().tokenizer(), work);
  plan.format = completion_format(services.engine.model().tokenizer(),
                                  answer_head("cmpl-", call, *model, request.model), request,
                                  request.echo ? prompts : std::vector<ReadPrompt>());
  AnswerCall::start(services, call, std::move(plan));
}

}  // namespace

void handle_completions(const Services& services, const Call& call) {
  std::string param;
  auto request = parse_completion_request(call.exchange->request().body, param);
  if (!request) return refuse(call, {.error = request.error(), .param = param});
  const DomainModelPtr model = find_model(services, call, request->model);
  if (model == nullptr) return;

  const auto filter = services.settings.filter();
  // They would spell out what is masked.
  if (filter != nullptr && request->logprobs)
    return refuse(call, {.error = invalid("logprobs: not given where answers are filtered"),
                         .param = "logprobs"});
  if (filter != nullptr)
    for (TextOrTokens& prompt : request->prompts) {
      // Ids are words as well.
      if (!prompt.is_text)
        prompt = {.text = services.engine.model().tokenizer().decode(prompt.tokens, true)};
      if (const Status fine = filter->check_input(prompt.text); !fine)
        return refuse(call, {.error = fine.error(), .param = "prompt", .code = "content_filter"});
    }

  const engine::Engine& engine = services.engine;
  // An answer needs room for one token.
  const int64_t room = engine.model().config().context - (request->tokens_max > 0 ? 1 : 0);
  std::vector<ReadPrompt> prompts;
  for (size_t i = 0; i < request->prompts.size(); ++i) {
    const std::string place =
        request->prompts.size() == 1 ? "prompt" : fmt::format("prompt[{}]", i);
    auto tokens = to_tokens(engine.model().tokenizer(), request->prompts[i], true, room, place);
    if (!tokens) return refuse(call, {.error = tokens.error(), .param = "prompt"});
    prompts.push_back({.tokens = *std::move(tokens)});
  }
  if (!request->echo || !request->logprobs) return answer(services, call, *request, model, prompts);

  std::vector<engine::ReadRequest> reads;
  for (const ReadPrompt& prompt : prompts)
    reads.push_back({.tokens = prompt.tokens,
                     .top_logprobs = request->sampling.top_logprobs,
                     .registered = model->adapter});
  ReadingBatch::start(
      services, call, std::move(reads),
      [services, call, request = *std::move(request), model, prompts](
          Result<std::vector<engine::Reading>> readings, const engine::Usage& used) mutable {
        if (!readings) {
          ReadingBatch::bill_failed(services, call, request.model, model->digest, used);
          return refuse(call, {.error = readings.error()});
        }
        for (size_t i = 0; i < prompts.size(); ++i) prompts[i].reading = (*readings)[i];
        answer(services, call, request, model, prompts);
      });
}

}  // namespace plinth::server
