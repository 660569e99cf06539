#include "core/config.h"

#include <cstdlib>
#include <set>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace plinth {

struct Config::Impl {
  std::string name;
  std::shared_ptr<toml::table> root;  // shared: sub-configs of one file view the same tree
  const toml::table* table = nullptr;
  mutable std::set<std::string, std::less<>> read;

  toml::node_view<const toml::node> at(std::string_view key) const {
    read.emplace(key);
    return table->at_path(key);
  }

  Error wrong(std::string_view key, const toml::node& node, std::string_view what) const {
    return invalid("{}:{}: {} {}", name, node.source().begin.line, key, what);
  }
};

namespace {

// Finds a key that is neither read itself nor above or below one that was.
const toml::node* unread(const toml::table& table, const std::string& prefix,
                         const std::set<std::string, std::less<>>& read, std::string& key_out) {
  for (const auto& [key, node] : table) {
    const std::string path = prefix + std::string(key.str());
    if (read.contains(path)) continue;
    if (const auto* child = node.as_table()) {
      if (const auto* found = unread(*child, path + ".", read, key_out)) return found;
      continue;
    }
    key_out = path;
    return &node;
  }
  return nullptr;
}

}  // namespace

Path default_home() {
  if (const char* home = std::getenv("PLINTH_HOME"); home != nullptr && *home != '\0') return home;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return Path(home) / ".plinth";
  return Path(".plinth");
}

Config::Config(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

Result<Config> Config::read(const Path& path) {
  PLINTH_TRY(const auto text, read_file(path, 16u << 20));
  return parse(text, path.string());
}

Result<Config> Config::parse(std::string_view text, std::string_view name) {
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  try {
    impl->root = std::make_shared<toml::table>(toml::parse(text, name));
  } catch (const toml::parse_error& e) {
    return invalid("{}:{}: {}", name, e.source().begin.line, e.description());
  }
  impl->table = impl->root.get();
  return Config(std::move(impl));
}

bool Config::has(std::string_view key) const {
  return static_cast<bool>(impl_->table->at_path(key));
}

Result<std::string> Config::text(std::string_view key, std::string_view fallback) const {
  const auto node = impl_->at(key);
  if (!node) return std::string(fallback);
  if (const auto value = node.value_exact<std::string>()) return *value;
  return impl_->wrong(key, *node.node(), "is not a string");
}

Result<int64_t> Config::integer(std::string_view key, int64_t fallback, int64_t low,
                                int64_t high) const {
  const auto node = impl_->at(key);
  if (!node) return fallback;
  const auto value = node.value_exact<int64_t>();
  if (!value) return impl_->wrong(key, *node.node(), "is not an integer");
  if (*value < low || *value > high)
    return impl_->wrong(key, *node.node(),
                        fmt::format("= {} is outside {}..{}", *value, low, high));
  return *value;
}

Result<double> Config::number(std::string_view key, double fallback, double low,
                              double high) const {
  const auto node = impl_->at(key);
  if (!node) return fallback;
  const auto value = node.value<double>();
  if (!value || !node.is_number()) return impl_->wrong(key, *node.node(), "is not a number");
  if (!(*value >= low && *value <= high))
    return impl_->wrong(key, *node.node(),
                        fmt::format("= {} is outside {}..{}", *value, low, high));
  return *value;
}

Result<bool> Config::flag(std::string_view key, bool fallback) const {
  const auto node = impl_->at(key);
  if (!node) return fallback;
  if (const auto value = node.value_exact<bool>()) return *value;
  return impl_->wrong(key, *node.node(), "is not true or false");
}

Result<std::vector<std::string>> Config::texts(std::string_view key,
                                               std::vector<std::string> fallback) const {
  const auto node = impl_->at(key);
  if (!node) return fallback;
  const auto* array = node.as_array();
  if (array == nullptr) return impl_->wrong(key, *node.node(), "is not an array of strings");
  std::vector<std::string> values;
  for (const auto& element : *array) {
    const auto value = element.value_exact<std::string>();
    if (!value) return impl_->wrong(key, element, "is not an array of strings");
    values.push_back(*value);
  }
  return values;
}

Result<std::vector<Config>> Config::tables(std::string_view key) const {
  const auto node = impl_->at(key);
  std::vector<Config> configs;
  if (!node) return configs;
  const auto* array = node.as_array();
  if (array == nullptr) return impl_->wrong(key, *node.node(), "is not an array of tables");
  for (const auto& element : *array) {
    const auto* table = element.as_table();
    if (table == nullptr) return impl_->wrong(key, element, "is not an array of tables");
    auto impl = std::make_unique<Impl>();
    impl->name = impl_->name;
    impl->root = impl_->root;
    impl->table = table;
    configs.push_back(Config(std::move(impl)));
  }
  return configs;
}

Error Config::refusal(std::string_view key, std::string_view what) const {
  const auto node = impl_->table->at_path(key);
  if (node) return impl_->wrong(key, *node.node(), what);
  return impl_->wrong(key, *impl_->table, what);
}

Status Config::finish() const {
  std::string key;
  if (const auto* node = unread(*impl_->table, "", impl_->read, key))
    return impl_->wrong(key, *node, "is not a known key");
  return {};
}

}  // namespace plinth
