#include "train/tuning/wire.h"

namespace plinth::train {

void Writer::put_batch(const MicroBatch& batch) {
  put_all(std::span(batch.tokens));
  put_all(std::span(batch.positions));
  put_all(std::span(batch.targets));
  put_all(std::span(batch.weights));
  put_all(std::span(batch.segment_starts));
  put(batch.anchored);
  put_all(std::span(batch.samples));
  put_all(std::span(batch.noise));
}

MicroBatch Taker::take_batch() {
  MicroBatch batch;
  batch.tokens = take_all<int32_t>();
  batch.positions = take_all<int32_t>();
  batch.targets = take_all<int32_t>();
  batch.weights = take_all<float>();
  batch.segment_starts = take_all<int32_t>();
  batch.anchored = take<bool>();
  batch.samples = take_all<int64_t>();
  batch.noise = take_all<SegmentNoise>();
  return batch;
}

Status send_message(Peers& peers, std::span<const std::byte> bytes, int64_t to) {
  const uint64_t size = bytes.size();
  PLINTH_TRY(peers.send(std::as_bytes(std::span(&size, 1)), to));
  return peers.send(bytes, to);
}

Result<Taker> receive_message(Peers& peers, int64_t from) {
  uint64_t size = 0;
  PLINTH_TRY(peers.receive(std::as_writable_bytes(std::span(&size, 1)), from));
  std::vector<std::byte> bytes(size);
  PLINTH_TRY(peers.receive(bytes, from));
  return Taker(std::move(bytes));
}

Status broadcast(Peers& peers, std::span<std::byte> bytes) {
  const int64_t rank = peers.rank();
  for (int64_t reached = 1; reached < peers.ranks(); reached *= 2) {
    if (rank < reached && rank + reached < peers.ranks())
      PLINTH_TRY(peers.send(bytes, rank + reached));
    if (rank >= reached && rank < 2 * reached) PLINTH_TRY(peers.receive(bytes, rank - reached));
  }
  return {};
}

}  // namespace plinth::train
