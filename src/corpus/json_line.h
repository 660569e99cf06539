// JSON text without a tree in between: the lines and facts of documents, which a run writes by the
// million. The same bytes as to_text() of the same Json, given that the names of an object's
// members come in their order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace plinth::corpus {

// Appends to a string that outlives it.
class JsonLine {
 public:
  explicit JsonLine(std::string& out) : out_(out) {}

  void open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
  }

  void close(char bracket) {
    out_ += bracket;
    first_ = false;
  }

  // A member's name: one without anything to escape. Its value comes next.
  void name(std::string_view text);

  void text(std::string_view value);  // invalid UTF-8 becomes U+FFFD
  void integer(int64_t value);
  void number(double value);
  void flag(bool value);
  void null();
  void texts(std::span<const std::string> values);

 private:
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace plinth::corpus
