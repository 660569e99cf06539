// A character 5-gram model with interpolated, modified Kneser-Ney smoothing: what a base must beat
// to have learnt anything. Same unit as a text suite: bits per Unicode code point, each document
// from its own beginning, its end not predicted.
//
// Counts live in sorted arrays of packed n-grams, some 40 bytes for each distinct 5-gram all in
// all. Immutable once trained; may be shared between threads.
//
// Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling",
// TR-10-98, Harvard, 1998, section 4.1.6 and the discounts of equation 4.26.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"

namespace plinth::eval {

class KneserNey {
 public:
  static constexpr int kOrder = 5;

  // kInvalidArgument when the documents hold no character.
  static Result<KneserNey> train(std::span<const std::string_view> documents);

  // log2 p(next | what stands before it in the document, at most kOrder - 1 characters of it).
  // Sums to one over all code points: one share of the unigram's uniform floor is divided among the
  // code points that training never saw.
  double log2_probability(std::u32string_view before, char32_t next) const;

  // kInvalidArgument when the documents hold no character.
  Result<double> bits_per_character(std::span<const std::string_view> documents) const;

  int64_t characters() const { return std::ssize(symbols_); }  // distinct, seen in training

  int64_t bytes() const;

 private:
  __extension__ using Gram = unsigned __int128;  // 21 bits a symbol, the newest lowest

  // What discounting takes from the n-grams that begin with one context.
  struct Context {
    Gram gram = 0;
    double total = 0;      // of the counts
    double left_over = 0;  // the share handed to the lower order
  };

  // One order: n-grams, their (continuation) counts, and the contexts they begin with.
  struct Level {
    std::vector<Gram> grams;  // sorted
    std::vector<uint32_t> counts;
    std::vector<Context> contexts;        // sorted
    std::array<double, 4> discount = {};  // of a count of 0, 1, 2, 3 and more

    double discount_of(uint32_t count) const { return discount[count < 3 ? count : 3]; }
  };

  static Level count(std::vector<Gram> grams);
  static void discount(Level& level);

  uint32_t symbol(char32_t c) const;
  // history: kOrder - 1 symbols, the newest last.
  double probability(std::span<const uint32_t> history, uint32_t next) const;

  std::unordered_map<char32_t, uint32_t> symbols_;  // from 2 on; 0: unseen, 1: start
  std::array<Level, kOrder> levels_;                // by order - 1
};

}  // namespace plinth::eval
