#include "text/jinja/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace plinth::text::jinja {

namespace {

// Of values, for functions that walk them.
constexpr int kDepthMax = 100;

Error too_deep() {
  return invalid("a value is nested more than {} levels deep", kDepthMax);
}

Result<bool> equal_at(Heap& heap, const Value& a, const Value& b, int depth) {
  PLINTH_TRY(heap.charge(1));
  if (depth > kDepthMax) return too_deep();
  if (a.is_number() && b.is_number()) {
    if (a.is(Kind::kFloat) || b.is(Kind::kFloat)) return a.as_number() == b.as_number();
    return a.as_integer() == b.as_integer();
  }
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kString:
      PLINTH_TRY(heap.charge(std::min(a.string->size(), b.string->size()) / 16));
      return *a.string == *b.string;
    case Kind::kList:
      if (a.list->size() != b.list->size()) return false;
      for (size_t i = 0; i < a.list->size(); ++i) {
        PLINTH_TRY(const bool same, equal_at(heap, (*a.list)[i], (*b.list)[i], depth + 1));
        if (!same) return false;
      }
      return true;
    case Kind::kMap:
      if (a.map->items.size() != b.map->items.size()) return false;
      for (const auto& [key, value] : a.map->items) {
        const Value* other = b.map->find(key);
        if (other == nullptr) return false;
        PLINTH_TRY(heap.charge(b.map->items.size()));
        PLINTH_TRY(const bool same, equal_at(heap, value, *other, depth + 1));
        if (!same) return false;
      }
      return true;
    case Kind::kMacro:
      return a.macro == b.macro;
    case Kind::kFunction:
      return *a.function == *b.function;
    default:
      return true;  // none and undefined
  }
}

// The shortest digits that read back the same, written as Python's repr() does.
std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  const double size = std::fabs(number);
  char buffer[64];
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  if (fixed && text.find('.') == text.npos) text += ".0";
  return text;
}

std::string python_quoted(std::string_view text) {
  const bool twice = text.find('\'') != text.npos && text.find('"') == text.npos;
  const char quote = twice ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\\':
        out += "\\\\";
        break;
      default:
        if (c == quote) out += '\\';
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  }
  return out += quote;
}

Status write_repr(const Value& value, TextBuilder& out, int depth) {
  if (depth > kDepthMax) return too_deep();
  PLINTH_TRY(out.add(""));
  switch (value.kind) {
    case Kind::kString:
      return out.add(python_quoted(*value.string));
    case Kind::kUndefined:
      return out.add(depth == 0 ? "" : "Undefined");
    case Kind::kNone:
      return out.add("None");
    case Kind::kBool:
      return out.add(value.truth ? "True" : "False");
    case Kind::kInt:
      return out.add(std::to_string(value.integer));
    case Kind::kFloat:
      return out.add(float_text(value.number));
    case Kind::kMacro:
      return out.add(fmt::format("<Macro '{}'>", value.macro->text));
    case Kind::kFunction:
      return out.add(fmt::format("<function {}>", *value.function));
    case Kind::kList: {
      std::string_view separator = "[";
      for (const Value& item : *value.list) {
        PLINTH_TRY(out.add(separator));
        PLINTH_TRY(write_repr(item, out, depth + 1));
        separator = ", ";
      }
      return out.add(value.list->empty() ? "[]" : "]");
    }
    case Kind::kMap: {
      std::string_view separator = "{";
      for (const auto& [key, item] : value.map->items) {
        PLINTH_TRY(out.add(separator));
        PLINTH_TRY(out.add(python_quoted(key)));
        PLINTH_TRY(out.add(": "));
        PLINTH_TRY(write_repr(item, out, depth + 1));
        separator = ", ";
      }
      return out.add(value.map->items.empty() ? "{}" : "}");
    }
  }
  return {};
}

class JsonWriter {
 public:
  JsonWriter(Heap& heap, const JsonStyle& style) : out_(heap), style_(style) {}

