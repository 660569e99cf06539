#include "model/low_rank_svd.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

namespace plinth::model {
namespace {

// Columns, each contiguous: what Gram-Schmidt and Jacobi walk along.
struct Columns {
  int64_t rows = 0;
  int64_t n = 0;
  std::vector<double> values;  // [n, rows]

  Columns(int64_t its_rows, int64_t its_n)
      : rows(its_rows), n(its_n), values(static_cast<size_t>(its_rows * its_n)) {}

  double* column(int64_t j) { return values.data() + j * rows; }

  const double* column(int64_t j) const { return values.data() + j * rows; }
};

double dot(const double* x, const double* y, int64_t n) {
  return std::inner_product(x, x + n, y, 0.0);
}

// Makes the columns orthonormal, or zero where they depend on those before; returns the upper
// triangle [n, n], row by row, that makes them again.
std::vector<double> orthonormalise(Columns& columns) {
  const int64_t n = columns.n;
  std::vector<double> triangle(static_cast<size_t>(n * n));
  for (int64_t j = 0; j < n; ++j) {
    double* x = columns.column(j);
    const double before = std::sqrt(dot(x, x, columns.rows));
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t i = 0; i < j; ++i) {
        const double* q = columns.column(i);
        const double along = dot(q, x, columns.rows);
        triangle[static_cast<size_t>(i * n + j)] += along;
        for (int64_t r = 0; r < columns.rows; ++r) x[r] -= along * q[r];
      }
    const double norm = std::sqrt(dot(x, x, columns.rows));
    const bool depends = norm <= 1e-12 * before;
    triangle[static_cast<size_t>(j * n + j)] = depends ? 0 : norm;
    for (int64_t r = 0; r < columns.rows; ++r) x[r] = depends ? 0 : x[r] / norm;
  }
  return triangle;
}

// Rotates pairs of columns of m, and of v with them, until those of m are orthogonal.
void jacobi(Columns& m, Columns& v) {
  constexpr int kSweepsMax = 60;
  constexpr double kOrthogonal = 1e-15;
  for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
    bool rotated = false;
    for (int64_t i = 0; i < m.n; ++i) {
      for (int64_t j = i + 1; j < m.n; ++j) {
        const double alpha = dot(m.column(i), m.column(i), m.rows);
        const double beta = dot(m.column(j), m.column(j), m.rows);
        const double gamma = dot(m.column(i), m.column(j), m.rows);
        if (std::abs(gamma) <= kOrthogonal * std::sqrt(alpha * beta)) continue;
        rotated = true;
        const double zeta = (beta - alpha) / (2 * gamma);
        const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double c = 1 / std::sqrt(1 + t * t);
        const double s = c * t;
        for (Columns* both : {&m, &v}) {
          double* x = both->column(i);
          double* y = both->column(j);
          for (int64_t r = 0; r < both->rows; ++r)
            std::tie(x[r], y[r]) = std::pair(c * x[r] - s * y[r], s * x[r] + c * y[r]);
        }
      }
    }
    if (!rotated) return;
  }
}

// q [rows, n] times column `from` of m, into column `to` of out [rows, n] row by row.
void put_column(const Columns& q, const double* m, int64_t to, std::vector<double>& out) {
  for (int64_t k = 0; k < q.n; ++k)
    for (int64_t r = 0; r < q.rows; ++r)
      out[static_cast<size_t>(r * q.n + to)] += q.column(k)[r] * m[k];
}

}  // namespace

ThinSvd svd_of_product(std::span<const double> b, std::span<const double> a, int64_t n) {
  const auto rows = static_cast<int64_t>(b.size()) / n;
  const auto cols = static_cast<int64_t>(a.size()) / n;
  Columns q(rows, n);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < n; ++j) q.column(j)[r] = b[static_cast<size_t>(r * n + j)];
  Columns p(cols, n);
  std::copy(a.begin(), a.end(), p.values.begin());
  const auto s = orthonormalise(q);
  const auto t = orthonormalise(p);
  Columns core(n, n);  // S T^T
  Columns turned(n, n);
  for (int64_t i = 0; i < n; ++i) {
    turned.column(i)[i] = 1;
    for (int64_t j = 0; j < n; ++j) core.column(j)[i] = dot(s.data() + i * n, t.data() + j * n, n);
  }
  jacobi(core, turned);
  std::vector<std::pair<double, int64_t>> order;
  for (int64_t j = 0; j < n; ++j)
    order.emplace_back(std::sqrt(dot(core.column(j), core.column(j), n)), j);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& x, const auto& y) { return x.first > y.first; });
  ThinSvd svd{std::vector<double>(b.size()), std::vector<double>(a.size()), {}};
  for (int64_t k = 0; k < n; ++k) {
    const auto [value, j] = order[static_cast<size_t>(k)];
    svd.values.push_back(value);
    if (value == 0) continue;
    double* left = core.column(j);
    for (int64_t r = 0; r < n; ++r) left[r] /= value;
    put_column(q, left, k, svd.u);
    put_column(p, turned.column(j), k, svd.v);
  }
  return svd;
}

}  // namespace plinth::model
