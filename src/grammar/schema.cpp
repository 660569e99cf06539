#include "grammar/schema.h"

#include <algorithm>
#include <array>
#include <deque>
#include <set>
#include <unordered_map>

#include "grammar/gbnf.h"
#include "grammar/schema_leaf.h"
#include "grammar/schema_merge.h"
#include "text/unicode.h"

namespace plinth::grammar {
namespace {

constexpr size_t kBytesMax = size_t{256} << 10;
constexpr size_t kMembersMax = 1000;  // of one object or array of the schema
constexpr int kDepthMax = 64;
constexpr size_t kMergedBytesMax = size_t{4} << 20;  // schemas written anew, all together
constexpr int64_t kItemsMax = 8192;
constexpr int64_t kKeyMax = 64;  // characters of a property that the schema does not name

// Any JSON. White space is what people and models write, and bounded: no model can go on with
// spaces for ever. Numbers are those that a double holds.
constexpr std::string_view kJson = R"gbnf(
value   ::= object | array | string | number | boolean | null
object  ::= "{" ws ( member ( "," ws member )* ws )? "}"
member  ::= string ":" " "? value
array   ::= "[" ws ( value ( "," ws value )* ws )? "]"
string  ::= "\"" ( [^"\\\x00-\x1F] | "\\" ( ["\\/bfnrt] | "u" unit ) )* "\""
unit    ::= [0-9A-CE-Fa-ce-f] hex{3} | [Dd] [0-7] hex{2} | [Dd] [89ABab] hex{2} "\\u" [Dd] [C-Fc-f] hex{2}
hex     ::= [0-9A-Fa-f]
number  ::= "-"? whole ( "." [0-9]{1,15} )? ( [eE] [-+]? [0-9]{1,2} )?
integer ::= "-"? whole
whole   ::= "0" | [1-9] [0-9]{0,14}
boolean ::= "true" | "false"
null    ::= "null"
ws      ::= ( " " | "\n" [ \t]{0,32} )?
)gbnf";

constexpr std::array<std::string_view, 7> kTypes{"object", "array",   "string", "integer",
                                                 "number", "boolean", "null"};

// What each keyword says something about; empty: anything.
std::string_view type_of_keyword(std::string_view keyword) {
  static const std::unordered_map<std::string_view, std::string_view> kKnown{
      {"properties", "object"},
      {"required", "object"},
      {"additionalProperties", "object"},
      {"items", "array"},
      {"prefixItems", "array"},
      {"minItems", "array"},
      {"maxItems", "array"},
      {"uniqueItems", "array"},
      {"minLength", "string"},
      {"maxLength", "string"},
      {"pattern", "string"},
      {"format", "string"},
      {"minimum", "number"},
      {"maximum", "number"},
      {"exclusiveMinimum", "number"},
      {"exclusiveMaximum", "number"},
      {"type", ""},
      {"enum", ""},
      {"const", ""},
      {"nullable", ""},
      {"anyOf", ""},
      {"oneOf", ""},
      {"allOf", ""},
      {"$ref", ""}};
  const auto it = kKnown.find(keyword);
  return it == kKnown.end() ? "unknown" : it->second;
}

std::string_view type_of(const OrderedJson& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  return value.is_boolean() ? "boolean" : "null";
}

// Appending to an ordered object looks at every earlier member, so the number of members is checked
// on the sorted kind first.
Result<OrderedJson> parse_ordered(std::string_view text) {
  if (text.size() > kBytesMax)
    return invalid("schema: {} bytes, the limit is {}", text.size(), kBytesMax);
  PLINTH_TRY(const Json sorted, parse_json(text, "schema", kDepthMax));
  std::vector<const Json*> todo{&sorted};
  while (!todo.empty()) {
    const Json& json = *todo.back();
    todo.pop_back();
    if (!json.is_structured()) continue;
    if (json.size() > kMembersMax)
      return invalid("schema: {} members in one object or array, the limit is {}", json.size(),
                     kMembersMax);
    for (const Json& member : json) todo.push_back(&member);
  }
  return OrderedJson::parse(text, nullptr, false);
}

