#include "train/peers.h"

#include <dlfcn.h>

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/file.h"
#include "core/interrupt.h"
#include "train/mpi/plugin.h"

namespace plinth::train {
namespace {

// Beside the program, as built, or where it is installed.
std::vector<Path> plugin_places() {
  std::error_code ignored;
  const Path folder = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path();
  return {folder / kMpiPlugin, folder / ".." / "lib" / "plinth" / kMpiPlugin};
}

struct Plugin {
  MpiJoin* join = nullptr;
};

Result<Plugin> load_plugin(int64_t launched) {
  for (const auto& place : plugin_places()) {
    if (!std::filesystem::exists(place)) continue;
    // The library's own components look for its symbols: they must be everybody's.
    void* library = dlopen(place.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr)
      return make_error(Code::kFailedPrecondition, "started as {} processes: {}", launched,
                        dlerror());
    void* entry = dlsym(library, kMpiEntry);
    if (entry == nullptr)
      return make_error(Code::kFailedPrecondition, "{}: {}", place.string(), dlerror());
    return Plugin{reinterpret_cast<MpiJoin*>(entry)};
  }
  return make_error(Code::kUnimplemented,
                    "started as {} processes, which would each do the same work: there is no {} "
                    "beside this program or in ../lib/plinth (build with MPI installed)",
                    launched, kMpiPlugin);
}

}  // namespace

int64_t launched_processes() {
  // Slurm's batch script has SLURM_NTASKS as well, though it is one process: only a step counts.
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const char* value = std::getenv(name);
    if (value == nullptr) continue;
    const std::string_view text = value;
    int64_t n = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (code == std::errc() && end == text.data() + text.size() && n > 1) return n;
  }
  return 1;
}

Result<std::unique_ptr<Peers>> join_peers() {
  const int64_t launched = launched_processes();
  if (launched == 1) return std::unique_ptr<Peers>();
  PLINTH_TRY(const auto plugin, load_plugin(launched));
  Error error;
  std::unique_ptr<Peers> peers(plugin.join(interrupted, &error));
  if (!peers) return error;
  if (peers->ranks() != launched) {
    const int64_t known = peers->ranks();
    peers->leave();
    return make_error(
        Code::kFailedPrecondition,
        "the launcher started {} processes, MPI knows of {}: the launcher is not that "
        "of the MPI library that {} was built with",
        launched, known, kMpiPlugin);
  }
  return peers;
}

}  // namespace plinth::train