  Status write(const Value& value, int depth) {
    if (depth > kDepthMax) return too_deep();
    switch (value.kind) {
      case Kind::kNone:
        return out_.add("null");
      case Kind::kBool:
        return out_.add(value.truth ? "true" : "false");
      case Kind::kInt:
        return out_.add(std::to_string(value.integer));
      case Kind::kFloat:
        return out_.add(number(value.number));
      case Kind::kString:
        return string(*value.string);
      case Kind::kList:
        return list(*value.list, depth);
      case Kind::kMap:
        return map(*value.map, depth);
      default:
        return invalid("tojson of a value that is {}", kind_name(value));
    }
  }

  std::string take() { return out_.take(); }

 private:
  static std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return float_text(value);
  }

  Status string(const std::string& text) {
    return out_.add(
        nlohmann::json(text).dump(-1, ' ', style_.ascii, nlohmann::json::error_handler_t::replace));
  }

  Status line(int depth) {
    if (style_.indent < 0) return {};
    PLINTH_TRY(out_.add("\n"));
    return out_.add(std::string(static_cast<size_t>(style_.indent * depth), ' '));
  }

  std::string_view comma() const { return style_.indent < 0 ? ", " : ","; }

  Status list(const List& items, int depth) {
    if (items.empty()) return out_.add("[]");
    std::string_view separator = "[";
    for (const Value& item : items) {
      PLINTH_TRY(out_.add(separator));
      PLINTH_TRY(line(depth + 1));
      PLINTH_TRY(write(item, depth + 1));
      separator = comma();
    }
    PLINTH_TRY(line(depth));
    return out_.add("]");
  }

  Status map(const Map& value, int depth) {
    if (value.items.empty()) return out_.add("{}");
    std::vector<const std::pair<std::string, Value>*> items;
    for (const auto& item : value.items) items.push_back(&item);
    if (style_.sort_keys)
      std::sort(items.begin(), items.end(),
                [](const auto* a, const auto* b) { return a->first < b->first; });
    std::string_view separator = "{";
    for (const auto* item : items) {
      PLINTH_TRY(out_.add(separator));
      PLINTH_TRY(line(depth + 1));
      PLINTH_TRY(string(item->first));
      PLINTH_TRY(out_.add(": "));
      PLINTH_TRY(write(item->second, depth + 1));
      separator = comma();
    }
    PLINTH_TRY(line(depth));
    return out_.add("}");
  }

  TextBuilder out_;
  JsonStyle style_;
};

}  // namespace

Value Value::none() {
  Value value;
  value.kind = Kind::kNone;
  return value;
}

Value Value::of(bool truth) {
  Value value;
  value.kind = Kind::kBool;
  value.truth = truth;
  return value;
}

Value Value::of(int64_t integer) {
  Value value;
  value.kind = Kind::kInt;
  value.integer = integer;
  return value;
}

Value Value::of(double number) {
  Value value;
  value.kind = Kind::kFloat;
  value.number = number;
  return value;
}

Value Value::undefined(const std::string* name) {
  Value value;
  value.string = name;
  return value;
}

double Value::as_number() const {
  return kind == Kind::kFloat ? number : static_cast<double>(as_integer());
}

int64_t Value::as_integer() const {
  return kind == Kind::kBool ? int64_t{truth} : integer;
}

const Value* Map::find(std::string_view key) const {
  for (const auto& [name, value] : items)
    if (name == key) return &value;
  return nullptr;
}

void Map::set(std::string_view key, Value value) {
  for (auto& [name, old] : items) {
    if (name == key) {
      old = value;
      return;
    }
  }
  items.emplace_back(key, value);
}

Status Heap::charge(size_t units) {
  // Every step costs something, so that loops over nothing end too.
  if (units + 1 > left_) return exhausted("the template does more work than one rendering may");
  left_ -= units + 1;
  return {};
}

Result<Value> Heap::string(std::string text) {
  PLINTH_TRY(charge(sizeof(std::string) + text.size()));
  Value value;
  value.kind = Kind::kString;
  value.string = &strings_.emplace_back(std::move(text));
  return value;
}

