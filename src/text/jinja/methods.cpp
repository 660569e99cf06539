// Methods of Python's strings, lists and mappings that do not change their object.
#include <algorithm>
#include <charconv>
#include <optional>

#include "text/jinja/builtins.h"
#include "text/jinja/strings.h"

namespace plinth::text::jinja {

namespace {

Error bad_arguments(std::string_view name) {
  return invalid("wrong arguments for .{}()", name);
}

// An argument that is a string, none, or left out.
Result<std::optional<std::string_view>> optional_text(const Arguments& arguments, size_t position,
                                                      std::string_view name,
                                                      std::string_view method) {
  const Value* value = arguments.find(position, name);
  if (value == nullptr || value->is(Kind::kNone)) return std::optional<std::string_view>();
  if (!value->is(Kind::kString)) return bad_arguments(method);
  return std::optional<std::string_view>(*value->string);
}

Result<bool> any_of(const Value& candidates, std::string_view method, auto&& matches) {
  if (candidates.is(Kind::kString)) return matches(*candidates.string);
  if (!candidates.is(Kind::kList)) return bad_arguments(method);
  for (const Value& one : *candidates.list)
    if (one.is(Kind::kString) && matches(*one.string)) return true;
  return false;
}

Result<Value> split_method(Heap& heap, const std::string& text, std::string_view name,
                           const Arguments& arguments) {
  PLINTH_TRY(const auto separator, optional_text(arguments, 0, "sep", name));
  if (separator && separator->empty()) return invalid("split at an empty separator");
  const Value* limit = arguments.find(1, "maxsplit");
  if (limit != nullptr && !limit->is(Kind::kInt)) return bad_arguments(name);
  PLINTH_TRY(heap.charge(text.size() * 48));
  List parts;
  for (std::string& part :
       split(text, separator, limit == nullptr ? -1 : limit->integer, name == "rsplit")) {
    PLINTH_TRY(parts.emplace_back(), heap.string(std::move(part)));
  }
  return heap.list(std::move(parts));
}

Result<Value> replace_method(Heap& heap, const std::string& text, const Arguments& arguments) {
  PLINTH_TRY(const auto from, optional_text(arguments, 0, "old", "replace"));
  PLINTH_TRY(const auto to, optional_text(arguments, 1, "new", "replace"));
  const Value* limit = arguments.find(2, "count");
  if (!from || !to || (limit != nullptr && !limit->is(Kind::kInt))) return bad_arguments("replace");
  int64_t left = limit == nullptr || limit->integer < 0 ? INT64_MAX : limit->integer;
  TextBuilder out(heap);
  size_t at = 0;
  if (from->empty()) {
    for (const std::string_view c : characters(text)) {
      if (left-- > 0) PLINTH_TRY(out.add(*to));
      PLINTH_TRY(out.add(c));
    }
    if (left > 0) PLINTH_TRY(out.add(*to));
    return heap.string(out.take());
  }
  while (left-- > 0) {
    const size_t hit = text.find(*from, at);
    if (hit == text.npos) break;
    PLINTH_TRY(out.add(std::string_view(text).substr(at, hit - at)));
    PLINTH_TRY(out.add(*to));
    at = hit + from->size();
  }
  PLINTH_TRY(out.add(std::string_view(text).substr(at)));
  return heap.string(out.take());
}

// "{} and {1}".format(...) without format specifications.
Result<Value> format_method(Heap& heap, const std::string& text, const Arguments& arguments) {
  TextBuilder out(heap);
  size_t next = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      PLINTH_TRY(out.add(std::string_view(&text[i++], 1)));
    } else if (c == '{') {
      const size_t close = text.find('}', i);
      if (close == text.npos) return invalid("format string '{}' has an open brace", text);
      const std::string_view field = std::string_view(text).substr(i + 1, close - i - 1);
      size_t position = field.empty() ? next++ : SIZE_MAX;
      std::from_chars(field.data(), field.data() + field.size(), position);
      const Value* value = arguments.find(position, field);
      if (value == nullptr) return invalid("format string '{}' has no value for '{}'", text, field);
      PLINTH_TRY(write_text(*value, out));
      i = close;
    } else {
      PLINTH_TRY(out.add(std::string_view(&text[i], 1)));
    }
  }
  return heap.string(out.take());
}

