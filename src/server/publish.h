// The gate between a proven domain model and the name that people call.
#pragma once

#include <string>
#include <string_view>

#include "core/file.h"
#include "core/result.h"
#include "knowledge/knowledge.h"
#include "store/store.h"

namespace plinth::server {

struct PublishRequest {
  std::string name = {};
  std::string base_digest = {};
  Path adapter = {};               // a PEFT folder or a GGUF file; empty: the plain base
  std::string chat_template = {};  // empty: the base's own
  std::string system_prompt = {};
  const knowledge::Index* knowledge = nullptr;  // null: none
  bool knowledge_in_prompt = false;
  // JSON object as proving writes it: "passed", "reasons" [{"passed", "text"}], and the figures.
  std::string verdict = {};
};

// Stores adapter and knowledge, makes the release and points its name at it. Requests in flight end
// on the release that they began with. kFailedPrecondition with the verdict's reasons when it did
// not pass: then nothing is stored.
Result<store::Release> publish(store::Store& store, const PublishRequest& request);

}  // namespace plinth::server
