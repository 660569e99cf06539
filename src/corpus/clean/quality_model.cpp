#include "corpus/clean/quality_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/rng.h"
#include "corpus/utf8.h"

namespace plinth::corpus {
namespace {

constexpr std::string_view kMagic = "plinthQ2";
constexpr size_t kPlaces = size_t{1} << 16;
constexpr size_t kCharsMax = 4096;
constexpr int64_t kExamplesMin = 20;  // of each kind
constexpr int kEpochs = 12;
constexpr float kRate = 0.5F;
constexpr float kDecay = 1e-4F;

// The places of a text's features, each once, in ascending order.
std::vector<uint16_t> features(std::string_view text) {
  std::array<uint64_t, kPlaces / 64> marks{};
  uint64_t one = 0, two = 0;
  size_t chars = 0;
  for (size_t at = 0; at < text.size() && chars < kCharsMax;) {
    const char32_t c = fold_char(next_char(text, at));
    // How lines end and begin tells menus from sentences; other white space tells nothing.
    if (is_space(c) && (c != '\n' || chars == 0 || one == c)) continue;
    ++chars;
    const auto mark = [&](uint64_t gram) {
      const uint64_t place = gram * 0x9E3779B97F4A7C15u >> 48;
      marks[place / 64] |= uint64_t{1} << place % 64;
    };
    mark(c + 1);
    if (chars > 1) mark((one << 21 | c) + (uint64_t{1} << 62));
    if (chars > 2) mark((two << 42 | one << 21 | c) + (uint64_t{1} << 63));
    two = one;
    one = c;
  }
  std::vector<uint16_t> out;
  out.reserve(std::min(3 * chars, kPlaces));
  for (size_t word = 0; word < marks.size(); ++word)
    for (uint64_t bits = marks[word]; bits != 0; bits &= bits - 1)
      out.push_back(static_cast<uint16_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits))));
  return out;
}

double logistic(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

struct Example {
  std::vector<uint16_t> places;
  float label = 0;   // 1 good, 0 bad
  float weight = 1;  // so that both kinds weigh the same
};

template <typename Weights>
double margin_of(const Weights& weights, const std::vector<uint16_t>& places) {
  if (places.empty()) return 0;
  double sum = 0;
  for (const uint16_t place : places) sum += static_cast<double>(weights[place]);
  return sum / std::sqrt(static_cast<double>(places.size()));
}

}  // namespace

double QualityModel::margin(std::string_view text) const {
  return margin_of(weights_, features(text)) * static_cast<double>(scale_);
}

double QualityModel::score(std::string_view text) const {
  return logistic(static_cast<double>(slope_) * margin(text) + static_cast<double>(offset_));
}

std::string QualityModel::bytes() const {
  std::string out(kMagic);
  for (const float value : {scale_, slope_, offset_}) {
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(bits >> 8 * i & 0xFF));
  }
  out.append(reinterpret_cast<const char*>(weights_.data()), weights_.size());
  return out;
}

Result<QualityModel> QualityModel::read(const Path& path) {
  PLINTH_TRY(const std::string bytes, read_file(path, uint64_t{1} << 20));
  return parse(bytes, path.string());
}

Result<QualityModel> QualityModel::parse(std::string_view bytes, std::string_view name) {
  const size_t head = kMagic.size() + 3 * sizeof(float);
  if (bytes.starts_with("plinthQ1"))
    return data_loss("{}: a quality model of an earlier form, plinthQ1; train it again", name);
  if (!bytes.starts_with(kMagic) || bytes.size() != head + kPlaces)
    return data_loss("{}: {} bytes, no quality model", name, bytes.size());
  const auto number = [&](size_t i) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; ++k)
      bits |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[kMagic.size() + i * 4 + k]))
              << 8 * k;
    return std::bit_cast<float>(bits);
  };
  QualityModel out;
  out.scale_ = number(0);
  out.slope_ = number(1);
  out.offset_ = number(2);
  if (!std::isfinite(out.scale_) || !std::isfinite(out.slope_) || !std::isfinite(out.offset_))
    return data_loss("{}: its scale is no number", name);
  out.weights_.resize(kPlaces);
  std::memcpy(out.weights_.data(), bytes.data() + head, kPlaces);
  return out;
}

class QualityTrainer {
 public:
  QualityTrainer(const std::vector<QualityExample>& examples, uint64_t seed) : rng_(seed) {
    for (const QualityExample& example : examples)
      all_.push_back({features(example.text), example.good ? 1.0F : 0.0F});
  }

