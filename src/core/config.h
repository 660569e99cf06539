// Configuration: TOML files, and where Plinth keeps its state.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth {

// PLINTH_HOME, else ~/.plinth. Not created here.
Path default_home();

// A TOML document read by dotted keys ("model.layers"). Every read key is marked; finish() refuses
// what nobody read, with file and line: a misspelt key is an error, not a silent default.
class Config {
 public:
  static Result<Config> read(const Path& path);
  static Result<Config> parse(std::string_view text, std::string_view name);

  Config(Config&&) noexcept;
  Config& operator=(Config&&) noexcept;
  ~Config();

  bool has(std::string_view key) const;

  // The value, or `fallback` when missing. A value of another type, or outside [low, high], is an
  // error that names file, line and key.
  Result<std::string> text(std::string_view key, std::string_view fallback) const;
  Result<int64_t> integer(std::string_view key, int64_t fallback, int64_t low, int64_t high) const;
  Result<double> number(std::string_view key, double fallback, double low, double high) const;
  Result<bool> flag(std::string_view key, bool fallback) const;
  Result<std::vector<std::string>> texts(std::string_view key,
                                         std::vector<std::string> fallback) const;
  // The elements of an array of tables ([[source]]), each a Config of its own.
  Result<std::vector<Config>> tables(std::string_view key) const;

  // kInvalidArgument: "FILE:LINE: KEY WHAT", for values that only the caller can judge.
  Error refusal(std::string_view key, std::string_view what) const;

  // kInvalidArgument naming the first key that nothing asked for. Covers the tables() handed out
  // only if their own finish() is called.
  Status finish() const;

 private:
  struct Impl;
  explicit Config(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace plinth
