// "x | name": https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-filters
// tojson is transformers' one: nothing is escaped for HTML.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "text/jinja/builtins.h"
#include "text/jinja/strings.h"

namespace plinth::text::jinja {

namespace {

struct Call {
  Heap& heap;
  std::string_view name;
  const Value& value;
  const Arguments& arguments;
};

Error misfit(const Call& call) {
  return invalid("filter '{}' does not fit {}", call.name, kind_name(call.value));
}

Result<std::string> text_of(const Call& call) {
  PLINTH_TRY(std::string text, to_text(call.heap, call.value));
  PLINTH_TRY(call.heap.charge(text.size() * 4));
  return text;
}

Result<Value> length(const Call& call) {
  switch (call.value.kind) {
    case Kind::kString:
      PLINTH_TRY(call.heap.charge(call.value.string->size() / 2));
      return Value::of(character_count(*call.value.string));
    case Kind::kList:
      return Value::of(static_cast<int64_t>(call.value.list->size()));
    case Kind::kMap:
      return Value::of(static_cast<int64_t>(call.value.map->items.size()));
    case Kind::kUndefined:
      return Value::of(int64_t{0});
    default:
      return misfit(call);
  }
}

Result<Value> tojson(const Call& call) {
  JsonStyle style;
  if (const Value* indent = call.arguments.find(0, "indent");
      indent != nullptr && indent->is(Kind::kInt))
    style.indent = static_cast<int>(std::clamp<int64_t>(indent->integer, 0, 16));
  style.ascii = call.arguments.flag(9, "ensure_ascii", false);
  style.sort_keys = call.arguments.flag(9, "sort_keys", false);
  PLINTH_TRY(std::string text, to_json(call.heap, call.value, style));
  return call.heap.string(std::move(text));
}

Result<Value> default_value(const Call& call) {
  const bool missing = call.value.is(Kind::kUndefined) ||
                       (call.arguments.flag(1, "boolean", false) && !truthy(call.value));
  if (!missing) return call.value;
  const Value* fallback = call.arguments.find(0, "default_value");
  if (fallback != nullptr) return *fallback;
  return call.heap.string({});
}

// The value of a dotted attribute path of an item.
Result<Value> attribute_of(Heap& heap, Value item, const Value& path) {
  if (!path.is(Kind::kString)) return subscript(heap, item, path, nullptr);
  for (const std::string& part : split(*path.string, ".", -1, false)) {
    PLINTH_TRY(const Value key, heap.string(part));
    PLINTH_TRY(item, subscript(heap, item, key, key.string));
  }
  return item;
}

Result<Value> join(const Call& call) {
  PLINTH_TRY(const List items, iterate(call.heap, call.value));
  const Value* separator = call.arguments.find(0, "d");
  const Value* attribute = call.arguments.find(1, "attribute");
  TextBuilder out(call.heap);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && separator != nullptr) PLINTH_TRY(write_text(*separator, out));
    Value item = items[i];
    if (attribute != nullptr) {
      PLINTH_TRY(item, attribute_of(call.heap, item, *attribute));
    }
    PLINTH_TRY(write_text(item, out));
  }
  return call.heap.string(out.take());
}

Result<Value> end_of_list(const Call& call) {
  PLINTH_TRY(const List items, iterate(call.heap, call.value));
  if (items.empty()) return Value::undefined(nullptr);
  return call.name == "first" ? items.front() : items.back();
}

Result<Value> to_number(const Call& call) {
  double number = 0;
  if (call.value.is_number()) {
    if (call.name == "int" && !call.value.is(Kind::kFloat))
      return Value::of(call.value.as_integer());
    number = call.value.as_number();
  } else if (call.value.is(Kind::kString)) {
    const std::string text(strip(*call.value.string, std::nullopt, {}));
    char* end = nullptr;
    number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0') {
      const Value* fallback = call.arguments.find(0, "default");
      if (fallback != nullptr) return *fallback;
      number = 0;
    }
  }
  if (call.name == "float") return Value::of(number);
  if (!(std::fabs(number) < 9e18)) return invalid("int of {} does not fit 64 bits", number);
  return Value::of(static_cast<int64_t>(number));
}

