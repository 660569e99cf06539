#include "cli/command.h"

#include <unistd.h>

#include <cstdio>

#include "core/config.h"
#include "core/interrupt.h"
#include <CLI/CLI.hpp>

namespace plinth::cli {

namespace {

// The action of the command that was named; one per process, set while CLI11 parses.
struct Chosen {
  std::function<Status()> run;
};

}  // namespace

class Command::Impl {
 public:
  Impl(CLI::App* its_app, Chosen* its_chosen) : app(its_app), chosen(its_chosen) {}

  CLI::App* app;   // owned by its parent, the root by run_command_line()
  Chosen* chosen;  // lives in run_command_line()
};

Command::Command(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Command::~Command() = default;
Command::Command(Command&&) noexcept = default;

Command Command::add(const std::string& name, const std::string& help, const std::string& example) {
  auto* child = impl_->app->add_subcommand(name, help);
  child->fallthrough();  // --json and --home are understood behind the verb too
  if (!example.empty()) child->footer("Example:\n  " + example);
  return Command(std::make_unique<Impl>(child, impl_->chosen));
}

void Command::option(const std::string& name, std::string& value, const std::string& help,
                     bool required) {
  impl_->app->add_option(name, value, help)->required(required)->capture_default_str();
}

void Command::option(const std::string& name, Path& value, const std::string& help, bool required) {
  impl_->app->add_option(name, value, help)->required(required);
}

void Command::option(const std::string& name, int64_t& value, const std::string& help, int64_t low,
                     int64_t high) {
  impl_->app->add_option(name, value, help)->check(CLI::Range(low, high))->capture_default_str();
}

void Command::option(const std::string& name, double& value, const std::string& help, double low,
                     double high) {
  impl_->app->add_option(name, value, help)->check(CLI::Range(low, high))->capture_default_str();
}

void Command::option(const std::string& name, std::vector<Path>& values, const std::string& help,
                     bool required) {
  impl_->app->add_option(name, values, help)->required(required);
}

void Command::flag(const std::string& name, bool& value, const std::string& help) {
  impl_->app->add_flag(name, value, help);
}

void Command::require_unless(const std::string& option, const std::string& flag) {
  impl_->app->parse_complete_callback([app = impl_->app, option, flag] {
    if (app->get_subcommands().empty() && app->count(option) == 0 && app->count(flag) == 0)
      throw CLI::RequiredError(fmt::format("{} (or {})", option, flag));
  });
}

void Command::action(std::function<Status()> run) {
  impl_->app->callback([app = impl_->app, chosen = impl_->chosen, run = std::move(run)] {
    if (app->get_subcommands().empty()) chosen->run = run;
  });
}

namespace {

// `refine IN -o OUT` and `refine merge ...`: when a command of its own follows a verb, what the
// verb requires is not asked for. A folder that is called like another verb stays a folder.
void relax_parents(CLI::App& app, int argc, char** argv) {
  CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    const auto named =
        at->get_subcommands([&](const CLI::App* child) { return child->check_name(argv[i]); });
    if (named.empty()) return;
    for (CLI::Option* option : at->get_options()) option->required(false);
    at = named.front();
  }
}

}  // namespace

int run_command_line(int argc, char** argv, const std::function<void(Command&, Context&)>& build) {
  CLI::App app("Plinth: one base, many domain models, on your own machine", "plinth");
  app.set_version_flag("--version", PLINTH_VERSION);
  app.require_subcommand(1);
  app.footer("plinth COMMAND --help shows a command's options and an example.");
  Context context;
  context.home = default_home();
  app.add_flag("--json", context.json, "print results as JSON");
  app.add_flag("-q,--quiet", context.quiet, "no progress");
  app.add_option("--home", context.home,
                 "where Plinth keeps its state (default $PLINTH_HOME or ~/.plinth)");

  Chosen chosen;
  Command root(std::make_unique<Command::Impl>(&app, &chosen));
  build(root, context);
  relax_parents(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  if (!chosen.run) {
    // A command that only groups others, named without one of them.
    std::fputs(app.help("", CLI::AppFormatMode::Sub).c_str(), stderr);
    return 2;
  }
  install_interrupt_handler();
  const Status status = chosen.run();
  std::fflush(stdout);
  if (status) return 0;
  if (status.error().code == Code::kCancelled) {
    fmt::print(stderr, "plinth: {}\n", status.error().message);
    return 130;
  }
  fmt::print(stderr, "plinth: {}\n", status.error().message);
  return 1;
}

}  // namespace plinth::cli
