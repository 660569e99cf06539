#include "engine/step.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "core/check.h"
#include "core/huge_pages.h"
#include "engine/batch_invariant.h"

namespace plinth::engine {
namespace {

using model::Activations;
using tensor::ConstMatrix;
using tensor::Matrix;

// Every buffer at its largest size, so that no step allocates.
void reserve(const model::ModelConfig& config, int64_t rows, Activations& a) {
  const int64_t q = config.heads * config.head_dim;
  const int64_t kv = config.kv_heads * config.head_dim;
  for (auto* buffer : {&a.attention_in, &a.middle, &a.ffn_in}) buffer->resize(rows * config.width);
  for (auto* buffer : {&a.attention_rms, &a.ffn_rms}) buffer->resize(rows);
  for (auto* buffer : {&a.q, &a.attended}) buffer->resize(rows * q);
  for (auto* buffer : {&a.k, &a.v}) buffer->resize(rows * kv);
  if (config.qk_norm) {
    a.q_raw.resize(rows * q);
    a.k_raw.resize(rows * kv);
    a.q_rms.resize(rows * config.heads);
    a.k_rms.resize(rows * config.kv_heads);
  }
  for (auto* buffer : {&a.gate, &a.up, &a.active}) buffer->resize(rows * config.ffn);
}

}  // namespace

// Keys and values of all rows go to the cache before any row attends: a chunk's rows see one
// another.
class StepRunner::PagedAttention : public model::AttentionSeam {
 public:
  explicit PagedAttention(StepRunner& step) : step_(step) {}

  void attend(int64_t layer, Activations& a, int64_t rows) override {
    const auto& config = step_.model_->config();
    const tensor::AttentionShape shape = config.attention();
    const int64_t q = config.heads * config.head_dim;
    const int64_t kv = config.kv_heads * config.head_dim;
    const StepShape& of = step_.shape_;
    const int64_t pool = of.blocks * config.kv_heads *
                         tensor::kv_head_bytes(of.kv_type, config.head_dim, of.block_tokens);
    auto* const bytes = reinterpret_cast<std::byte*>(step_.kv_.data());
    const tensor::PagedKv paged{.k_pool = bytes + 2 * layer * pool,
                                .v_pool = bytes + (2 * layer + 1) * pool,
                                .block_tokens = of.block_tokens,
                                .type = of.kv_type};
    const auto n = static_cast<size_t>(rows);
    const std::span tables(step_.tables_.data(), n);
    const std::span<const int32_t> positions(step_.positions_.data(), n);
    step_.ops_->store_kv(a.k.as(rows, kv), a.v.as(rows, kv), tables, positions, shape, paged);
    step_.ops_->paged_attention(a.q.as(rows, q), tables, positions, shape, paged,
                                a.attended.as(rows, q));
  }

 private:
  StepRunner& step_;
};

// Each adapter's low-rank product over its own range of rows, all ranges in one call.
class StepRunner::SegmentedAdapters : public model::AdapterSeam {
 public:
  explicit SegmentedAdapters(StepRunner& step) : step_(step) {
    const auto& adapters = step.adapters_;
    for (size_t begin = 0; begin < adapters.size();) {
      size_t end = begin + 1;
      while (end < adapters.size() && adapters[end] == adapters[begin]) ++end;
      if (adapters[begin] != nullptr)
        ranges_.push_back(
            {adapters[begin], static_cast<int64_t>(begin), static_cast<int64_t>(end - begin)});
      begin = end;
    }
    segments_.reserve(ranges_.size());
  }

  bool empty() const { return ranges_.empty(); }

  void add(int64_t layer, model::Linear which, ConstMatrix x, Matrix y) override {
    const model::LinearResult result = {which, y};
    add_shared(layer, x, {&result, 1});
  }