Result<Value> items_of(const Call& call) {
  if (call.value.is(Kind::kUndefined)) return call.heap.list({});
  if (!call.value.is(Kind::kMap)) return misfit(call);
  return call_method(call.heap, call.value, "items", {});
}

// dictsort(case_sensitive, by, reverse): pairs by key, ignoring case unless told.
Result<Value> dictsort(const Call& call) {
  if (!call.value.is(Kind::kMap)) return misfit(call);
  const bool exact = call.arguments.flag(0, "case_sensitive", false);
  std::vector<std::pair<std::string, std::pair<std::string, Value>>> sorted;
  for (const auto& item : call.value.map->items) {
    PLINTH_TRY(call.heap.charge(item.first.size() * 4 + 256));
    sorted.emplace_back(exact ? item.first : lower(item.first), item);
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  if (call.arguments.flag(2, "reverse", false)) std::reverse(sorted.begin(), sorted.end());
  List out;
  for (auto& [sort_key, item] : sorted) {
    PLINTH_TRY(const Value key, call.heap.string(item.first));
    PLINTH_TRY(out.emplace_back(), call.heap.list({key, item.second}));
  }
  return call.heap.list(std::move(out));
}

// map('filter', ...) or map(attribute='a', default=b)
Result<Value> map_filter(const Call& call) {
  if (!truthy(call.value)) return call.heap.list({});  // none too
  PLINTH_TRY(const List items, iterate(call.heap, call.value));
  List out;
  const Value* attribute = call.arguments.find(SIZE_MAX, "attribute");
  const Value* fallback = call.arguments.find(SIZE_MAX, "default");
  Arguments rest;
  std::string_view filter;
  if (attribute == nullptr) {
    const Value* name = call.arguments.find(0, "filter");
    if (name == nullptr || !name->is(Kind::kString)) return misfit(call);
    filter = *name->string;
    rest = call.arguments;
    rest.positional.erase(rest.positional.begin());
  }
  for (const Value& item : items) {
    Value mapped;
    if (attribute != nullptr) {
      PLINTH_TRY(mapped, attribute_of(call.heap, item, *attribute));
      if (mapped.is(Kind::kUndefined) && fallback != nullptr) mapped = *fallback;
    } else {
      PLINTH_TRY(mapped, apply_filter(call.heap, filter, item, rest));
    }
    out.push_back(mapped);
  }
  return call.heap.list(std::move(out));
}

// select, reject, selectattr, rejectattr
Result<Value> select(const Call& call) {
  if (!truthy(call.value)) return call.heap.list({});  // none too
  PLINTH_TRY(const List items, iterate(call.heap, call.value));
  const bool by_attribute = call.name.ends_with("attr");
  const bool keep = call.name.starts_with("select");
  const size_t test_at = by_attribute ? 1 : 0;
  const auto& given = call.arguments.positional;
  if (by_attribute && given.empty()) return misfit(call);
  std::string_view test;
  Arguments rest;
  if (given.size() > test_at) {
    if (!given[test_at].is(Kind::kString)) return misfit(call);
    test = *given[test_at].string;
    rest.positional.assign(given.begin() + static_cast<std::ptrdiff_t>(test_at) + 1, given.end());
  }
  List out;
  for (const Value& item : items) {
    Value subject = item;
    if (by_attribute) {
      PLINTH_TRY(subject, attribute_of(call.heap, item, given[0]));
    }
    bool passed = truthy(subject);
    if (!test.empty()) {
      PLINTH_TRY(passed, apply_test(call.heap, test, subject, rest));
    }
    if (passed == keep) out.push_back(item);
  }
  return call.heap.list(std::move(out));
}

// Merge sort: comparisons may fail, which std::sort has no word for.
Status sort_by(Heap& heap, std::vector<std::pair<Value, Value>>& items) {
  std::vector<std::pair<Value, Value>> other(items.size());
  for (size_t width = 1; width < items.size(); width *= 2) {
    for (size_t start = 0; start < items.size(); start += 2 * width) {
      const size_t middle = std::min(start + width, items.size());
      const size_t end = std::min(start + 2 * width, items.size());
      size_t a = start;
      size_t b = middle;
      for (size_t to = start; to < end; ++to) {
        bool take_b = a == middle;
        if (!take_b && b < end) {
          PLINTH_TRY(take_b, less(heap, items[b].first, items[a].first));
        }
        other[to] = items[take_b ? b++ : a++];
      }
    }
    items.swap(other);
  }
  return {};
}

// sort(reverse, case_sensitive, attribute), also unique, min and max, which need the same keys.
Result<Value> ordered(const Call& call) {
  PLINTH_TRY(const List items, iterate(call.heap, call.value));
  const bool sorting = call.name == "sort";
  const bool exact = call.arguments.flag(sorting ? 1 : 0, "case_sensitive", false);
  const Value* attribute = call.arguments.find(sorting ? 2 : 1, "attribute");
  PLINTH_TRY(call.heap.charge(items.size() * 128));
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : items) {
    Value key = item;
    if (attribute != nullptr) {
      PLINTH_TRY(key, attribute_of(call.heap, item, *attribute));
    }
    if (!exact && key.is(Kind::kString)) {
      PLINTH_TRY(key, call.heap.string(lower(*key.string)));
    }
    keyed.emplace_back(key, item);
  }
  List out;
  if (call.name == "unique") {
    std::vector<Value> seen;
    for (const auto& [key, item] : keyed) {
      bool known = false;
      for (size_t i = 0; i < seen.size() && !known; ++i) {
        PLINTH_TRY(known, equal(call.heap, seen[i], key));
      }
      if (known) continue;
      seen.push_back(key);
      out.push_back(item);
    }
    return call.heap.list(std::move(out));
  }
  PLINTH_TRY(sort_by(call.heap, keyed));
  if (!sorting && keyed.empty()) return Value::undefined(nullptr);
  if (call.name == "min") return keyed.front().second;
  if (call.name == "max") return keyed.back().second;
  for (const auto& [key, item] : keyed) out.push_back(item);
  if (call.arguments.flag(0, "reverse", false)) std::reverse(out.begin(), out.end());
  return call.heap.list(std::move(out));
}

