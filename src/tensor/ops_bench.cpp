// Kernels by shape: GFLOP/s of the matrix products and attention, GB/s of the bandwidth-bound rest.
// Each answer is checked before it is timed. With OpenBLAS at hand the same products run there too,
// so that a ratio can be taken in one run: tensor_bench --benchmark_filter='linear|blas'.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/pages.h"
#include "core/rng.h"
#include "core/threads.h"
#include "tensor/ops.h"
#include "tensor/quant/panels.h"
#include "tensor/tensor.h"

#ifdef PLINTH_OPENBLAS
#include <cblas.h>
#endif

namespace plinth::tensor {
namespace {

enum Kind { kLinear, kLinearDx, kLinearDw };

Buffer random_buffer(int64_t n, uint64_t seed) {
  Buffer buffer(n);
  Rng rng(seed);
  for (float& x : buffer.span()) x = static_cast<float>(rng.uniform() - 0.5);
  return buffer;
}

// x [m, k], w [n, k] of some type and as floats, y [m, n]; whichever of them is the output is
// written.
struct Layer {
  Layer(int64_t rows, int64_t outputs, int64_t inputs, DType type)
      : m(rows),
        n(outputs),
        k(inputs),
        x(random_buffer(m * k, 1)),
        w(random_buffer(n * k, 2)),
        y(random_buffer(m * n, 3)),
        bytes(row_bytes(type, k) * n),
        stored{bytes.data(), type, n, k} {
    from_f32(w.data(), n * k, type, bytes.data());
    to_f32(bytes.data(), type, n * k, w.data());
    if (const int height = cpu_ops().panel(type); height > 0) {  // as an engine holds it
      panels.resize(interleaved_bytes(type, n, k, height));
      stored = interleave(stored, height, panels.data());
    }
  }

  Matrix out(Kind kind) {
    if (kind == kLinear) return matrix(y.data(), m, n);
    return kind == kLinearDx ? matrix(x.data(), m, k) : matrix(w.data(), n, k);
  }

  void run(Kind kind) {
    const Ops& ops = cpu_ops();
    if (kind == kLinear) ops.linear(std::as_const(x).as(m, k), stored, out(kind), false);
    if (kind == kLinearDx) ops.linear_dx(std::as_const(y).as(m, n), stored, out(kind), false);
    if (kind == kLinearDw)
      ops.linear_dw(std::as_const(y).as(m, n), std::as_const(x).as(m, k), out(kind), false);
  }

  // Element (i, j) of the result, from the inputs in double.
  double expected(Kind kind, int64_t i, int64_t j) const {
    double sum = 0;
    if (kind == kLinear)
      for (int64_t p = 0; p < k; ++p) sum += double{x.data()[i * k + p]} * w.data()[j * k + p];
    if (kind == kLinearDx)
      for (int64_t p = 0; p < n; ++p) sum += double{y.data()[i * n + p]} * w.data()[p * k + j];
    if (kind == kLinearDw)
      for (int64_t p = 0; p < m; ++p) sum += double{y.data()[p * n + i]} * x.data()[p * k + j];
    return sum;
  }

  // Runs once and compares the corners and some elements between.
  bool right(Kind kind, const std::function<void()>& run_once) {
    const Matrix result = out(kind);
    const double terms = static_cast<double>(kind == kLinear ? k : kind == kLinearDx ? n : m);
    std::vector<double> want;
    const auto visit = [&](const auto& body) {
      for (int64_t i = 0; i < result.rows; i += std::max<int64_t>(1, (result.rows - 1) / 7)) {
        for (int64_t j = 0; j < result.cols; j += std::max<int64_t>(1, (result.cols - 1) / 7))
          body(i, j);
      }
    };
    visit([&](int64_t i, int64_t j) { want.push_back(expected(kind, i, j)); });
    run_once();
    size_t at = 0;
    double worst = 0;
    visit([&](int64_t i, int64_t j) {
      worst = std::max(worst, std::abs(result.row(i)[j] - want[at++]));
    });
    // The mean of |a b| is 1/16; x rounded to int8 (ops.h) adds 1/508 times the mean |w| at worst.
    const bool rounded = kind == kLinear && is_quantised(stored.type);
    return worst <= (rounded ? 1e-3 : 1e-6) * terms;
  }