  Result<QualityTraining> run() {
    QualityTraining out;
    for (const Example& example : all_) ++(example.label > 0 ? out.good : out.bad);
    if (out.good < kExamplesMin || out.bad < kExamplesMin)
      return invalid("quality: {} good and {} bad examples, at least {} of each are needed",
                     out.good, out.bad, kExamplesMin);
    const auto total = static_cast<float>(all_.size());
    for (Example& example : all_)
      example.weight = total / 2 / static_cast<float>(example.label > 0 ? out.good : out.bad);
    shuffle();
    const size_t held = all_.size() / 5;
    fit(held);
    quantise(out.model);
    calibrate(held, out.model);
    judge(held, out);
    return out;
  }

 private:
  void shuffle() {
    for (size_t i = all_.size(); i > 1; --i) std::swap(all_[i - 1], all_[rng_.below(i)]);
  }

  // Examples held, held + 1, ... are learned from.
  void fit(size_t held) {
    weights_.assign(kPlaces, 0);
    std::vector<float> squares(kPlaces, 1e-6F);
    for (int epoch = 0; epoch < kEpochs; ++epoch)
      for (size_t i = held; i < all_.size(); ++i) {
        const Example& example = all_[i];
        if (example.places.empty()) continue;
        const double p = logistic(margin_of(weights_, example.places));
        const float error = (static_cast<float>(p) - example.label) * example.weight /
                            std::sqrt(static_cast<float>(example.places.size()));
        for (const uint16_t place : example.places) {
          const float slope = error + kDecay * weights_[place];
          squares[place] += slope * slope;
          weights_[place] -= kRate * slope / std::sqrt(squares[place]) * 0.1F;
        }
      }
  }

  void quantise(QualityModel& model) const {
    float most = 1e-9F;
    for (const float w : weights_) most = std::max(most, std::abs(w));
    model.scale_ = most / 127;
    model.weights_.resize(kPlaces);
    for (size_t i = 0; i < kPlaces; ++i)
      model.weights_[i] = static_cast<int8_t>(std::lround(weights_[i] / model.scale_));
  }

  double margin(const QualityModel& model, size_t i) const {
    return margin_of(model.weights_, all_[i].places) * static_cast<double>(model.scale_);
  }

  // Two parameters by gradient descent: convex, and a few hundred steps are nothing.
  void calibrate(size_t held, QualityModel& model) const {
    double slope = 1, offset = 0;
    for (int step = 0; step < 2000; ++step) {
      double by_slope = 0, by_offset = 0, weights = 0;
      for (size_t i = 0; i < held; ++i) {
        const double m = margin(model, i), w = static_cast<double>(all_[i].weight);
        // Platt's targets: never quite 0 or 1.
        const double target = all_[i].label > 0 ? 0.99 : 0.01;
        const double error = (logistic(slope * m + offset) - target) * w;
        by_slope += error * m;
        by_offset += error;
        weights += w;
      }
      slope -= 0.5 * by_slope / weights;
      offset -= 0.5 * by_offset / weights;
    }
    model.slope_ = static_cast<float>(std::max(slope, 1e-3));
    model.offset_ = static_cast<float>(offset);
  }

  void judge(size_t held, QualityTraining& out) const {
    const QualityModel& model = out.model;
    std::vector<std::pair<double, bool>> scores;
    int64_t right = 0;
    for (size_t i = 0; i < held; ++i) {
      const double score = logistic(static_cast<double>(model.slope_) * margin(model, i) +
                                    static_cast<double>(model.offset_));
      const bool good = all_[i].label > 0;
      right += (score >= 0.5) == good ? 1 : 0;
      scores.emplace_back(score, good);
    }
    out.held_out_accuracy = held == 0 ? 0 : static_cast<double>(right) / static_cast<double>(held);
    // Pairs of a good and a bad one in the right order.
    std::sort(scores.begin(), scores.end());
    int64_t bad_below = 0, pairs = 0, good = 0;
    for (const auto& [unused, is_good] : scores) {
      if (is_good) {
        ++good;
        pairs += bad_below;
      } else {
        ++bad_below;
      }
    }
    if (good > 0 && bad_below > 0)
      out.held_out_auc =
          static_cast<double>(pairs) / static_cast<double>(good) / static_cast<double>(bad_below);
  }

  Rng rng_;
  std::vector<Example> all_;
  std::vector<float> weights_;
};

Result<QualityTraining> train_quality(const std::vector<QualityExample>& examples, uint64_t seed) {
  return QualityTrainer(examples, seed).run();
}

}  // namespace plinth::corpus