Result<Value> reverse(const Call& call) {
  SliceBounds back;
  back.step = Value::of(int64_t{-1});
  return slice(call.heap, call.value, back);
}

// indent(width=4, first=False, blank=False)
Result<Value> indent(const Call& call) {
  PLINTH_TRY(const std::string text, text_of(call));
  const Value* width = call.arguments.find(0, "width");
  std::string prefix(4, ' ');
  if (width != nullptr && width->is(Kind::kString)) prefix = *width->string;
  if (width != nullptr && width->is(Kind::kInt))
    prefix.assign(static_cast<size_t>(std::clamp<int64_t>(width->integer, 0, 256)), ' ');
  const bool blank = call.arguments.flag(2, "blank", false);
  TextBuilder out(call.heap);
  bool first = true;
  for (const std::string& line : split(text, "\n", -1, false)) {
    if (!first) PLINTH_TRY(out.add("\n"));
    const bool wanted = first ? call.arguments.flag(1, "first", false) : blank || !line.empty();
    if (wanted) PLINTH_TRY(out.add(prefix));
    PLINTH_TRY(out.add(line));
    first = false;
  }
  return call.heap.string(out.take());
}

Result<Value> escape(const Call& call) {
  PLINTH_TRY(const std::string text, text_of(call));
  TextBuilder out(call.heap);
  for (const char c : text) {
    switch (c) {
      case '&':
        PLINTH_TRY(out.add("&amp;"));
        break;
      case '<':
        PLINTH_TRY(out.add("&lt;"));
        break;
      case '>':
        PLINTH_TRY(out.add("&gt;"));
        break;
      case '"':
        PLINTH_TRY(out.add("&#34;"));
        break;
      case '\'':
        PLINTH_TRY(out.add("&#39;"));
        break;
      default:
        PLINTH_TRY(out.add(std::string_view(&c, 1)));
    }
  }
  return call.heap.string(out.take());
}