  int64_t m, n, k;
  Buffer x, w, y;
  std::vector<uint8_t> bytes;
  std::vector<std::byte> panels;
  Weight stored;
};

void time_layer(benchmark::State& state, Layer& layer, Kind kind,
                const std::function<void()>& run_once) {
  if (!layer.right(kind, run_once)) return state.SkipWithError("wrong answer");
  for (auto _ : state) run_once();
  const double flops = 2.0 * static_cast<double>(layer.m * layer.n) * static_cast<double>(layer.k);
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

template <Kind kKind>
void linear(benchmark::State& state) {
  Layer layer(state.range(0), state.range(2), state.range(1), DType::kF32);
  time_layer(state, layer, kKind, [&] { layer.run(kKind); });
}

#ifdef PLINTH_OPENBLAS
template <Kind kKind>
void blas(benchmark::State& state) {
  openblas_set_num_threads(compute_pool().threads());
  Layer layer(state.range(0), state.range(2), state.range(1), DType::kF32);
  const auto m = static_cast<blasint>(layer.m);
  const auto n = static_cast<blasint>(layer.n);
  const auto k = static_cast<blasint>(layer.k);
  float* x = layer.x.data();
  float* y = layer.y.data();
  float* w = layer.w.data();
  time_layer(state, layer, kKind, [&] {
    if (kKind == kLinear)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, x, k, w, k, 0, y, n);
    if (kKind == kLinearDx)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, k, n, 1, y, n, w, k, 0, x, k);
    if (kKind == kLinearDw)
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, n, k, m, 1, y, n, x, k, 0, w, k);
  });
}
#endif

void shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "inputs", "outputs"})->UseRealTime();
  for (const auto& shape : std::vector<std::vector<int64_t>>{{4096, 256, 512},
                                                             {4096, 512, 256},
                                                             {2048, 256, 6144},
                                                             {1024, 2048, 2048},
                                                             {512, 896, 4864},
                                                             {512, 4864, 896},
                                                             {64, 896, 4864},
                                                             {64, 4864, 896},
                                                             {64, 1024, 1024},
                                                             {16, 1024, 1024},
                                                             {8, 1024, 1024}})
    bench->Args(shape);
}

BENCHMARK_TEMPLATE(linear, kLinear)->Apply(shapes);
BENCHMARK_TEMPLATE(linear, kLinearDx)->Apply(shapes);
BENCHMARK_TEMPLATE(linear, kLinearDw)->Apply(shapes);
#ifdef PLINTH_OPENBLAS
BENCHMARK_TEMPLATE(blas, kLinear)->Apply(shapes);
BENCHMARK_TEMPLATE(blas, kLinearDx)->Apply(shapes);
BENCHMARK_TEMPLATE(blas, kLinearDw)->Apply(shapes);
#endif

// A step's deltas for `segments` rows, each with an adapter of its own of rank 16 on all seven
// matrices of `layers` layers of a 0.5B base, which lie as an engine holds them: bytes of adapters
// per second. One layer of four adapters stays in the caches. kType: F16, or Q8_0 with B turned.
template <DType kType>
void low_rank(benchmark::State& state) {
  struct Shape {
    int64_t in, out;
    int call;  // layers with one x share a call
  };

  constexpr Shape kShapes[] = {{896, 896, 0},  {896, 128, 0},  {896, 128, 0}, {896, 896, 1},
                               {896, 4864, 2}, {896, 4864, 2}, {4864, 896, 3}};
  constexpr int64_t kRank = 16;
  constexpr bool kTurned = is_quantised(kType);
  const int64_t segments = state.range(0);
  const int64_t layers = state.range(1);
  const auto bytes_of = [](int64_t length) {
    return static_cast<int64_t>(row_bytes(kType, length)) * kRank;
  };
  int64_t layer_bytes = 0;
  for (const Shape& shape : kShapes) layer_bytes += bytes_of(shape.in) + bytes_of(shape.out);
  const Buffer floats = random_buffer(kRank * 4864, 17);
  Pages stored = Pages::allocate(static_cast<size_t>(segments * layers * layer_bytes)).value();
  std::vector<Buffer> y;
  for (const Shape& shape : kShapes) y.push_back(random_buffer(segments * shape.out, 19));
  const Buffer x = random_buffer(segments * 4864, 18);

  struct Call {
    int64_t in = 0;
    std::vector<LowRankSegment> segments = {};
  };

  std::vector<Call> calls(static_cast<size_t>(4 * layers));
  auto* at = reinterpret_cast<uint8_t*>(stored.data());
  for (int64_t s = 0; s < segments; ++s) {
    for (int64_t layer = 0; layer < layers; ++layer) {
      for (size_t i = 0; i < std::size(kShapes); ++i) {
        const auto [in, out, call] = kShapes[i];
        from_f32(floats.data(), in * kRank, kType, at);
        const Weight a = {at, kType, kRank, in};
        at += bytes_of(in);
        from_f32(floats.data(), out * kRank, kType, at);
        const Weight b =
            kTurned ? Weight{at, kType, out / 32, kRank * 32} : Weight{at, kType, out, kRank};
        at += bytes_of(out);
        Call& of = calls[static_cast<size_t>(4 * layer + call)];
        of.in = in;
        of.segments.push_back({s, 1, a, b, 1e-6f, kTurned, y[i].as(segments, out)});
      }
    }
  }
  for (auto _ : state) {
    for (const Call& call : calls) cpu_ops().low_rank(x.as(segments, call.in), call.segments);
  }
  state.SetBytesProcessed(state.iterations() * segments * layers * layer_bytes);
}

