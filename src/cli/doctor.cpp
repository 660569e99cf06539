#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "cli/bases.h"
#include "cli/command.h"
#include "cli/machine.h"
#include "core/json.h"

namespace plinth::cli {
namespace {

struct Finding {
  std::string what;
  bool good = false;
  std::string detail;  // when not good: how to get it
};

int64_t free_bytes(const Path& path) {
  Path existing = std::filesystem::absolute(path);
  while (!std::filesystem::exists(existing) && existing.has_relative_path())
    existing = existing.parent_path();

  struct statvfs info {};

  if (statvfs(existing.c_str(), &info) != 0) return 0;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

Finding check_home(const Path& home) {
  const auto made = make_directories(home);
  if (!made) return {"home", false, made.error().message};
  if (::access(home.c_str(), W_OK) != 0)
    return {"home", false, home.string() + " is not writable: choose another with --home"};
  const double gib = static_cast<double>(free_bytes(home)) / (1 << 30);
  if (gib < 1.0)
    return {"home", false, fmt::format("{}: only {:.2f} GiB of disk are free", home.string(), gib)};
  return {"home", true, fmt::format("{}, {:.0f} GiB free", home.string(), gib)};
}

Finding check_base() {
  const auto base = model::Model::open_embedded();
  if (!base) return {"embedded base", false, base.error().message};
  return {"embedded base", true,
          fmt::format("{}, {:.1f} million parameters, {:.1f} MiB", kEmbeddedBase,
                      static_cast<double>((*base)->parameters()) * 1e-6,
                      static_cast<double>((*base)->weight_bytes()) / (1 << 20))};
}

// poppler needs its CMap files for Chinese PDFs whose fonts are not embedded.
Finding check_poppler_data() {
  if (std::filesystem::exists("/usr/share/poppler/cMap"))
    return {"Chinese PDF tables", true, "poppler-data"};
  return {"Chinese PDF tables", false,
          "text of some Chinese PDFs will be lost: apt-get install poppler-data"};
}

Finding check_gpu() {
  const bool present = std::filesystem::exists("/dev/nvidia0");
  return {"GPU", true,
          present ? "an NVIDIA device is here; this build computes on the CPU"
                  : "none, computing on the CPU"};
}

Status run(const Context& context) {
  const Machine machine = measure_machine();
  const std::vector<Finding> findings{check_home(context.home), check_base(), check_poppler_data(),
                                      check_gpu()};
  if (context.json) {
    Json rows = Json::array();
    for (const auto& finding : findings)
      rows.push_back({{"what", finding.what}, {"good", finding.good}, {"detail", finding.detail}});
    fmt::print(
        "{}\n",
        to_text({{"version", PLINTH_VERSION}, {"machine", to_json(machine)}, {"checks", rows}}));
  } else {
    fmt::print("plinth {}\n\n", PLINTH_VERSION);
    fmt::print("  processor   {}\n", machine.cpu);
    fmt::print("  cores       {} usable, {} compute threads, kernels for {}\n", machine.cores,
               machine.threads, machine.simd);
    fmt::print("  memory      {:.1f} GiB, {:.1f} available\n",
               static_cast<double>(machine.memory_bytes) / (1 << 30),
               static_cast<double>(machine.memory_available_bytes) / (1 << 30));
    fmt::print("  bandwidth   {:.1f} GB/s read (measured)\n", machine.read_gb_per_s);
    fmt::print("  arithmetic  {:.0f} GFLOP/s float32 matrix product (measured)\n\n",
               machine.gflop_per_s);
    for (const auto& finding : findings)
      fmt::print("  {} {:<19} {}\n", finding.good ? "ok     " : "MISSING", finding.what,
                 finding.detail);
  }
  for (const auto& finding : findings)
    if (!finding.good)
      return make_error(Code::kFailedPrecondition, "{}: {}", finding.what, finding.detail);
  return {};
}

}  // namespace

void add_doctor(Command& root, const Context& context) {
  auto command =
      root.add("doctor", "what this machine is and reaches, what is missing and how to get it",
               "plinth doctor");
  command.action([&context] { return run(context); });
}

}  // namespace plinth::cli