class Compiler {
 public:
  Compiler(Expressions& grammar, const OrderedJson& whole) : grammar_(grammar), whole_(whole) {}

  Result<RuleId> compile() {
    PLINTH_TRY(const RuleId value, parse_gbnf(kJson, "value", grammar_));
    for (size_t r = static_cast<size_t>(value); r < grammar_.rules().size(); ++r)
      json_[grammar_.rules()[r].name] = static_cast<RuleId>(r);
    const RuleId root = grammar_.add_rule("#");
    PLINTH_TRY(const ExprId body, schema(whole_, "#", 0));
    grammar_.define(root, body);
    // Schemas that others refer to; more may be added meanwhile.
    for (size_t i = 0; i < pending_.size(); ++i) {
      const auto [rule, target, at] = pending_[i];
      PLINTH_TRY(const ExprId referred, schema(*target, at, 0));
      grammar_.define(rule, referred);
    }
    return root;
  }

 private:
  struct Pending {
    RuleId rule;
    const OrderedJson* target;  // in whole_
    std::string at;
  };

  ExprId json(const char* name) { return grammar_.rule(json_.at(name)); }

  ExprId nothing() { return grammar_.choice({}); }

  // A value of the schema. Equal schemas share one rule, and with it the masks.
  Result<ExprId> value(const OrderedJson& schema, const std::string& at, int depth) {
    if (schema.is_boolean() || schema.empty()) return this->schema(schema, at, depth);
    const auto [it, fresh] = shared_.try_emplace(schema.dump(), -1);
    if (!fresh) return grammar_.rule(it->second);
    const RuleId rule = it->second = grammar_.add_rule(at);
    PLINTH_TRY(const ExprId body, this->schema(schema, at, depth));
    grammar_.define(rule, body);
    return grammar_.rule(rule);
  }

  Result<ExprId> schema(const OrderedJson& schema, const std::string& at, int depth) {
    if (schema.is_boolean()) return schema.get<bool>() ? json("value") : nothing();
    if (!schema.is_object()) return schema_error(at, "an object, true or false is needed");
    if (depth > kDepthMax) return schema_error(at, "nested deeper than {}", kDepthMax);
    for (const auto& [keyword, content] : schema.items())
      if (!is_annotation(keyword) && type_of_keyword(keyword) == "unknown")
        return schema_error(at, "{} is not supported", keyword);
    if (const auto unique = schema.find("uniqueItems"); unique != schema.end() && *unique != false)
      return schema_error(at, "uniqueItems is not supported");

    if (const auto nullable = schema.find("nullable"); nullable != schema.end()) {
      PLINTH_TRY(const ExprId some, this->schema(without(schema, "nullable"), at, depth + 1));
      return *nullable == true ? grammar_.choice({some, json("null")}) : some;
    }
    if (const auto ref = schema.find("$ref"); ref != schema.end())
      return reference(schema, *ref, at, depth);
    if (schema.contains("allOf")) return all_of(schema, at, depth);
    for (const char* keyword : {"anyOf", "oneOf"})
      if (schema.contains(keyword)) return any_of(schema, keyword, at, depth);
    for (const char* keyword : {"const", "enum"})
      if (schema.contains(keyword)) return values(schema, keyword, at);
    return typed(schema, at, depth);
  }

  static OrderedJson without(const OrderedJson& schema, const std::string& keyword) {
    OrderedJson rest = OrderedJson::object();
    for (const auto& [name, content] : schema.items())
      if (name != keyword && !is_annotation(name)) rest[name] = content;
    return rest;
  }

  // --- other schemas
  // ------------------------------------------------------------------------------

