// What templates can call: filters, tests, methods of strings, lists and mappings, and indexing.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "text/jinja/value.h"

namespace plinth::text::jinja {

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;  // names live in the program

  // By position, else by name; null when not given.
  const Value* find(size_t position, std::string_view name) const;
  bool flag(size_t position, std::string_view name, bool fallback) const;
};

// value | name(arguments)
Result<Value> apply_filter(Heap& heap, std::string_view name, const Value& value,
                           const Arguments& arguments);

// value is name(arguments)
Result<bool> apply_test(Heap& heap, std::string_view name, const Value& value,
                        const Arguments& arguments);

// value.name(arguments)
Result<Value> call_method(Heap& heap, const Value& value, std::string_view name,
                          const Arguments& arguments);

// object[key]; undefined when there is none. `name` is what an undefined result is called.
Result<Value> subscript(Heap& heap, const Value& object, const Value& key, const std::string* name);

struct SliceBounds {
  Value start;
  Value stop;
  Value step;
};

// object[start:stop:step] with Python's rules; undefined or none bounds are left out.
Result<Value> slice(Heap& heap, const Value& object, const SliceBounds& bounds);

// needle in haystack
Result<bool> contains(Heap& heap, const Value& haystack, const Value& needle);

// What a for loop sees: list items, mapping keys, characters; nothing for undefined.
Result<List> iterate(Heap& heap, const Value& value);

}  // namespace plinth::text::jinja
