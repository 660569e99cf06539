// Peers over MPI: plinth_mpi.so, the only file that knows MPI.
#include "train/mpi/plugin.h"

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace plinth::train {
namespace {

using Seconds = std::chrono::duration<double>;
using Time = std::chrono::steady_clock;

// Bytes of one MPI message: its counts are ints.
constexpr size_t kBytesMax = size_t{1} << 30;
// How long to look again at once before sleeping between looks: a step's messages come in bursts,
// and processes may share cores.
constexpr Seconds kEager{200e-6};
constexpr std::chrono::microseconds kNap{100};
// A rank that helps stays so long after it was told to stop: rank 0, which was told so, too, saves
// and lets it go.
constexpr Seconds kGrace{10};

class MpiPeers : public Peers {
 public:
  explicit MpiPeers(bool (*interrupted)()) : interrupted_(interrupted) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int value = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &value);
    rank_ = value;
    MPI_Comm_size(MPI_COMM_WORLD, &value);
    ranks_ = value;
  }

  ~MpiPeers() override {
    if (agreed_ && !failed_)
      MPI_Finalize();
    else
      MPI_Abort(MPI_COMM_WORLD, 1);
  }

  int64_t rank() const override { return rank_; }

  int64_t ranks() const override { return ranks_; }

  Status send(std::span<const std::byte> bytes, int64_t to) override {
    return in_pieces(bytes, to, [&](std::span<const std::byte> piece, MPI_Request* request) {
      return MPI_Isend(piece.data(), static_cast<int>(piece.size()), MPI_BYTE, static_cast<int>(to),
                       0, MPI_COMM_WORLD, request);
    });
  }

  Status receive(std::span<std::byte> bytes, int64_t from) override {
    return in_pieces(bytes, from, [&](std::span<std::byte> piece, MPI_Request* request) {
      return MPI_Irecv(piece.data(), static_cast<int>(piece.size()), MPI_BYTE,
                       static_cast<int>(from), 0, MPI_COMM_WORLD, request);
    });
  }

  void leave() override { agreed_ = true; }

 private:
  template <typename Byte, typename Begin>
  Status in_pieces(std::span<Byte> bytes, int64_t other, const Begin& begin) {
    if (failed_) return make_error(Code::kUnavailable, "the ranks have parted");
    while (!bytes.empty()) {
      const auto piece = bytes.first(std::min(bytes.size(), kBytesMax));
      MPI_Request request = MPI_REQUEST_NULL;
      const int code = begin(piece, &request);
      PLINTH_TRY(wait_for(code, request, other));
      bytes = bytes.subspan(piece.size());
    }
    return {};
  }

  // Once one message is lost the others have no order any more.
  Status wait_for(int code, MPI_Request request, int64_t other) {
    auto status = arrival(code, request, other);
    failed_ = failed_ || !status;
    return status;
  }

  Status arrival(int code, MPI_Request request, int64_t other) {
    const auto began = Time::now();
    Time::time_point told;
    for (int done = 0; code == MPI_SUCCESS;) {
      code = MPI_Test(&request, &done, MPI_STATUS_IGNORE);
      if (code == MPI_SUCCESS && done != 0) return {};
      const auto now = Time::now();
      if (interrupted_()) {
        if (told == Time::time_point()) told = now;
        if (rank_ == 0 || now - told > kGrace)
          return make_error(Code::kCancelled,
                            "told to stop while waiting for rank {} of {}; it may have ended",
                            other, ranks_);
      }
      if (now - began > kEager) std::this_thread::sleep_for(kNap);
    }
    char text[MPI_MAX_ERROR_STRING] = {};
    int size = 0;
    MPI_Error_string(code, text, &size);
    return make_error(Code::kUnavailable, "rank {} of {} is away: {}", other, ranks_, text);
  }

  bool (*interrupted_)();
  int64_t rank_ = 0;
  int64_t ranks_ = 1;
  bool agreed_ = false;
  bool failed_ = false;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) Peers* plinth_mpi_join(bool (*interrupted)(),
                                                                         Error* error) {
  // Kernels run on threads of their own, MPI on the one that begins it.
  int level = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS ||
      level < MPI_THREAD_FUNNELED) {
    *error = make_error(Code::kUnavailable, "MPI does not begin (thread level {})", level);
    return nullptr;
  }
  return new MpiPeers(interrupted);
}

}  // namespace plinth::train