void adapters(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"segments", "layers"})->UseRealTime();
  bench->Args({4, 1})->Args({1, 24})->Args({8, 24})->Args({64, 24});
}

BENCHMARK_TEMPLATE(low_rank, DType::kF16)->Apply(adapters);
BENCHMARK_TEMPLATE(low_rank, DType::kQ8_0)->Apply(adapters);

// One row against a weight larger than the caches: bytes of weight per second.
void decode(benchmark::State& state) {
  const auto type = static_cast<DType>(state.range(0));
  Layer layer(1, 24 * 1024, 4096, type);
  state.SetLabel(std::string(dtype_name(type)));
  if (!layer.right(kLinear, [&] { layer.run(kLinear); }))
    return state.SkipWithError("wrong answer");
  for (auto _ : state) layer.run(kLinear);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(layer.bytes.size()));
}

BENCHMARK(decode)->DenseRange(0, std::ssize(kDTypes) - 1)->UseRealTime();

// Batches of decodes and prefills by stored type: few rows against a weight larger than L2.
void stored(benchmark::State& state) {
  const auto type = static_cast<DType>(state.range(0));
  Layer layer(state.range(1), state.range(3), state.range(2), type);
  state.SetLabel(std::string(dtype_name(type)));
  time_layer(state, layer, kLinear, [&] { layer.run(kLinear); });
}

BENCHMARK(stored)
    ->ArgNames({"type", "rows", "inputs", "outputs"})
    ->ArgsProduct({{1, 3, 4, 8}, {8, 16, 32, 64, 512}, {1024}, {24 * 1024}})
    ->ArgsProduct({{1, 3, 4, 8, 10}, {512}, {4864}, {896}})
    ->ArgsProduct({{1, 3, 4}, {512}, {896}, {896}})
    ->UseRealTime();

// What `decode` is bound by: reading as many bytes and doing next to nothing.
void read_memory(benchmark::State& state) {
  const Buffer buffer = random_buffer(int64_t{96} << 20, 4);
  for (auto _ : state) benchmark::DoNotOptimize(cpu_ops().sum_of_squares(buffer.span()));
  state.SetBytesProcessed(state.iterations() * buffer.size() * 4);
}

BENCHMARK(read_memory)->UseRealTime();

struct AttentionBench {
  explicit AttentionBench(int64_t segment)
      : rows(4096 / segment * segment),
        q(random_buffer(rows * 256, 5)),
        k(random_buffer(rows * 128, 6)),
        v(random_buffer(rows * 128, 7)),
        dy(random_buffer(rows * 256, 8)) {
    for (int64_t start = 0; start <= rows; start += segment)
      starts.push_back(static_cast<int32_t>(start));
    y.as(rows, 256);
    lse.as(rows, 4);
    dq.as(rows, 256);
    dk.as(rows, 128);
    dv.as(rows, 128);
  }

  static ConstMatrix read(const Buffer& buffer, int64_t cols) {
    return buffer.as(buffer.size() / cols, cols);
  }

  void forward(const Ops& ops) {
    ops.attention(read(q, 256), read(k, 128), read(v, 128), starts, shape, y.as(rows, 256),
                  lse.as(rows, 4));
  }

