#include "server/held_choice.h"

#include <iterator>
#include <utility>

namespace plinth::server {
namespace {

void strip(engine::Event& event) {
  event.id = -1;  // neither text nor log-probabilities
  event.text.clear();
  event.top.clear();
}

// The end of a text, beginning with a whole character.
std::string tail_of(const std::string& text, size_t bytes) {
  if (text.size() <= bytes) return text;
  size_t from = text.size() - bytes;
  while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80) ++from;
  return text.substr(from);
}

}  // namespace

void HeldChoice::push(engine::Event event) {
  if (blocked_) strip(event);
  text_ += event.text;
  events_.push_back(std::move(event));
}

bool HeldChoice::due() const {
  if (text_.empty() || asking()) return false;
  return events_.back().finished || (in_pieces_ && text_.size() >= kPieceBytes);
}

std::string HeldChoice::ask() {
  n_asked_ = events_.size();
  std::string shown = before_ + std::exchange(text_, {});
  before_ = tail_of(shown, kBeforeBytes);
  return shown;
}

std::vector<engine::Event> HeldChoice::release() {
  const size_t n = asking() ? std::exchange(n_asked_, 0) : events_.size();
  if (n == events_.size()) text_.clear();
  const auto end = events_.begin() + static_cast<std::ptrdiff_t>(n);
  std::vector<engine::Event> out(std::make_move_iterator(events_.begin()),
                                 std::make_move_iterator(end));
  events_.erase(events_.begin(), end);
  return out;
}

void HeldChoice::block() {
  blocked_ = true;
  for (engine::Event& event : events_) strip(event);
  text_.clear();
}

}  // namespace plinth::server
