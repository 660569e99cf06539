// The command line's vocabulary: a tree of commands with options, each ending in a function that
// returns a Status. A thin face over CLI11, which only command.cpp includes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/result.h"

namespace plinth::cli {

// What every command may ask for.
struct Context {
  bool json = false;   // results as one JSON document on stdout
  bool quiet = false;  // no progress
  Path home;           // PLINTH_HOME
};

class Command {
 public:
  class Impl;
  explicit Command(std::unique_ptr<Impl> impl);
  ~Command();
  Command(Command&&) noexcept;

  // `name` and `help` as shown; `example` is printed under --help.
  Command add(const std::string& name, const std::string& help, const std::string& example);

  // "--flag,-f" or "NAME" for a positional. Variables live until run().
  void option(const std::string& name, std::string& value, const std::string& help,
              bool required = false);
  void option(const std::string& name, Path& value, const std::string& help, bool required = false);
  void option(const std::string& name, int64_t& value, const std::string& help, int64_t low,
              int64_t high);
  void option(const std::string& name, double& value, const std::string& help, double low,
              double high);
  void option(const std::string& name, std::vector<Path>& values, const std::string& help,
              bool required = false);
  void flag(const std::string& name, bool& value, const std::string& help);

  // Without `flag` the option must be given. Both were added before, by these names.
  void require_unless(const std::string& option, const std::string& flag);

  // What the command does once its options are read.
  void action(std::function<Status()> run);

 private:
  std::unique_ptr<Impl> impl_;
};

// Exit codes: 0 fine, 1 the work failed, 2 wrong usage, 130 interrupted.
int run_command_line(int argc, char** argv, const std::function<void(Command&, Context&)>& build);

// Each verb adds itself; one file per verb.
void add_doctor(Command& root, const Context& context);
void add_model(Command& root, const Context& context);
void add_adapter(Command& root, const Context& context);
void add_tokenize(Command& root, const Context& context);
void add_logits(Command& root, const Context& context);
void add_refine(Command& root, const Context& context);
void add_data(Command& root, const Context& context);
void add_pretrain(Command& root, const Context& context);
void add_tune(Command& root, const Context& context);
void add_eval(Command& root, const Context& context);
void add_publish(Command& root, const Context& context);
void add_release(Command& root, const Context& context);
void add_tenant(Command& root, const Context& context);
void add_price(Command& root, const Context& context);
void add_key(Command& root, const Context& context);
void add_audit(Command& root, const Context& context);
void add_serve(Command& root, const Context& context);
void add_chat(Command& root, const Context& context);
void add_bench(Command& root, const Context& context);

}  // namespace plinth::cli
