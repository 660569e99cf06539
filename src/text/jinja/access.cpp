// Arguments, indexing, slices, membership and iteration.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/strings.h"

namespace plinth::text::jinja {

const Value* Arguments::find(size_t position, std::string_view name) const {
  if (position < positional.size()) return &positional[position];
  for (const auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

bool Arguments::flag(size_t position, std::string_view name, bool fallback) const {
  const Value* value = find(position, name);
  return value == nullptr ? fallback : truthy(*value);
}

Result<Value> subscript(Heap& heap, const Value& object, const Value& key,
                        const std::string* name) {
  switch (object.kind) {
    case Kind::kMap: {
      if (!key.is(Kind::kString)) return Value::undefined(name);
      PLINTH_TRY(heap.charge(object.map->items.size() / 4));
      const Value* found = object.map->find(*key.string);
      return found != nullptr ? *found : Value::undefined(name);
    }
    case Kind::kList: {
      if (!key.is(Kind::kInt)) return Value::undefined(name);
      const auto size = static_cast<int64_t>(object.list->size());
      const int64_t at = key.integer < 0 ? key.integer + size : key.integer;
      if (at < 0 || at >= size) return Value::undefined(name);
      return (*object.list)[static_cast<size_t>(at)];
    }
    case Kind::kString: {
      if (!key.is(Kind::kInt)) return Value::undefined(name);
      PLINTH_TRY(heap.charge(object.string->size() * 16));
      const auto all = characters(*object.string);
      const auto size = static_cast<int64_t>(all.size());
      const int64_t at = key.integer < 0 ? key.integer + size : key.integer;
      if (at < 0 || at >= size) return Value::undefined(name);
      return heap.string(std::string(all[static_cast<size_t>(at)]));
    }
    case Kind::kUndefined:
      return invalid("'{}' is undefined", object.string != nullptr ? *object.string : "value");
    default:
      return Value::undefined(name);
  }
}

namespace {

struct Range {
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};

// Python's slice.indices().
Result<Range> resolve(const SliceBounds& bounds, int64_t size) {
  const auto given = [](const Value& value) {
    return !value.is(Kind::kUndefined) && !value.is(Kind::kNone);
  };
  for (const Value* bound : {&bounds.start, &bounds.stop, &bounds.step})
    if (given(*bound) && !bound->is(Kind::kInt))
      return invalid("a slice bound is {}, not an integer", kind_name(*bound));
  Range range;
  // Beyond the size every step is the same one.
  if (given(bounds.step)) range.step = std::clamp(bounds.step.integer, -size - 1, size + 1);
  if (given(bounds.step) && bounds.step.integer == 0) return invalid("a slice step is 0");
  const bool back = range.step < 0;
  const auto place = [&](const Value& bound, int64_t fallback) {
    if (!given(bound)) return fallback;
    const int64_t at =
        bound.integer < 0 ? std::max(bound.integer, -size - 1) + size : bound.integer;
    return std::clamp(at, back ? int64_t{-1} : int64_t{0}, back ? size - 1 : size);
  };
  range.start = place(bounds.start, back ? size - 1 : 0);
  const int64_t stop = place(bounds.stop, back ? -1 : size);
  const int64_t distance = back ? range.start - stop : stop - range.start;
  const int64_t step = back ? -range.step : range.step;
  range.count = distance <= 0 ? 0 : (distance + step - 1) / step;
  return range;
}

}  // namespace

Result<Value> slice(Heap& heap, const Value& object, const SliceBounds& bounds) {
  if (object.is(Kind::kList)) {
    PLINTH_TRY(const Range range, resolve(bounds, static_cast<int64_t>(object.list->size())));
    PLINTH_TRY(heap.charge(static_cast<size_t>(range.count) * sizeof(Value)));
    List out;
    for (int64_t i = 0; i < range.count; ++i)
      out.push_back((*object.list)[static_cast<size_t>(range.start + i * range.step)]);
    return heap.list(std::move(out));
  }
  if (object.is(Kind::kString)) {
    PLINTH_TRY(heap.charge(object.string->size() * 16));
    const auto all = characters(*object.string);
    PLINTH_TRY(const Range range, resolve(bounds, static_cast<int64_t>(all.size())));
    std::string out;
    for (int64_t i = 0; i < range.count; ++i)
      out += all[static_cast<size_t>(range.start + i * range.step)];
    return heap.string(std::move(out));
  }
  return invalid("cannot slice {}", kind_name(object));
}

Result<bool> contains(Heap& heap, const Value& haystack, const Value& needle) {
  switch (haystack.kind) {
    case Kind::kString:
      if (!needle.is(Kind::kString)) return invalid("'in' a string needs a string on its left");
      PLINTH_TRY(heap.charge(haystack.string->size() / 8));
      return haystack.string->find(*needle.string) != std::string::npos;
    case Kind::kMap:
      PLINTH_TRY(heap.charge(haystack.map->items.size() / 4));
      return needle.is(Kind::kString) && haystack.map->find(*needle.string) != nullptr;
    case Kind::kList:
      for (const Value& item : *haystack.list) {
        PLINTH_TRY(const bool same, equal(heap, item, needle));
        if (same) return true;
      }
      return false;
    case Kind::kUndefined:
      return false;
    default:
      return invalid("'in' {} is not possible", kind_name(haystack));
  }
}

Result<List> iterate(Heap& heap, const Value& value) {
  switch (value.kind) {
    case Kind::kList:
      PLINTH_TRY(heap.charge(value.list->size() * sizeof(Value)));
      return *value.list;
    case Kind::kMap: {
      List keys;
      for (const auto& [key, item] : value.map->items) {
        PLINTH_TRY(keys.emplace_back(), heap.string(key));
      }
      return keys;
    }
    case Kind::kString: {
      PLINTH_TRY(heap.charge(value.string->size() * 16));
      List out;
      for (const std::string_view c : characters(*value.string)) {
        PLINTH_TRY(out.emplace_back(), heap.string(std::string(c)));
      }
      return out;
    }
    case Kind::kUndefined:
      return List{};
    default:
      return invalid("cannot iterate over {}", kind_name(value));
  }
}

}  // namespace plinth::text::jinja
