// Tool calls found in an answer while it is written. One per choice.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/tools.h"

namespace plinth::server {

class ToolParser {
 public:
  // A piece of one call, in OpenAI's streaming sense: the first piece of a call has id and name,
  // the pieces' arguments put together are a JSON text.
  struct CallPiece {
    size_t index = 0;
    std::string id = {};
    std::string name = {};
    std::string arguments = {};
  };

  struct Piece {
    std::string content = {};  // text that is no call
    std::vector<CallPiece> calls = {};

    bool empty() const { return content.empty() && calls.empty(); }
  };

  // Calls of functions that are not in `names` are text. `inside`: the prompt ended with the
  // trigger. With `single` all calls but the first are left out.
  ToolParser(ToolStyle style, std::vector<std::string> names, bool inside, bool single);

  // The answer goes on with this text. `trigger`: its token was the trigger, a special one that has
  // no text.
  Piece push(std::string_view text, bool trigger = false);
  // The answer has ended: what was held back, as it stands.
  Piece finish();

  // So far; then the answer's finish_reason is tool_calls.
  size_t calls() const { return calls_; }

 private:
  enum class State { kText, kBetween, kCall };

  void read(Piece& piece, bool ended);
  bool read_text(Piece& piece, bool ended);
  bool read_between(Piece& piece, bool ended);
  bool read_call(Piece& piece, bool ended);
  void scan();
  void give(Piece& piece);
  void give_up(Piece& piece);

  ToolStyle style_;
  std::string trigger_;
  std::vector<std::string> names_;
  bool single_;
  State state_;
  std::string pending_;  // not yet read: text, or the current call from its {
  bool begun_ = false;   // something but white space has come
  size_t calls_ = 0;

  // Of the current call: an object read character by character.
  size_t at_ = 0;  // in pending_
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  size_t string_begin_ = 0;
  std::string key_;  // the last string at depth 1
  bool in_value_ = false;
  size_t value_begin_ = 0;
  std::string name_;
  bool has_arguments_ = false;
  size_t arguments_begin_ = 0;
  size_t arguments_end_ = 0;  // 0: not yet there
  bool done_ = false;
  bool given_ = false;          // id and name were
  size_t arguments_given_ = 0;  // in pending_
};

}  // namespace plinth::server
