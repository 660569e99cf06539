// Chat completions as an answer's format, whole and streamed, with the calls of tools in them.
#pragma once

#include <memory>

#include "server/answer_call.h"
#include "server/chat_answer.h"
#include "server/chat_request.h"

namespace plinth::server {

std::unique_ptr<AnswerFormat> chat_format(const text::Tokenizer& tokenizer, AnswerHead head,
                                          const ChatRequest& request, ToolStyle style,
                                          Json citations);

}  // namespace plinth::server