  void add_shared(int64_t layer, ConstMatrix x,
                  std::span<const model::LinearResult> results) override {
    segments_.clear();
    for (const Range& range : ranges_) {
      const auto& deltas = range.adapter->layers[static_cast<size_t>(layer)];
      for (const auto& [which, y] : results)
        push(deltas[static_cast<size_t>(which)], range.begin, range.rows, y);
    }
    step_.ops_->low_rank(x, segments_);
  }

  void add_embedding(std::span<const int32_t> tokens, Matrix x) override {
    for (const Range& range : ranges_)
      model::add_embedding_delta(
          *step_.ops_, range.adapter->embedding,
          tokens.subspan(static_cast<size_t>(range.begin), static_cast<size_t>(range.rows)),
          x.slice(range.begin, range.rows));
  }

  void add_head(std::span<const int32_t> rows, ConstMatrix hidden, Matrix logits) override {
    segments_.clear();
    for (const Range& range : ranges_) {
      const auto from = std::ranges::lower_bound(rows, range.begin) - rows.begin();
      const auto to = std::ranges::lower_bound(rows, range.begin + range.rows) - rows.begin();
      if (to > from) push(range.adapter->head, from, to - from, logits);
    }
    step_.ops_->low_rank(hidden, segments_);
  }

 private:
  struct Range {
    const model::Adapter* adapter;
    int64_t begin;
    int64_t rows;
  };

  void push(const model::LowRank& delta, int64_t begin, int64_t rows, Matrix y) {
    if (!delta.empty())
      segments_.push_back({begin, rows, delta.a, delta.b, delta.scale, delta.turned, y});
  }

