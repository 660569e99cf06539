// Attention and its cache of cpu_ops() against ref_ops().
#include <numeric>

#include "core/threads.h"
#include "tensor/test_ops.h"

namespace plinth::tensor {
namespace {

class AttentionTest : public OpsTest {};

INSTANTIATE_TEST_SUITE_P(Targets, AttentionTest, testing::ValuesIn(machine_targets()),
                         [](const auto& target) { return hwy::TargetName(target.param); });

struct AttentionCase {
  std::vector<int32_t> starts;
  int64_t heads, kv_heads, head_dim;
};

TEST_P(AttentionTest, AttentionAndItsGradientMatchTheReference) {
  const AttentionCase cases[] = {
      {{0}, 2, 1, 8},
      {{0, 0}, 2, 2, 8},
      {{0, 1}, 1, 1, 4},
      {{0, 1, 1, 3, 20}, 2, 1, 5},
      {{0, 47, 95, 144}, 4, 2, 16},
      {{0, 130, 131}, 3, 3, 33},
      {{0, 200, 313}, 4, 1, 64},
  };
  for (const auto& c : cases) {
    const AttentionShape shape = {c.heads, c.kv_heads, c.head_dim,
                                  1 / std::sqrt(static_cast<float>(c.head_dim))};
    const int64_t rows = c.starts.back();
    const std::string what =
        fmt::format("rows {} heads {}/{} of {}", rows, c.heads, c.kv_heads, c.head_dim);
    const int64_t q_cols = c.heads * c.head_dim;
    const int64_t kv_cols = c.kv_heads * c.head_dim;
    const Grid q = random_grid(rng, rows, q_cols, 3);
    const Grid k = random_grid(rng, rows, kv_cols, 1);
    const Grid v = random_grid(rng, rows, kv_cols, 2);
    Grid y(rows, q_cols, 1), y_ref(rows, q_cols, 1), lse(rows, c.heads), lse_ref(rows, c.heads);
    cpu.attention(q.read(), k.read(), v.read(), c.starts, shape, y.view(), lse.view());
    ref.attention(q.read(), k.read(), v.read(), c.starts, shape, y_ref.view(), lse_ref.view());
    expect_close(y, y_ref, 1e-5, "attention " + what);
    expect_close(lse, lse_ref, 1e-5, "lse " + what);

    const Grid dy = random_grid(rng, rows, q_cols);
    Grid dq(rows, q_cols, 1), dk(rows, kv_cols, 2), dv(rows, kv_cols, 3);
    Grid dq_ref = dq, dk_ref = dk, dv_ref = dv;
    cpu.attention_backward(q.read(), k.read(), v.read(), y_ref.read(), lse_ref.read(), dy.read(),
                           c.starts, shape, dq.view(), dk.view(), dv.view());
    ref.attention_backward(q.read(), k.read(), v.read(), y_ref.read(), lse_ref.read(), dy.read(),
                           c.starts, shape, dq_ref.view(), dk_ref.view(), dv_ref.view());
    expect_close(dq, dq_ref, 2e-5, "dq " + what);
    expect_close(dk, dk_ref, 2e-5, "dk " + what);
    expect_close(dv, dv_ref, 2e-5, "dv " + what);
  }
}

constexpr KvType kKvTypes[] = {KvType::kF32, KvType::kF16, KvType::kQ8};

// Two sequences of `tokens` tokens whose blocks lie interleaved and out of order in the pool.
struct PagedCase {
  PagedCase(Rng& rng, KvType type, AttentionShape of, int64_t block, int64_t tokens)
      : shape(of),
        blocks((tokens + block - 1) / block),
        bytes(kv_head_bytes(type, of.head_dim, block) * of.kv_heads * 2 * blocks),
        k_pool(bytes, std::byte{0xff}),  // NaN where nothing was stored
        v_pool(bytes, std::byte{0xff}),
        kv{k_pool.data(), v_pool.data(), block, type},
        k(random_grid(rng, 2 * tokens, of.kv_heads * of.head_dim, 1)),
        v(random_grid(rng, 2 * tokens, of.kv_heads * of.head_dim, 2)) {
    for (int64_t i = 0; i < blocks; ++i) {
      table_a.push_back(static_cast<int32_t>(2 * (blocks - 1 - i)));
      table_b.push_back(static_cast<int32_t>(2 * i + 1));
    }
    for (int32_t t = 0; t < tokens; ++t) {
      tables.insert(tables.end(), {table_a.data(), table_b.data()});
      positions.insert(positions.end(), {t, t});
    }
  }