Result<Value> text_filter(const Call& call) {
  PLINTH_TRY(std::string text, text_of(call));
  if (call.name == "upper") return call.heap.string(upper(text));
  if (call.name == "lower") return call.heap.string(lower(text));
  if (call.name == "title") return call.heap.string(title(text));
  if (call.name == "capitalize") return call.heap.string(capitalize(text));
  return call.heap.string(std::move(text));  // string, safe
}

// trim and replace are the methods of the same meaning.
Result<Value> as_method(const Call& call) {
  PLINTH_TRY(std::string text, text_of(call));
  PLINTH_TRY(const Value value, call.heap.string(std::move(text)));
  return call_method(call.heap, value, call.name == "trim" ? "strip" : call.name, call.arguments);
}

Result<Value> absolute(const Call& call) {
  if (call.value.is(Kind::kFloat)) return Value::of(std::fabs(call.value.number));
  if (!call.value.is_number() || call.value.as_integer() == INT64_MIN) return misfit(call);
  return Value::of(int64_t{std::llabs(call.value.as_integer())});
}

// round(precision=0) to the nearest, ties to even as Python's round().
Result<Value> round_number(const Call& call) {
  if (!call.value.is_number()) return misfit(call);
  const Value* precision = call.arguments.find(0, "precision");
  const double scale =
      precision != nullptr && precision->is(Kind::kInt)
          ? std::pow(10.0, static_cast<double>(std::clamp<int64_t>(precision->integer, 0, 15)))
          : 1.0;
  return Value::of(std::nearbyint(call.value.as_number() * scale) / scale);
}

Result<Value> sum(const Call& call) {
  PLINTH_TRY(const List items, iterate(call.heap, call.value));
  const Value* attribute = call.arguments.find(0, "attribute");
  double total = 0;
  bool whole = true;
  for (Value item : items) {
    if (attribute != nullptr) {
      PLINTH_TRY(item, attribute_of(call.heap, item, *attribute));
    }
    if (!item.is_number()) return misfit(call);
    whole = whole && !item.is(Kind::kFloat);
    total += item.as_number();
  }
  if (whole && std::fabs(total) < 9e15) return Value::of(static_cast<int64_t>(total));
  return Value::of(total);
}

Result<Value> to_list(const Call& call) {
  PLINTH_TRY(List items, iterate(call.heap, call.value));
  return call.heap.list(std::move(items));
}

using Filter = Result<Value> (*)(const Call&);

constexpr std::array<std::pair<std::string_view, Filter>, 37> kFilters = {{
    {"trim", as_method},
    {"length", length},
    {"count", length},
    {"tojson", tojson},
    {"default", default_value},
    {"d", default_value},
    {"join", join},
    {"first", end_of_list},
    {"last", end_of_list},
    {"string", text_filter},
    {"int", to_number},
    {"float", to_number},
    {"list", to_list},
    {"items", items_of},
    {"dictsort", dictsort},
    {"map", map_filter},
    {"select", select},
    {"reject", select},
    {"selectattr", select},
    {"rejectattr", select},
    {"upper", text_filter},
    {"lower", text_filter},
    {"title", text_filter},
    {"capitalize", text_filter},
    {"safe", text_filter},
    {"replace", as_method},
    {"escape", escape},
    {"e", escape},
    {"abs", absolute},
    {"round", round_number},
    {"reverse", reverse},
    {"sort", ordered},
    {"unique", ordered},
    {"min", ordered},
    {"max", ordered},
    {"indent", indent},
    {"sum", sum},
}};

}  // namespace

Result<Value> apply_filter(Heap& heap, std::string_view name, const Value& value,
                           const Arguments& arguments) {
  PLINTH_TRY(heap.charge(16));
  for (const auto& [key, filter] : kFilters)
    if (key == name) return filter(Call{heap, name, value, arguments});
  return make_error(Code::kUnimplemented, "no filter is called '{}'", name);
}

}  // namespace plinth::text::jinja