  Result<const OrderedJson*> target(const OrderedJson& ref, const std::string& at) {
    const std::string pointer = ref.is_string() ? ref.get<std::string>() : ref.dump();
    if (pointer == "#") return &whole_;
    if (!pointer.starts_with("#/"))
      return schema_error(at, "$ref {} is not supported: only places of this schema (#/...) are",
                          pointer);
    try {  // nlohmann's pointers throw
      const OrderedJson::json_pointer path(pointer.substr(1));
      if (whole_.contains(path)) return &whole_.at(path);
    } catch (const nlohmann::json::exception&) {
      return schema_error(at, "$ref {} is no JSON pointer", pointer);
    }
    return schema_error(at, "$ref {} leads nowhere", pointer);
  }

  Result<ExprId> reference(const OrderedJson& schema, const OrderedJson& ref, const std::string& at,
                           int depth) {
    OrderedJson rest = without(schema, "$ref");
    PLINTH_TRY(const OrderedJson* found, target(ref, at));
    if (!rest.empty()) {
      PLINTH_TRY(add(rest, *found, at, 0));
      return value(rest, at, depth + 1);
    }
    const auto [it, fresh] = referred_.try_emplace(found, -1);
    if (fresh) {
      it->second = grammar_.add_rule(ref.get<std::string>());
      pending_.push_back({it->second, found, ref.get<std::string>()});
    }
    return grammar_.rule(it->second);
  }

  // Joins `more` to the schema, what `more` refers to included.
  Status add(OrderedJson& schema, const OrderedJson& more, const std::string& at, int depth) {
    if (depth > kDepthMax) return schema_error(at, "its parts refer to each other without end");
    if (more == true) return {};
    if (!more.is_object()) return schema_error(at, "an object is needed to join with others");
    merged_bytes_ += more.dump().size() + 64;
    if (merged_bytes_ > kMergedBytesMax)
      return schema_error(at, "joined schemas take more than {} bytes", kMergedBytesMax);
    OrderedJson own = OrderedJson::object();
    for (const auto& [keyword, content] : more.items()) {
      if (keyword == "$ref") {
        PLINTH_TRY(const OrderedJson* found, target(content, at));
        PLINTH_TRY(add(schema, *found, at, depth + 1));
      } else if (keyword == "allOf" && content.is_array()) {
        for (const OrderedJson& part : content) PLINTH_TRY(add(schema, part, at, depth + 1));
      } else {
        own[keyword] = content;
      }
    }
    return merge_schema(schema, own, at);
  }

  Result<ExprId> all_of(const OrderedJson& schema, const std::string& at, int depth) {
    const OrderedJson& parts = schema["allOf"];
    if (!parts.is_array() || parts.empty())
      return schema_error(at, "allOf: a non-empty array is needed");
    OrderedJson joined = without(schema, "allOf");
    for (size_t i = 0; i < parts.size(); ++i)
      PLINTH_TRY(add(joined, parts[i], fmt::format("{}/allOf/{}", at, i), 0));
    return value(joined, at, depth + 1);
  }

  Result<ExprId> any_of(const OrderedJson& schema, const char* keyword, const std::string& at,
                        int depth) {
    const OrderedJson& parts = schema[keyword];
    if (!parts.is_array() || parts.empty())
      return schema_error(at, "{}: a non-empty array is needed", keyword);
    const OrderedJson rest = without(schema, keyword);
    std::vector<ExprId> choices;
    for (size_t i = 0; i < parts.size(); ++i) {
      const std::string place = fmt::format("{}/{}/{}", at, keyword, i);
      OrderedJson joined = rest;
      if (!rest.empty()) {
        PLINTH_TRY(add(joined, parts[i], place, 0));
      }
      PLINTH_TRY(const ExprId choice, value(rest.empty() ? parts[i] : joined, place, depth + 1));
      choices.push_back(choice);
    }
    return grammar_.choice(std::move(choices));
  }

  // --- values
  // ---------------------------------------------------------------------------------------