Result<Value> string_method(Heap& heap, const std::string& text, std::string_view name,
                            const Arguments& arguments) {
  PLINTH_TRY(heap.charge(text.size()));
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    PLINTH_TRY(const auto set, optional_text(arguments, 0, "chars", name));
    return heap.string(std::string(strip(text, set, {name != "rstrip", name != "lstrip"})));
  }
  if (name == "split" || name == "rsplit") return split_method(heap, text, name, arguments);
  if (name == "startswith" || name == "endswith") {
    const Value* prefix = arguments.find(0, "prefix");
    if (prefix == nullptr) return bad_arguments(name);
    PLINTH_TRY(const bool found, any_of(*prefix, name, [&](const std::string& part) {
                 return name == "startswith" ? text.starts_with(part) : text.ends_with(part);
               }));
    return Value::of(found);
  }
  if (name == "replace") return replace_method(heap, text, arguments);
  if (name == "upper") return heap.string(upper(text));
  if (name == "lower") return heap.string(lower(text));
  if (name == "title") return heap.string(title(text));
  if (name == "capitalize") return heap.string(capitalize(text));
  if (name == "format") return format_method(heap, text, arguments);
  if (name == "join" && arguments.positional.size() == 1) {
    Arguments join;
    PLINTH_TRY(join.positional.emplace_back(), heap.string(text));
    return apply_filter(heap, "join", arguments.positional[0], join);
  }
  if (name == "find" || name == "count") {
    PLINTH_TRY(const auto part, optional_text(arguments, 0, "sub", name));
    if (!part || part->empty()) return bad_arguments(name);
    const size_t hit = text.find(*part);
    if (name == "find")
      return Value::of(hit == text.npos ? int64_t{-1}
                                        : character_count(std::string_view(text).substr(0, hit)));
    int64_t n = 0;
    for (size_t at = hit; at != text.npos; at = text.find(*part, at + part->size())) ++n;
    return Value::of(n);
  }
  if (name == "isdigit") {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
    return Value::of(digits);
  }
  return make_error(Code::kUnimplemented, "strings have no method .{}()", name);
}

Result<Value> map_method(Heap& heap, const Map& map, std::string_view name,
                         const Arguments& arguments) {
  PLINTH_TRY(heap.charge(map.items.size()));
  if (name == "get") {
    const Value* key = arguments.find(0, "key");
    if (key == nullptr) return bad_arguments(name);
    const Value* found = key->is(Kind::kString) ? map.find(*key->string) : nullptr;
    if (found != nullptr) return *found;
    const Value* fallback = arguments.find(1, "default");
    return fallback != nullptr ? *fallback : Value::none();
  }
  if (name != "items" && name != "keys" && name != "values")
    return make_error(Code::kUnimplemented, "mappings have no method .{}()", name);
  List out;
  for (const auto& [key, value] : map.items) {
    PLINTH_TRY(const Value text, heap.string(key));
    if (name == "keys") {
      out.push_back(text);
    } else if (name == "values") {
      out.push_back(value);
    } else {
      PLINTH_TRY(out.emplace_back(), heap.list({text, value}));
    }
  }
  return heap.list(std::move(out));
}

Result<Value> list_method(Heap& heap, const List& list, std::string_view name,
                          const Arguments& arguments) {
  const Value* wanted = arguments.find(0, "value");
  if ((name != "index" && name != "count") || wanted == nullptr)
    return make_error(Code::kUnimplemented, "lists have no method .{}()", name);
  int64_t count = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    PLINTH_TRY(const bool same, equal(heap, list[i], *wanted));
    if (same && name == "index") return Value::of(static_cast<int64_t>(i));
    count += same ? 1 : 0;
  }
  if (name == "index") return invalid(".index() found nothing");
  return Value::of(count);
}

}  // namespace

Result<Value> call_method(Heap& heap, const Value& value, std::string_view name,
                          const Arguments& arguments) {
  switch (value.kind) {
    case Kind::kString:
      return string_method(heap, *value.string, name, arguments);
    case Kind::kMap:
      return map_method(heap, *value.map, name, arguments);
    case Kind::kList:
      return list_method(heap, *value.list, name, arguments);
    case Kind::kUndefined:
      return invalid("'{}' is undefined", value.string != nullptr ? *value.string : "value");
    default:
      return invalid("{} has no method .{}()", kind_name(value), name);
  }
}

}  // namespace plinth::text::jinja
