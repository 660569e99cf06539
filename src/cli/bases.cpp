#include "cli/bases.h"

#include <filesystem>

#include "store/digest_cache.h"
#include "store/store.h"

namespace plinth::cli {
namespace {

// With the digest of an earlier start where the file is still the same.
Result<std::shared_ptr<const model::Model>> open_file(const Path& path, const Path& home) {
  const store::DigestCache cache(home / "digests");
  const std::string stamp = store::file_stamp(path);
  return model::Model::open(path, [=](const std::function<std::string()>& compute) {
    if (auto known = cache.find(path, stamp)) return *std::move(known);
    std::string digest = compute();
    cache.put(path, stamp, digest);
    return digest;
  });
}

}  // namespace

Result<std::shared_ptr<const model::Model>> open_base(const std::string& name, const Path& home) {
  if (name == kEmbeddedBase) return model::Model::open_embedded();
  if (std::filesystem::exists(name)) return open_file(name, home);
  if (std::filesystem::exists(home / "plinth.db")) {
    PLINTH_TRY(const auto store, store::Store::open(home));
    if (const auto base = store->base(name)) return open_file(base->path, home);
  }
  return not_found("no base '{}': not {}, not a file or folder, not imported (plinth model list)",
                   name, kEmbeddedBase);
}

Result<std::shared_ptr<const text::Tokenizer>> open_tokenizer(const std::string& name,
                                                              const Path& home) {
  if (name != kEmbeddedBase && std::filesystem::exists(name)) return model::open_tokenizer(name);
  PLINTH_TRY(const auto base, open_base(name, home));
  // The tokenizer lives in its base: the pointer keeps the whole base.
  return std::shared_ptr<const text::Tokenizer>(base, &base->tokenizer());
}

Result<Loaded> open_model(const std::string& name, const Path& home) {
  // A path may itself contain '+': the whole name is tried first.
  const auto plus = name.rfind('+');
  Loaded loaded;
  if (plus == std::string::npos || std::filesystem::exists(name)) {
    PLINTH_TRY(loaded.base, open_base(name, home));
    return loaded;
  }
  PLINTH_TRY(loaded.base, open_base(name.substr(0, plus), home));
  PLINTH_TRY(loaded.adapter, model::Adapter::open(name.substr(plus + 1), loaded.base->config()));
  return loaded;
}

}  // namespace plinth::cli
