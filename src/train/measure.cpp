#include "train/measure.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "model/decoder.h"
#include "train/data/dataset.h"
#include "train/data/packing.h"
#include "train/math/tape.h"

namespace plinth::train {
namespace {

constexpr int64_t kRowsAtOnce = 2048;

class Fixed : public model::AdapterSeam {
 public:
  Fixed(const tensor::Ops& ops, const model::Adapter& adapter) : ops_(ops), adapter_(adapter) {}

  void add(int64_t layer, model::Linear which, tensor::ConstMatrix x, tensor::Matrix y) override {
    add(adapter_.layers[static_cast<size_t>(layer)][static_cast<size_t>(which)], x, y);
  }

  void add_embedding(std::span<const int32_t> tokens, tensor::Matrix x) override {
    model::add_embedding_delta(ops_, adapter_.embedding, tokens, x);
  }

  void add_head(std::span<const int32_t>, tensor::ConstMatrix hidden,
                tensor::Matrix logits) override {
    add(adapter_.head, hidden, logits);
  }

 private:
  void add(const model::LowRank& delta, tensor::ConstMatrix x, tensor::Matrix y) {
    if (delta.empty()) return;
    ops_.linear(x, delta.a, low_.as(x.rows, delta.rank), false);
    for (float& value : low_.span().first(static_cast<size_t>(x.rows * delta.rank)))
      value *= delta.scale;
    ops_.linear(low_.as(x.rows, delta.rank), delta.b, y, true);
  }

  const tensor::Ops& ops_;
  const model::Adapter& adapter_;  // outlives the measurement
  tensor::Buffer low_;
};

}  // namespace

struct MeasuredRows::Rows {
  std::vector<MicroBatch> batches;
  int64_t loss_tokens = 0;
};

MeasuredRows::MeasuredRows(std::unique_ptr<Rows> rows) : rows_(std::move(rows)) {}

MeasuredRows::MeasuredRows(MeasuredRows&&) noexcept = default;
MeasuredRows::~MeasuredRows() = default;

Result<MeasuredRows> MeasuredRows::read(const model::Model& base, std::span<const Path> paths,
                                        const ChatRenderer& chat) {
  const int64_t sequence = std::min(base.config().context, kRowsAtOnce);
  PLINTH_TRY(const auto data, read_dataset(paths, {&base.tokenizer(), &chat, sequence}));
  auto rows = std::make_unique<Rows>();
  std::vector<const Sample*> samples;
  for (const auto& sample : data.samples) {
    samples.push_back(&sample);
    rows->loss_tokens += sample.loss_tokens();
  }
  rows->batches = pack(samples, kRowsAtOnce, {});
  return MeasuredRows(std::move(rows));
}

double MeasuredRows::loss(const model::Model& base, const model::Adapter* adapter) const {
  const auto& ops = tensor::exact_ops();
  Tape tape(base, ops);
  std::optional<Fixed> seam;
  if (adapter != nullptr) seam.emplace(ops, *adapter);
  double nats = 0;
  for (const auto& batch : rows_->batches) nats += tape.loss(batch, seam ? &*seam : nullptr);
  return nats / static_cast<double>(rows_->loss_tokens);
}

}  // namespace plinth::train
