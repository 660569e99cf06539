// Load on an OpenAI-compatible server, ours or another: streamed requests over HTTP from one
// thread, and when each piece of each answer came.
//
// Closed loop: so many users, each sends its next request when its last answer has ended. Open
// loop: requests arrive at a rate, at random moments, whether the server keeps up or not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace plinth::cli {

struct Load {
  std::string url = "http://127.0.0.1:8471/v1";
  std::string key = {};
  std::vector<std::string> models = {};  // request i asks for model i, and again from the first
  std::vector<Json> fields = {};         // objects merged into the body of request i, likewise
  bool chat = false;                     // chat/completions with words; else completions with ids
  int64_t requests = 64;
  int64_t users = 16;  // closed loop
  double rate = 0;     // requests a second; above 0: open loop
  int64_t prompt_tokens = 64;
  int64_t shared_tokens = 0;  // of the prompt, the same in all requests
  int64_t answer_tokens = 64;
  // Prompts are random ids below this, of a range that every vocabulary has.
  int64_t vocabulary = 5000;
  // Of the prompts. Another load with the same seed finds them in the server's prefix cache.
  int64_t seed = 1;
  int64_t arrivals = 1;  // seed of the moments at which requests of an open loop arrive
};

// One request as its user saw it, in seconds since the load began.
struct Seen {
  double sent_s = 0;
  double ended_s = 0;
  std::vector<double> pieces_s = {};  // when each piece of text came
  int64_t prompt_tokens = 0;          // as the server counted
  int64_t answer_tokens = 0;          // as the server counted; without usage, pieces
  std::string error = {};             // empty: an answer to its end

  double first_s() const { return pieces_s.empty() ? 0 : pieces_s.front() - sent_s; }
};

// In the order of sending. Requests that fail are results too; an error is a load that could not
// begin, kCancelled when interrupted.
Result<std::vector<Seen>> run_load(const Load& load);

}  // namespace plinth::cli
