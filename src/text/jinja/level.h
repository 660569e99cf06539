// Nesting, counted: parser and interpreter refuse what is too deep before the stack does.
#pragma once

namespace plinth::text::jinja {

// One level deeper for as long as it lives.
class Level {
 public:
  explicit Level(int& depth) : depth_(&depth) { ++depth; }

  ~Level() { --*depth_; }

  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  int* depth_;  // outlives the level: a member of whoever recurses
};

}  // namespace plinth::text::jinja