  void store(const Ops& ops) { ops.store_kv(k.read(), v.read(), tables, positions, shape, kv); }

  Grid attend(const Ops& ops, const Grid& q, std::span<const int32_t* const> asked,
              std::span<const int32_t> at) const {
    Grid y(q.shape.rows, q.shape.cols, 1);
    ops.paged_attention(q.read(), asked, at, shape, kv, y.view());
    return y;
  }

  AttentionShape shape;
  int64_t blocks;
  int64_t bytes;
  std::vector<std::byte> k_pool, v_pool;
  PagedKv kv;
  Grid k, v;
  std::vector<int32_t> table_a, table_b;
  std::vector<const int32_t*> tables;
  std::vector<int32_t> positions;
};

std::string paged_name(const PagedCase& c) {
  return fmt::format("{} heads {}/{} of {} block {}", kv_type_name(c.kv.type), c.shape.heads,
                     c.shape.kv_heads, c.shape.head_dim, c.kv.block_tokens);
}

TEST_P(AttentionTest, PagedAttentionMatchesTheReference) {
  for (const KvType type : kKvTypes) {
    for (const int64_t head_dim : {1, 4, 20, 33, 64, 80}) {
      for (const int64_t block_tokens : {1, 5, 16, 24}) {
        PagedCase c(rng, type, {4, 2, head_dim, 0.3f}, block_tokens, 100);
        const auto k_empty = c.k_pool;
        c.store(ref);
        const auto k_ref = c.k_pool, v_ref = c.v_pool;
        c.k_pool = c.v_pool = k_empty;
        c.kv.k_pool = c.k_pool.data();
        c.kv.v_pool = c.v_pool.data();
        c.store(cpu);
        ASSERT_TRUE(c.k_pool == k_ref && c.v_pool == v_ref) << paged_name(c);

        // Single rows, and runs that a kernel may take together.
        std::vector<const int32_t*> asked;
        std::vector<int32_t> at;
        const auto ask = [&](const std::vector<int32_t>& table, int32_t first, int32_t last) {
          for (int32_t p = first; p <= last; ++p) {
            asked.push_back(table.data());
            at.push_back(p);
          }
        };
        ask(c.table_a, 0, 0);
        ask(c.table_b, 3, 3);
        ask(c.table_b, 0, 70);
        ask(c.table_a, 98, 99);
        ask(c.table_a, 64, 64);
        const Grid q = random_grid(rng, std::ssize(at), c.shape.heads * head_dim, 3);
        expect_close(c.attend(cpu, q, asked, at), c.attend(ref, q, asked, at), 1e-5, paged_name(c));
      }
    }
  }
}

TEST_P(AttentionTest, PagedAttentionOverLongContextsMatchesTheReference) {
  // Several spans; a group that divides no tile, no group, one of more heads than a tile has rows.
  for (const AttentionShape shape :
       {AttentionShape{14, 2, 16, 0.3f}, {3, 3, 8, 0.3f}, {100, 1, 4, 0.3f}}) {
    for (const KvType type : kKvTypes) {
      PagedCase c(rng, type, shape, 16, 1100);
      c.store(cpu);
      std::vector<const int32_t*> asked(4, c.table_a.data());
      std::vector<int32_t> at = {1099, 255, 256, 600};
      for (int32_t p = 500; p < 520; ++p) {
        asked.push_back(c.table_b.data());
        at.push_back(p);
      }
      const Grid q = random_grid(rng, std::ssize(at), shape.heads * shape.head_dim, 3);
      expect_close(c.attend(cpu, q, asked, at), c.attend(ref, q, asked, at), 1e-5, paged_name(c));
    }
  }
}

TEST_P(AttentionTest, PagedAttentionOfARowDependsOnNothingElseInTheCall) {
  for (const KvType type : kKvTypes) {
    PagedCase c(rng, type, {14, 2, 64, 0.125f}, 16, 700);
    c.store(cpu);
    const std::vector<const int32_t*> asked(700, c.table_a.data());
    std::vector<int32_t> at(700);
    std::iota(at.begin(), at.end(), 0);
    const Grid q = random_grid(rng, 700, 14 * 64);
    const Grid whole = c.attend(cpu, q, asked, at);
    Grid inside(700, 14 * 64, 1);  // on one thread
    compute_pool().parallel_for(2, 1, [&](int64_t begin, int64_t, int) {
      if (begin == 0) inside = c.attend(cpu, q, asked, at);
    });
    for (const int64_t r : {0, 1, 254, 255, 256, 257, 511, 512, 698, 699}) {
      Grid row(1, 14 * 64);
      std::copy_n(q.read().row(r), 14 * 64, row.view().row(0));
      const Grid alone = c.attend(cpu, row, std::span(asked).first(1), std::span(at).subspan(r, 1));
      for (int64_t i = 0; i < 14 * 64; ++i) {
        ASSERT_EQ(alone.read().row(0)[i], whole.read().row(r)[i]) << paged_name(c) << " row " << r;
        ASSERT_EQ(inside.read().row(r)[i], whole.read().row(r)[i]) << paged_name(c) << " row " << r;
      }
    }
  }
}

TEST_P(AttentionTest, StoredKeysAndValuesAreWithinTheBoundOfTheirType) {
  // With one token attention gives its value back.
  for (const KvType type : kKvTypes) {
    for (const int64_t head_dim : {1, 31, 32, 64, 70}) {
      PagedCase c(rng, type, {1, 1, head_dim, 0.3f}, 4, 1);
      if (head_dim > 40) c.v.view().row(0)[40] = 1000;  // spoils its own group only
      c.store(cpu);
      const Grid q = random_grid(rng, 1, head_dim);
      const Grid y = c.attend(cpu, q, std::span(c.tables).first(1), std::vector<int32_t>{0});
      for (int64_t i = 0; i < head_dim; ++i) {
        const float* v = c.v.read().row(0);
        double peak = 0;
        for (int64_t j = i / 32 * 32; j < std::min(head_dim, i / 32 * 32 + 32); ++j)
          peak = std::max(peak, std::abs(double{v[j]}));
        const double bound = type == KvType::kF32   ? 1e-6 * std::abs(v[i])
                             : type == KvType::kF16 ? std::abs(v[i]) / 2047
                                                    : peak / 253;
        EXPECT_NEAR(y.read().row(0)[i], v[i], bound) << paged_name(c) << " at " << i;
      }
    }
  }
}

TEST_P(AttentionTest, AValueThatIsNotFiniteStaysVisibleInTheCache) {
  for (const KvType type : kKvTypes) {
    for (const float broken : {std::nanf(""), INFINITY, 1e30f}) {
      PagedCase c(rng, type, {2, 2, 40, 0.3f}, 4, 3);
      c.v.view().row(0)[35] = broken;  // token 0 of sequence a, kv head 0
      c.store(cpu);
      const Grid q = random_grid(rng, 1, 80);
      const Grid y = c.attend(cpu, q, std::span(c.tables).first(1), std::vector<int32_t>{2});
      // A target that converts halves in software takes infinities and NaN for 65536 and more.
      EXPECT_FALSE(std::abs(y.read().row(0)[35]) < 100) << paged_name(c) << " " << broken;
      EXPECT_TRUE(std::isfinite(y.read().row(0)[0])) << paged_name(c);
      EXPECT_TRUE(std::isfinite(y.read().row(0)[75])) << paged_name(c);
    }
  }
}

TEST(KvCache, TypesHaveNamesAndSizes) {
  for (const KvType type : kKvTypes) EXPECT_EQ(parse_kv_type(kv_type_name(type)), type);
  EXPECT_EQ(parse_kv_type("q4"), std::nullopt);
  EXPECT_EQ(kv_head_bytes(KvType::kF32, 64, 16), 4096);
  EXPECT_EQ(kv_head_bytes(KvType::kF16, 64, 16), 2048);
  EXPECT_EQ(kv_head_bytes(KvType::kQ8, 64, 16), 1088);
  EXPECT_EQ(kv_head_bytes(KvType::kQ8, 5, 1), 64);
}

}  // namespace
}  // namespace plinth::tensor
