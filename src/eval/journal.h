// Answered items on disk, so that a suite which was interrupted goes on (EvalOptions::journal).
//
// A text file: the first line {"key": ...}, then a line for each item (item_json.h). A line is
// durable when add() has returned; one that was torn by a crash is dropped.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "core/file.h"
#include "eval/eval.h"

namespace plinth::eval {

class Journal {
 public:
  // With another key than `key`, or none: begun anew.
  static Result<Journal> open(const Path& path, const std::string& key);

  // What is known of an item; null: nothing.
  const ItemResult* find(const std::string& id) const;

  Status add(std::span<const ItemResult> items);

 private:
  explicit Journal(OutputFile file) : file_(std::move(file)) {}

  OutputFile file_;
  std::map<std::string, ItemResult> known_;
};

}  // namespace plinth::eval