  Result<std::vector<std::string>> types(const OrderedJson& schema, const std::string& at) {
    std::vector<std::string> found;
    const auto type = schema.find("type");
    if (type == schema.end()) {
      for (const auto& [keyword, content] : schema.items())
        if (const auto of = type_of_keyword(keyword); !is_annotation(keyword) && !of.empty())
          if (std::ranges::find(found, of) == found.end()) found.emplace_back(of);
      return found;
    }
    for (const OrderedJson& name : type->is_array() ? *type : OrderedJson::array({*type})) {
      if (!name.is_string() ||
          std::ranges::find(kTypes, name.get_ref<const std::string&>()) == kTypes.end())
        return schema_error(at, "type {} is unknown", name.dump());
      found.push_back(name.get<std::string>());
    }
    if (found.empty()) return schema_error(at, "type: no type is left");
    return found;
  }

  // const and enum. The values are written as they are, so that no other keyword can be honoured.
  Result<ExprId> values(const OrderedJson& schema, const char* keyword, const std::string& at) {
    for (const auto& [name, content] : schema.items())
      if (!is_annotation(name) && name != keyword && name != "type")
        return schema_error(at, "{} beside {} is not supported", name, keyword);
    const OrderedJson& content = schema[keyword];
    const bool one = std::string_view(keyword) == "const";
    if (!one && !content.is_array()) return schema_error(at, "enum: an array is needed");
    PLINTH_TRY(const auto allowed,
               types(schema.contains("type") ? schema : OrderedJson::object(), at));
    std::vector<ExprId> choices;
    for (const OrderedJson& value : one ? OrderedJson::array({content}) : content) {
      const std::string type(type_of(value));
      const bool fits =
          allowed.empty() || std::ranges::find(allowed, type) != allowed.end() ||
          (type == "integer" && std::ranges::find(allowed, "number") != allowed.end());
      if (fits) choices.push_back(grammar_.text(value.dump()));
    }
    if (choices.empty()) return schema_error(at, "{}: no value of the type is left", keyword);
    return grammar_.choice(std::move(choices));
  }

  Result<ExprId> typed(const OrderedJson& schema, const std::string& at, int depth) {
    PLINTH_TRY(const auto found, types(schema, at));
    if (found.empty()) return json("value");
    std::vector<ExprId> choices;
    for (const std::string& type : found) {
      PLINTH_TRY(const ExprId choice, of_type(schema, type, at, depth));
      choices.push_back(choice);
    }
    return choices.size() == 1 ? choices[0] : grammar_.choice(std::move(choices));
  }

  Result<ExprId> of_type(const OrderedJson& schema, const std::string& type, const std::string& at,
                         int depth) {
    if (type == "object") return object(schema, at, depth);
    if (type == "array") return array(schema, at, depth);
    if (type == "string") return string_schema(grammar_, schema, json_.at("string"), at);
    if (type == "boolean" || type == "null") return json(type.c_str());
    return number_schema(grammar_, schema, type == "integer", json_.at(type), at);
  }

  // --- objects
  // --------------------------------------------------------------------------------------

  struct Property {
    ExprId member = -1;  // "name": value
    bool required = false;
  };

  ExprId member(ExprId key, ExprId value) {
    return grammar_.sequence(
        {key, grammar_.text(":"), grammar_.optional(grammar_.text(" ")), value});
  }

  Result<ExprId> object(const OrderedJson& schema, const std::string& at, int depth) {
    const OrderedJson properties = schema.value("properties", OrderedJson::object());
    if (!properties.is_object()) return schema_error(at, "properties: an object is needed");
    const OrderedJson required = schema.value("required", OrderedJson::array());
    if (!required.is_array()) return schema_error(at, "required: an array is needed");
    std::set<std::string> missing;  // required and not yet described
    for (const OrderedJson& name : required) {
      if (!name.is_string()) return schema_error(at, "required: names are needed");
      missing.insert(name.get<std::string>());
    }
    // What is not named is not written, unless the schema asks for it or names nothing at all.
    const auto additional = schema.find("additionalProperties");
    const bool open = additional != schema.end() ? *additional != false : properties.empty();
    const OrderedJson others =
        additional == schema.end() || *additional == false ? OrderedJson(true) : *additional;
    if (open && others == true && properties.empty() && missing.empty()) return json("object");

    std::vector<Property> list;
    std::vector<std::string> names;
    const auto add_property = [&](const std::string& name, const OrderedJson& of,
                                  const std::string& place) -> Status {
      PLINTH_TRY(const ExprId content, value(of, place, depth + 1));
      list.push_back(
          {member(grammar_.text(OrderedJson(name).dump()), content), missing.erase(name) > 0});
      names.push_back(name);
      return {};
    };
    for (const auto& [name, of] : properties.items())
      PLINTH_TRY(add_property(name, of, at + "/properties/" + name));
    for (const OrderedJson& name : required) {
      if (!missing.contains(name.get<std::string>())) continue;
      if (additional != schema.end() && *additional == false)
        return schema_error(at, "required {} is no property", name.dump());
      PLINTH_TRY(add_property(name.get<std::string>(), others, at + "/additionalProperties"));
    }
    ExprId extra = -1;
    if (open) {
      PLINTH_TRY(const ExprId content, value(others, at + "/additionalProperties", depth + 1));
      extra = member(other_key(names), content);
    }
    return members(list, extra, at);
  }