Result<Value> Heap::list(List items) {
  PLINTH_TRY(charge(sizeof(List) + items.size() * sizeof(Value)));
  Value value;
  value.kind = Kind::kList;
  value.list = &lists_.emplace_back(std::move(items));
  return value;
}

Result<Value> Heap::map(Map map) {
  size_t bytes = sizeof(Map);
  for (const auto& entry : map.items) bytes += sizeof(entry) + entry.first.size();
  PLINTH_TRY(charge(bytes));
  Value value;
  value.kind = Kind::kMap;
  value.map = &maps_.emplace_back(std::move(map));
  return value;
}

Result<Value> Heap::from_json(const nlohmann::ordered_json& json) {
  // The caller's JSON was parsed with a depth limit (core/json.h), so recursion is bounded.
  switch (json.type()) {
    case nlohmann::json::value_t::boolean:
      return Value::of(json.get<bool>());
    case nlohmann::json::value_t::number_integer:
    case nlohmann::json::value_t::number_unsigned:
      return Value::of(json.get<int64_t>());
    case nlohmann::json::value_t::number_float:
      return Value::of(json.get<double>());
    case nlohmann::json::value_t::string:
      return string(json.get_ref<const std::string&>());
    case nlohmann::json::value_t::array: {
      List items;
      items.reserve(json.size());
      for (const auto& item : json) {
        PLINTH_TRY(items.emplace_back(), from_json(item));
      }
      return list(std::move(items));
    }
    case nlohmann::json::value_t::object: {
      Map out;
      out.items.reserve(json.size());
      for (const auto& [key, item] : json.items()) {
        PLINTH_TRY(const Value value, from_json(item));
        out.items.emplace_back(key, value);
      }
      return map(std::move(out));
    }
    default:
      return Value::none();
  }
}

std::string_view kind_name(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
      return "undefined";
    case Kind::kNone:
      return "none";
    case Kind::kBool:
      return "a boolean";
    case Kind::kInt:
      return "an integer";
    case Kind::kFloat:
      return "a float";
    case Kind::kString:
      return "a string";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a mapping";
    case Kind::kMacro:
      return "a macro";
    case Kind::kFunction:
      return "a function";
  }
  return {};
}

bool truthy(const Value& value) {
  switch (value.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.truth;
    case Kind::kInt:
      return value.integer != 0;
    case Kind::kFloat:
      return value.number != 0;
    case Kind::kString:
      return !value.string->empty();
    case Kind::kList:
      return !value.list->empty();
    case Kind::kMap:
      return value.map->is_namespace || !value.map->items.empty();
    case Kind::kMacro:
    case Kind::kFunction:
      return true;
  }
  return false;
}

Result<bool> equal(Heap& heap, const Value& a, const Value& b) {
  return equal_at(heap, a, b, 0);
}

Result<bool> less(Heap& heap, const Value& a, const Value& b) {
  PLINTH_TRY(heap.charge(1));
  if (a.is_number() && b.is_number()) {
    if (a.is(Kind::kFloat) || b.is(Kind::kFloat)) return a.as_number() < b.as_number();
    return a.as_integer() < b.as_integer();
  }
  // UTF-8 sorts by code points, as Python's strings do.
  if (a.is(Kind::kString) && b.is(Kind::kString)) {
    PLINTH_TRY(heap.charge(std::min(a.string->size(), b.string->size()) / 16));
    return *a.string < *b.string;
  }
  return invalid("cannot order {} and {}", kind_name(a), kind_name(b));
}

Status write_text(const Value& value, TextBuilder& out) {
  if (value.is(Kind::kString)) return out.add(*value.string);
  return write_repr(value, out, 0);
}

Result<std::string> to_text(Heap& heap, const Value& value) {
  TextBuilder out(heap);
  PLINTH_TRY(write_text(value, out));
  return out.take();
}

Result<std::string> to_json(Heap& heap, const Value& value, const JsonStyle& style) {
  JsonWriter writer(heap, style);
  PLINTH_TRY(writer.write(value, 0));
  return writer.take();
}

}  // namespace plinth::text::jinja
