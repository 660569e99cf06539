// Responses as an answer's format: items (messages and calls of functions), whole and as events.
#pragma once

#include <memory>

#include "server/answer_call.h"
#include "server/chat_answer.h"
#include "server/chat_request.h"

namespace plinth::server {

// `echo`: what the answer repeats of the request.
std::unique_ptr<AnswerFormat> response_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                              const ChatRequest& request, ToolStyle style,
                                              Json echo, Json citations);

}  // namespace plinth::server
