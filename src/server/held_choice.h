// One choice's events, held back until a moderator has judged their text. Pure: events in, texts to
// ask about and events out.
//
// A streamed answer is judged in pieces: what has come since the last judgement, once it is
// kPieceBytes long or the choice has ended. Any other is judged once, at its end. A piece is shown
// with up to kBeforeBytes of the text before it: what is wrong may begin there.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace plinth::server {

class HeldChoice {
 public:
  static constexpr size_t kPieceBytes = 256;
  static constexpr size_t kBeforeBytes = 1024;

  explicit HeldChoice(bool in_pieces) : in_pieces_(in_pieces) {}

  void push(engine::Event event);

  // Something is to be asked now, or is being asked: nothing may go out before its judgement.
  bool due() const;

  bool asking() const { return n_asked_ > 0; }

  // No text waits that nobody has judged.
  bool clear() const { return text_.empty(); }

  // The text to judge. Until release() nothing else is due. Only when due().
  std::string ask();

  // What may go out: the events that were asked about, or all when nothing is being asked.
  std::vector<engine::Event> release();

  // The judgement was no: nothing of what is held, or comes from now on, has text or tokens.
  void block();

 private:
  bool in_pieces_;
  bool blocked_ = false;
  std::vector<engine::Event> events_;
  size_t n_asked_ = 0;  // of events_
  std::string text_;    // of events_ behind those
  std::string before_;  // the end of what was asked before
};

}  // namespace plinth::server
