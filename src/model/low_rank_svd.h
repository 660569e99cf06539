// The singular values of a product of thin matrices, found without ever making the product.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plinth::model {

struct ThinSvd {
  std::vector<double> u;       // [rows, n], columns orthonormal where the value is not zero
  std::vector<double> v;       // [cols, n]
  std::vector<double> values;  // [n], descending
};

// Of B A with B [rows, n] and A [n, cols], n at most rows and cols. B = Q S and A^T = P T by
// Gram-Schmidt (twice, for orthogonality); then one-sided Jacobi rotations on S T^T, n x n.
// Source: Golub and Van Loan, "Matrix Computations", 4th edition, sections 5.2 and 8.6.
ThinSvd svd_of_product(std::span<const double> b, std::span<const double> a, int64_t n);

}  // namespace plinth::model