  void backward(const Ops& ops) {
    ops.attention_backward(read(q, 256), read(k, 128), read(v, 128), read(y, 256), read(lse, 4),
                           read(dy, 256), starts, shape, dq.as(rows, 256), dk.as(rows, 128),
                           dv.as(rows, 128));
  }

  AttentionShape shape = {4, 2, 64, 0.125f};
  int64_t rows;
  Buffer q, k, v, dy, y, lse, dq, dk, dv;
  std::vector<int32_t> starts;
};

bool close(const Buffer& a, const Buffer& b) {
  double worst = 0;
  for (int64_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(double{a.data()[i]} - double{b.data()[i]}));
  return worst < 1e-4;
}

// GFLOP/s of the products below the diagonal: two forward, five backward.
void attention(benchmark::State& state) {
  const int64_t segment = state.range(0);
  const bool backward = state.range(1) != 0;
  AttentionBench got(segment);
  AttentionBench want(segment);
  for (const auto& [bench, ops] : {std::pair{&got, &cpu_ops()}, std::pair{&want, &ref_ops()}}) {
    bench->forward(*ops);
    if (backward) bench->backward(*ops);
  }
  if (!close(got.y, want.y) ||
      (backward && (!close(got.dq, want.dq) || !close(got.dk, want.dk) || !close(got.dv, want.dv))))
    return state.SkipWithError("wrong answer");
  for (auto _ : state) {
    if (backward) {
      got.backward(cpu_ops());
    } else {
      got.forward(cpu_ops());
    }
  }
  const double pairs =
      static_cast<double>(got.rows) * static_cast<double>(segment + 1) / 2 * 4 * 64;
  state.counters["GFLOP/s"] = benchmark::Counter(pairs * 2 * (backward ? 5 : 2) * 1e-9,
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(attention)
    ->ArgNames({"segment", "backward"})
    ->ArgsProduct({{128, 512, 1024}, {0, 1}})
    ->UseRealTime();

// One layer's cache after `context` tokens of one sequence, the shape of a 0.5B Qwen2.5 (14 query
// heads on 2 kv heads of 64), as many layers as make it larger than most caches.
struct PagedBench {
  PagedBench(KvType type, int64_t context, int64_t rows)
      : q(random_buffer(rows * kCols, 14)), y(rows * kCols) {
    const int64_t blocks = (context + kBlockTokens - 1) / kBlockTokens;
    for (int64_t i = 0; i < blocks; ++i) table.push_back(static_cast<int32_t>(blocks - 1 - i));
    tables.assign(static_cast<size_t>(rows), table.data());
    for (int64_t r = 0; r < rows; ++r)
      positions.push_back(static_cast<int32_t>(context - rows + r));
    layer_bytes = blocks * 2 * kv_head_bytes(type, 64, kBlockTokens);
    layers = std::max<int64_t>(1, (int64_t{192} << 20) / layer_bytes);
    pool.resize(2 * layers * layer_bytes / 4);
    fill(type, context);
  }

  // The same keys and values in every layer.
  void fill(KvType type, int64_t context) {
    const std::vector<const int32_t*> all(static_cast<size_t>(context), table.data());
    std::vector<int32_t> each(static_cast<size_t>(context));
    std::iota(each.begin(), each.end(), 0);
    const Buffer k = random_buffer(context * 128, 15);
    const Buffer v = random_buffer(context * 128, 16);
    kv = {bytes(), bytes() + layer_bytes, kBlockTokens, type};
    cpu_ops().store_kv(k.as(context, 128), v.as(context, 128), all, each, shape, kv);
    for (int64_t l = 1; l < layers; ++l)
      std::copy_n(bytes(), 2 * layer_bytes, bytes() + 2 * l * layer_bytes);
  }

  std::byte* bytes() { return reinterpret_cast<std::byte*>(pool.data()); }

  void run(const Ops& ops) {
    layer = (layer + 1) % layers;
    kv.k_pool = bytes() + 2 * layer * layer_bytes;
    kv.v_pool = kv.k_pool + layer_bytes;
    const auto rows = std::ssize(positions);
    ops.paged_attention(std::as_const(q).as(rows, kCols), tables, positions, shape, kv,
                        y.as(rows, kCols));
  }

  bool right() {
    run(ref_ops());
    const std::vector<float> want(y.data(), y.data() + y.size());
    run(cpu_ops());
    for (int64_t i = 0; i < y.size(); ++i) {
      if (!(std::abs(y.data()[i] - want[static_cast<size_t>(i)]) < 1e-5f)) return false;
    }
    return true;
  }

  static constexpr int64_t kBlockTokens = 16;
  static constexpr int64_t kCols = 14 * 64;
  AttentionShape shape = {14, 2, 64, 0.125f};
  Buffer q, y, pool;
  PagedKv kv;
  std::vector<int32_t> table;
  std::vector<const int32_t*> tables;
  std::vector<int32_t> positions;
  int64_t layer_bytes = 0;  // of keys, or of values
  int64_t layers = 0;
  int64_t layer = 0;
};

void paged_decode(benchmark::State& state) {
  const auto type = static_cast<KvType>(state.range(0));
  state.SetLabel(std::string(kv_type_name(type)));
  PagedBench bench(type, state.range(1), 1);
  if (!bench.right()) return state.SkipWithError("wrong answer");
  for (auto _ : state) bench.run(cpu_ops());
  state.SetBytesProcessed(state.iterations() * 2 * bench.layer_bytes);
}

BENCHMARK(paged_decode)
    ->ArgNames({"type", "context"})
    ->ArgsProduct({{0, 1, 2}, {512, 4096, 32768}})
    ->UseRealTime();

// 256 rows at the end of the context; GFLOP/s of the products below the diagonal.
void paged_prefill(benchmark::State& state) {
  const auto type = static_cast<KvType>(state.range(0));
  const int64_t context = state.range(1);
  state.SetLabel(std::string(kv_type_name(type)));
  PagedBench bench(type, context, 256);
  if (context < 1024 && !bench.right()) return state.SkipWithError("wrong answer");
  for (auto _ : state) bench.run(cpu_ops());
  const double pairs = 256.0 * static_cast<double>(context - 128) * PagedBench::kCols;
  state.counters["GFLOP/s"] =
      benchmark::Counter(pairs * 4e-9, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(paged_prefill)
    ->ArgNames({"type", "context"})
    ->ArgsProduct({{0, 1, 2}, {512, 4096, 32768}})
    ->UseRealTime();

// Rows [4096, 512] through the operations that only stream; bytes read and written.
void swiglu(benchmark::State& state) {
  const Buffer gate = random_buffer(4096 * 512, 9);
  const Buffer up = random_buffer(4096 * 512, 10);
  Buffer y(4096 * 512);
  for (auto _ : state) cpu_ops().swiglu(gate.as(4096, 512), up.as(4096, 512), y.as(4096, 512));
  state.SetBytesProcessed(state.iterations() * y.size() * 12);
}

BENCHMARK(swiglu)->UseRealTime();

void rms_norm(benchmark::State& state) {
  const Buffer x = random_buffer(4096 * 512, 9);
  const Buffer gain = random_buffer(512, 10);
  Buffer y(4096 * 512);
  for (auto _ : state)
    cpu_ops().rms_norm(x.as(4096, 512), gain.data(), 1e-6f, y.as(4096, 512), nullptr);
  state.SetBytesProcessed(state.iterations() * y.size() * 8);
}

BENCHMARK(rms_norm)->UseRealTime();

void cross_entropy(benchmark::State& state) {
  Buffer logits = random_buffer(1024 * 6144, 11);
  const std::vector<int32_t> targets(1024, 17);
  const std::vector<float> weights(1024, 1.0f);
  std::vector<float> losses(1024);
  for (auto _ : state) cpu_ops().cross_entropy(logits.as(1024, 6144), targets, weights, losses);
  state.SetBytesProcessed(state.iterations() * logits.size() * 8);
}

BENCHMARK(cross_entropy)->UseRealTime();

void adamw(benchmark::State& state) {
  constexpr int64_t kSize = int64_t{8} << 20;
  Buffer w = random_buffer(kSize, 12);
  Buffer g = random_buffer(kSize, 13);
  Buffer m(kSize), v(kSize);
  m.fill(0);
  v.fill(0);
  for (auto _ : state)
    cpu_ops().adamw(w.span(), g.span(), m.span(), v.span(), {.lr = 1e-4f, .weight_decay = 0.1f});
  state.SetBytesProcessed(state.iterations() * kSize * 32);
}

BENCHMARK(adamw)->UseRealTime();

}  // namespace
}  // namespace plinth::tensor
