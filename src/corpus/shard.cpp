#include "corpus/shard.h"

#include <zstd.h>

#include <algorithm>

namespace plinth::corpus {
namespace {

constexpr int kLevel = 3;  // faster than the disk; higher levels save some 5 %
constexpr size_t kLineBytesMax = size_t{1} << 30;

struct FreeContext {
  void operator()(ZSTD_CCtx* c) const { ZSTD_freeCCtx(c); }

  void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
};

}  // namespace

struct ShardWriter::Impl {
  Path folder;
  std::string name;
  uint64_t bytes_max = 0;
  std::unique_ptr<ZSTD_CCtx, FreeContext> zstd{ZSTD_createCCtx()};
  std::string buffer = std::string(ZSTD_CStreamOutSize(), '\0');
  std::vector<std::string> names;
  std::unique_ptr<OutputFile> file;
  uint64_t bytes = 0;

  Status open() {
    names.push_back(fmt::format("{}-{:05}.jsonl.zst", name, names.size()));
    PLINTH_TRY(auto opened, OutputFile::create(folder / names.back()));
    file = std::make_unique<OutputFile>(std::move(opened));
    bytes = 0;
    ZSTD_CCtx_reset(zstd.get(), ZSTD_reset_session_only);
    ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_checksumFlag, 1);
    return {};
  }

  Status push(std::string_view data, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    while (true) {
      ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
      const size_t left = ZSTD_compressStream2(zstd.get(), &out, &in, directive);
      if (ZSTD_isError(left) != 0) return internal_error("zstd: {}", ZSTD_getErrorName(left));
      PLINTH_TRY(file->write(std::string_view(buffer.data(), out.pos)));
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  Status finish() {
    PLINTH_TRY(push({}, ZSTD_e_end));
    PLINTH_TRY(file->sync());
    return file->close();
  }
};

ShardWriter::ShardWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ShardWriter::ShardWriter(ShardWriter&&) noexcept = default;
ShardWriter& ShardWriter::operator=(ShardWriter&&) noexcept = default;
ShardWriter::~ShardWriter() = default;

Result<ShardWriter> ShardWriter::create(const Path& folder, std::string name, uint64_t bytes_max) {
  auto impl = std::make_unique<Impl>();
  impl->folder = folder;
  impl->name = std::move(name);
  impl->bytes_max = bytes_max;
  PLINTH_TRY(impl->open());
  return ShardWriter(std::move(impl));
}

Status ShardWriter::write_line(std::string_view line) {
  if (impl_->bytes > 0 && impl_->bytes + line.size() + 1 > impl_->bytes_max) {
    PLINTH_TRY(impl_->finish());
    PLINTH_TRY(impl_->open());
  }
  impl_->bytes += line.size() + 1;
  PLINTH_TRY(impl_->push(line, ZSTD_e_continue));
  return impl_->push("\n", ZSTD_e_continue);
}

Result<std::vector<std::string>> ShardWriter::close() {
  PLINTH_TRY(impl_->finish());
  return impl_->names;
}

namespace {

Status read_shard(const Path& path, const std::function<Status(std::string_view)>& body) {
  PLINTH_TRY(const auto map, MappedFile::open(path));
  const std::unique_ptr<ZSTD_DCtx, FreeContext> zstd(ZSTD_createDCtx());
  std::string buffer(ZSTD_DStreamOutSize(), '\0'), pending;
  ZSTD_inBuffer in{map.text().data(), map.text().size(), 0};
  size_t left = 0;
  bool drained = true;
  while (in.pos < in.size || !drained) {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    left = ZSTD_decompressStream(zstd.get(), &out, &in);
    if (ZSTD_isError(left) != 0) return data_loss("{}: {}", path.string(), ZSTD_getErrorName(left));
    drained = out.pos < out.size;
    std::string_view data(buffer.data(), out.pos);
    for (size_t end; (end = data.find('\n')) != data.npos; data.remove_prefix(end + 1)) {
      pending += data.substr(0, end);
      PLINTH_TRY(body(pending));
      pending.clear();
    }
    pending += data;
    if (pending.size() > kLineBytesMax)
      return data_loss("{}: a line is longer than {} bytes", path.string(), kLineBytesMax);
  }
  if (left != 0 || !pending.empty())
    return data_loss("{}: the file ends in the middle of a line", path.string());
  return {};
}

}  // namespace

Status read_shards(const Path& folder, std::string_view name,
                   const std::function<Status(std::string_view line)>& body) {
  std::vector<Path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with(std::string(name) + "-") && file.ends_with(".jsonl.zst"))
      paths.push_back(entry.path());
  }
  if (error) return not_found("corpus {}: {}", folder.string(), error.message());
  if (paths.empty()) return not_found("corpus {}: no {}-*.jsonl.zst in it", folder.string(), name);
  std::sort(paths.begin(), paths.end());
  for (const Path& path : paths) PLINTH_TRY(read_shard(path, body));
  return {};
}

}  // namespace plinth::corpus
