// POST /v1/chat/completions, and what else is a chat underneath.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/answer_call.h"
#include "server/chat_request.h"
#include "server/services.h"

namespace plinth::server {

void handle_chat(const Services& services, const Call& call);

// Makes the answer's format, when everything else about the request was found to be fine. The
// citations are null for a model without knowledge.
using MakeFormat = std::function<std::unique_ptr<AnswerFormat>(
    const DomainModel& model, const ChatRequest& request, Json citations)>;

// Answers a request that was parsed. `place` is what the client calls its conversation, "messages"
// or "input".
void answer_chat(const Services& services, const Call& call, ChatRequest request,
                 const std::string& place, const MakeFormat& make_format);

}  // namespace plinth::server
