#include "train/tuning/handshake.h"

#include <string_view>
#include <vector>

#include "core/json.h"
#include "train/tuning/wire.h"

namespace plinth::train {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Result<std::string> receive_text(Peers& peers, int64_t from) {
  PLINTH_TRY(auto message, receive_message(peers, from));
  return message.rest();
}

// Why rank `rank` of `ranks` cannot take part; empty: it can.
std::string difference(const Facts& leader, const Json& facts) {
  if (facts.contains("error")) return facts["error"].get<std::string>();
  std::map<std::string, std::string> all = leader;
  const auto theirs = facts["facts"].get<Facts>();
  for (const auto& [name, value] : theirs) all.emplace(name, "(absent)");
  for (const auto& [name, value] : all) {
    const auto found = theirs.find(name);
    const std::string there = found == theirs.end() ? "(absent)" : found->second;
    if (there != value)
      return fmt::format("{} is {} there, {} on rank 0: all ranks must be given the same", name,
                         there, value);
  }
  return {};
}

Result<std::string> judge(Peers& peers, const Result<Facts>& own) {
  std::string verdict = own ? std::string() : own.error().message;
  for (int64_t from = 1; from < peers.ranks(); ++from) {
    PLINTH_TRY(const auto text, receive_text(peers, from));
    PLINTH_TRY(const auto facts, parse_json(text, fmt::format("rank {}", from)));
    if (!verdict.empty()) continue;
    if (const auto why = difference(*own, facts); !why.empty())
      verdict = fmt::format("rank {} of {}: {}", from, peers.ranks(), why);
  }
  for (int64_t to = 1; to < peers.ranks(); ++to)
    PLINTH_TRY(send_message(peers, bytes_of(verdict), to));
  return verdict;
}

Result<std::string> ask(Peers& peers, const Result<Facts>& own) {
  const Json message = own ? Json{{"facts", *own}} : Json{{"error", own.error().message}};
  PLINTH_TRY(send_message(peers, bytes_of(to_text(message)), 0));
  return receive_text(peers, 0);
}

}  // namespace

Status shake_hands(Peers& peers, const Result<Facts>& own) {
  PLINTH_TRY(const auto verdict, peers.rank() == 0 ? judge(peers, own) : ask(peers, own));
  if (verdict.empty()) return {};
  peers.leave();  // all of them do
  return Error{own ? Code::kFailedPrecondition : own.error().code, verdict};
}

}  // namespace plinth::train