  // A name that is none of `names`, without escapes: nothing can spell one of them differently.
  ExprId other_key(std::vector<std::string> names) {
    std::ranges::sort(names);
    const ExprId quote = grammar_.text("\"");
    const ExprId character =
        grammar_.one_of(other_ranges(normal_ranges({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}})));
    const ExprId rest = grammar_.repeat(character, 0, kKeyMax);
    return grammar_.sequence({quote, other_text(names, 0, rest), quote});
  }

  // Texts that equal none of the sorted `names` from byte `at` on, where all of them agree so far.
  // Works on characters; names with characters that JSON escapes can't be met without escapes.
  ExprId other_text(std::span<const std::string> names, size_t at, ExprId rest) {
    static const std::vector<Range> kEscaped{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    if (at > 4 * static_cast<size_t>(kKeyMax)) return nothing();
    std::vector<ExprId> choices;
    if (names.empty() || names[0].size() > at) choices.push_back(grammar_.text(""));
    std::vector<Range> known = kEscaped;
    for (size_t i = 0; i < names.size();) {
      if (names[i].size() <= at) {
        ++i;
        continue;
      }
      const auto c = text::utf8_at(names[i], at);
      const auto code = static_cast<uint32_t>(c.code);
      size_t end = i + 1;
      while (end < names.size() && names[end].size() > at &&
             static_cast<uint32_t>(text::utf8_at(names[end], at).code) == code)
        ++end;
      known.push_back({code, code});
      if (code >= 0x20 && code != '"' && code != '\\')
        choices.push_back(grammar_.sequence(
            {grammar_.one_of({{code, code}}),
             other_text(names.subspan(i, end - i), at + static_cast<size_t>(c.length), rest)}));
      i = end;
    }
    choices.push_back(
        grammar_.sequence({grammar_.one_of(other_ranges(normal_ranges(known))), rest}));
    return grammar_.choice(std::move(choices));
  }

  // Members in order, each behind a comma but the first. Two rules for each place: `first` writes
  // the first member there or later, `more` what may follow once something is written; so the
  // grammar stays as long as the list.
  ExprId members(const std::vector<Property>& list, ExprId extra, const std::string& at) {
    const ExprId comma = grammar_.sequence({grammar_.text(","), json("ws")});
    ExprId more = grammar_.text("");
    ExprId first = nothing();
    if (extra >= 0) {
      more = grammar_.repeat(grammar_.sequence({comma, extra}), 0, kUnbounded);
      first = grammar_.sequence({extra, more});
    }
    bool any_required = false;
    for (auto it = list.rbegin(); it != list.rend(); ++it) {
      const ExprId here = grammar_.sequence({it->member, more});
      first = it->required ? here : grammar_.choice({here, first});
      first = grammar_.rule(grammar_.add_rule(at, first));
      const ExprId next = grammar_.sequence({comma, it->member});
      more = grammar_.sequence({it->required ? next : grammar_.optional(next), more});
      more = grammar_.rule(grammar_.add_rule(at, more));
      any_required = any_required || it->required;
    }
    const ExprId inside = grammar_.sequence({first, json("ws")});
    return grammar_.sequence({grammar_.text("{"), json("ws"),
                              any_required ? inside : grammar_.optional(inside),
                              grammar_.text("}")});
  }

  // --- arrays
  // ---------------------------------------------------------------------------------------

  Result<ExprId> array(const OrderedJson& schema, const std::string& at, int depth) {
    PLINTH_TRY(const int64_t min, count_of(schema, "minItems", 0, at));
    PLINTH_TRY(int64_t max, count_of(schema, "maxItems", kUnbounded, at));
    if (min > kItemsMax) return schema_error(at, "minItems {}, the limit is {}", min, kItemsMax);
    if (max != kUnbounded && max < min)
      return schema_error(at, "minItems {} is larger than maxItems {}", min, max);
    if (max != kUnbounded) max = std::min(max, kItemsMax);

    const OrderedJson prefix = schema.value("prefixItems", OrderedJson::array());
    if (!prefix.is_array()) return schema_error(at, "prefixItems: an array is needed");
    std::vector<ExprId> items;
    for (size_t i = 0; i < prefix.size() && (max == kUnbounded || std::cmp_less(i, max)); ++i) {
      PLINTH_TRY(const ExprId item,
                 value(prefix[i], fmt::format("{}/prefixItems/{}", at, i), depth + 1));
      items.push_back(item);
    }
    // As with objects: items that are not described are not written beside those that are.
    const auto rest = schema.find("items");
    if (rest != schema.end() && rest->is_array())
      return schema_error(at, "items as an array is not supported: prefixItems is");
    const bool open = rest != schema.end() ? *rest != false : prefix.empty();
    ExprId other = -1;
    if (open) {
      PLINTH_TRY(other,
                 value(rest != schema.end() ? *rest : OrderedJson(true), at + "/items", depth + 1));
    } else if (std::cmp_less(items.size(), min)) {
      return schema_error(at, "minItems {}, but only {} items are described", min, items.size());
    }
    return elements(items, other, min, max);
  }

  ExprId elements(const std::vector<ExprId>& items, ExprId other, int64_t min, int64_t max) {
    const ExprId comma = grammar_.sequence({grammar_.text(","), json("ws")});
    const auto at_least = [&](int64_t n) { return std::max<int64_t>(0, min - n); };
    const auto at_most = [&](int64_t n) {
      return max == kUnbounded ? kUnbounded : std::max<int64_t>(0, max - n);
    };
    // What follows the items at the front, or the first of the others where there are none.
    const auto front = std::max<int64_t>(1, std::ssize(items));
    ExprId tail = other < 0 ? grammar_.text("")
                            : grammar_.repeat(grammar_.sequence({comma, other}), at_least(front),
                                              at_most(front));
    for (int64_t i = std::ssize(items) - 1; i >= 1; --i) {
      const ExprId next = grammar_.sequence({comma, items[static_cast<size_t>(i)], tail});
      tail = i < min ? next : grammar_.optional(next);
    }
    const ExprId first = items.empty() ? other : items[0];
    const bool none = first < 0 || max == 0;
    const ExprId inside = none ? nothing() : grammar_.sequence({first, tail, json("ws")});
    return grammar_.sequence({grammar_.text("["), json("ws"),
                              min > 0 ? inside : grammar_.optional(inside), grammar_.text("]")});
  }

  Expressions& grammar_;
  const OrderedJson& whole_;
  std::unordered_map<std::string, RuleId> json_;    // rules of any JSON
  std::unordered_map<std::string, RuleId> shared_;  // by the schema's text
  std::unordered_map<const OrderedJson*, RuleId> referred_;
  std::deque<Pending> pending_;
  size_t merged_bytes_ = 0;
};

}  // namespace

Result<RuleId> compile_schema(std::string_view schema, Expressions& grammar) {
  PLINTH_TRY(const OrderedJson json, parse_ordered(schema));
  return Compiler(grammar, json).compile();
}

}  // namespace plinth::grammar