  StepRunner& step_;
  std::vector<Range> ranges_;
  std::vector<tensor::LowRankSegment> segments_;
};

StepRunner::StepRunner(const model::Model& model, const StepShape& shape)
    : model_(&model),
      ops_(shape.deterministic ? &batch_invariant_ops() : &tensor::default_ops()),
      shape_(shape) {
  const auto& config = model.config();
  kv_.resize(shape.blocks * block_bytes(config, shape.block_tokens, shape.kv_type) /
             static_cast<int64_t>(sizeof(float)));
  // Blocks are taken one by one, and each lies in as many places as there are layers.
  prefer_small_pages(std::as_writable_bytes(kv_.span()));
  reserve(config, shape.rows_max, activations_);
  hidden_.resize(shape.rows_max * config.width);
  head_in_.resize(kHeadRows * config.width);
  logits_.resize(kHeadRows * config.vocabulary);
  const auto rows = static_cast<size_t>(shape.rows_max);
  tokens_.reserve(rows);
  positions_.reserve(rows);
  tables_.reserve(rows);
  adapters_.reserve(rows);
  head_rows_.reserve(kHeadRows);
  const int64_t floats = kv_.size() + hidden_.size() + head_in_.size() + logits_.size();
  memory_bytes_ = floats * static_cast<int64_t>(sizeof(float)) + activations_.bytes();
}

StepRunner::~StepRunner() = default;

int64_t StepRunner::block_bytes(const model::ModelConfig& config, int64_t block_tokens,
                                tensor::KvType type) {
  return config.layers * 2 * config.kv_heads *
         tensor::kv_head_bytes(type, config.head_dim, block_tokens);
}

void StepRunner::copy_block(int32_t from, int32_t to) {
  const auto& config = model_->config();
  const int64_t block =
      config.kv_heads * tensor::kv_head_bytes(shape_.kv_type, config.head_dim, shape_.block_tokens);
  auto* const bytes = reinterpret_cast<std::byte*>(kv_.data());
  for (int64_t pool = 0; pool < 2 * config.layers; ++pool) {
    std::byte* const blocks = bytes + pool * shape_.blocks * block;
    std::memcpy(blocks + to * block, blocks + from * block, static_cast<size_t>(block));
  }
}

void StepRunner::place(std::span<const Segment> segments) {
  tokens_.clear();
  positions_.clear();
  tables_.clear();
  adapters_.clear();
  placed_.clear();
  for (size_t i = 0; i < segments.size(); ++i) placed_.push_back({i});
  std::stable_sort(placed_.begin(), placed_.end(), [&](const Placed& a, const Placed& b) {
    return std::less<>{}(segments[a.segment].adapter, segments[b.segment].adapter);
  });
  for (Placed& placed : placed_) {
    const Segment& segment = segments[placed.segment];
    placed.begin = std::ssize(tokens_);
    for (size_t i = 0; i < segment.tokens.size(); ++i) {
      tokens_.push_back(segment.tokens[i]);
      positions_.push_back(static_cast<int32_t>(segment.position + static_cast<int64_t>(i)));
      tables_.push_back(segment.table);
      adapters_.push_back(segment.adapter);
    }
  }
  PLINTH_CHECK(std::ssize(tokens_) <= shape_.rows_max, "{} rows in a step of {}", tokens_.size(),
               shape_.rows_max);
}

void StepRunner::run(std::span<const Segment> segments, const LogitsSink& sink) {
  place(segments);
  const int64_t rows = std::ssize(tokens_);
  if (rows == 0) return;
  const auto& config = model_->config();
  const Matrix hidden = hidden_.as(rows, config.width);
  model::embed_tokens(*model_, *ops_, tokens_, positions_, hidden);
  PagedAttention attention(*this);
  SegmentedAdapters adapters(*this);
  adapters.add_embedding(tokens_, hidden);
  for (int64_t layer = 0; layer < config.layers; ++layer)
    model::block_forward({.model = model_,
                          .ops = ops_,
                          .layer = layer,
                          .positions = positions_,
                          .attention = &attention,
                          .adapters = adapters.empty() ? nullptr : &adapters},
                         hidden, activations_, hidden);
  run_head(segments, adapters, sink);
}

void StepRunner::run_head(std::span<const Segment> segments, model::AdapterSeam& adapters,
                          const LogitsSink& sink) {
  const auto& config = model_->config();
  const int64_t rows = std::ssize(tokens_);
  const ConstMatrix hidden = hidden_.as(rows, config.width);

  struct Part {  // consecutive wanted rows of one segment in the current head batch
    size_t segment;
    int64_t position;
    int64_t rows;
  };

  std::vector<Part> parts;
  int64_t gathered = 0;
  const auto flush = [&] {
    if (gathered == 0) return;
    const Matrix in = head_in_.as(gathered, config.width);
    const Matrix logits = logits_.as(gathered, config.vocabulary);
    model::final_norm(*model_, *ops_, in, in, nullptr);
    ops_->linear(in, model_->weights().head, logits, false);
    adapters.add_head(head_rows_, in, logits);
    int64_t begin = 0;
    for (const Part& part : parts) {
      sink(part.segment, part.position, logits.slice(begin, part.rows));
      begin += part.rows;
    }
    parts.clear();
    head_rows_.clear();
    gathered = 0;
  };

  for (const Placed& placed : placed_) {
    const Segment& segment = segments[placed.segment];
    const int64_t end = segment.position + std::ssize(segment.tokens);
    int64_t position = std::max(segment.position, segment.first_wanted);
    if (segment.hidden && position < end) {
      const Matrix rows_wanted =
          hidden_.as(rows, config.width)
              .slice(placed.begin + position - segment.position, end - position);
      model::final_norm(*model_, *ops_, rows_wanted, rows_wanted, nullptr);
      sink(placed.segment, position, rows_wanted);
      continue;
    }
    while (position < end) {
      const int64_t take = std::min(end - position, kHeadRows - gathered);
      const ConstMatrix from = hidden.slice(placed.begin + position - segment.position, take);
      std::memcpy(head_in_.data() + gathered * config.width, from.data,
                  static_cast<size_t>(take * config.width) * sizeof(float));
      parts.push_back({placed.segment, position, take});
      for (int64_t i = 0; i < take; ++i)
        head_rows_.push_back(static_cast<int32_t>(placed.begin + position - segment.position + i));
      gathered += take;
      position += take;
      if (gathered == kHeadRows) flush();
    }
  }
  flush();
}

}  // namespace plinth::engine
