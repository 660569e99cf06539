#include "train/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "core/html_escape.h"

namespace plinth::train {
namespace {

constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 34;
constexpr double kBottom = 40;
constexpr int kTicks = 5;

struct Range {
  double low = 1e300;
  double high = -1e300;

  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// Steps of 1, 2 or 5 times a power of ten, about kTicks of them.
std::vector<double> ticks(const Range& range) {
  const double raw = (range.high - range.low) / kTicks;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double share = raw / power;
  const double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
  std::vector<double> values;
  for (double i = std::ceil(range.low / step); i * step <= range.high * (1 + 1e-12); ++i)
    values.push_back(i * step);
  return values;
}

std::vector<std::pair<double, double>> thinned(std::vector<std::pair<double, double>> points,
                                               size_t n_max) {
  std::erase_if(points, [](const auto& point) {
    return !std::isfinite(point.first) || !std::isfinite(point.second);
  });
  if (points.size() <= n_max) return points;
  std::vector<std::pair<double, double>> means;
  for (size_t i = 0; i < n_max; ++i) {
    const size_t begin = i * points.size() / n_max;
    const size_t end = (i + 1) * points.size() / n_max;
    double x = 0;
    double y = 0;
    for (size_t k = begin; k < end; ++k) {
      x += points[k].first;
      y += points[k].second;
    }
    const auto n = static_cast<double>(end - begin);
    means.emplace_back(x / n, y / n);
  }
  return means;
}

class Chart {
 public:
  Chart(const std::vector<Curve>& curves, const ChartOptions& options) : options_(options) {
    for (const auto& curve : curves) {
      auto points = thinned(curve.points, static_cast<size_t>(options.width));
      if (options.log_x) {
        std::erase_if(points, [](const auto& point) { return point.first <= 0; });
        for (auto& point : points) point.first = std::log10(point.first);
      }
      for (const auto& [x, y] : points) {
        x_.take(x);
        y_.take(y);
      }
      if (!points.empty()) curves_.push_back({curve.name, curve.colour, points, curve.dots});
    }
    if (x_.high <= x_.low) x_.high = x_.low + 1;
    const double margin = y_.high > y_.low ? 0.05 * (y_.high - y_.low) : 0.5;
    y_.low = y_.low >= 0 ? std::max(0.0, y_.low - margin) : y_.low - margin;
    y_.high += margin;
  }

  std::string text(std::string_view title) {
    if (curves_.empty()) return {};
    put("<svg viewBox=\"0 0 {} {}\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
        "font-family=\"sans-serif\" font-size=\"11\"><title>{}</title>\n",
        options_.width, options_.height, escape_html(title));
    put("<text x=\"{}\" y=\"14\" font-size=\"13\" font-weight=\"bold\">{}</text>\n", kLeft,
        escape_html(title));
    axes();
    double legend = kLeft;
    for (const auto& curve : curves_) draw(curve, legend);
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  double right() const { return options_.width - kRight; }

  double bottom() const { return options_.height - kBottom; }

  double x_at(double x) const {
    return kLeft + (x - x_.low) / (x_.high - x_.low) * (right() - kLeft);
  }

  double y_at(double y) const {
    return bottom() - (y - y_.low) / (y_.high - y_.low) * (bottom() - kTop);
  }

  void axes() {
    for (const double y : ticks(y_)) {
      put("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#dde3ea\"/>", kLeft,
          right(), y_at(y), y_at(y));
      put("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\" fill=\"#5b6b7b\">{:.4g}</text>\n",
          kLeft - 6, y_at(y) + 4, y);
    }
    for (const double x : ticks(x_))
      put("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\" fill=\"#5b6b7b\">{:.3g}</text>\n",
          x_at(x), bottom() + 16, options_.log_x ? std::pow(10, x) : x);
    put("<line x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\" stroke=\"#5b6b7b\"/>\n", kLeft, right(),
        bottom());
    put("<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#5b6b7b\">{}</text>\n", right(),
        bottom() + 32, escape_html(options_.x_label));
  }

  void draw(const Curve& curve, double& legend) {
    put("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" points=\"",
        escape_html(curve.colour), curve.dots ? 2 : 1.2);
    for (const auto& [x, y] : curve.points) put("{:.1f},{:.1f} ", x_at(x), y_at(y));
    out_ += "\"/>\n";
    if (curve.dots)
      for (const auto& [x, y] : curve.points)
        put("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"/>", x_at(x), y_at(y),
            escape_html(curve.colour));
    put("<rect x=\"{}\" y=\"20\" width=\"10\" height=\"4\" fill=\"{}\"/>", legend,
        escape_html(curve.colour));
    put("<text x=\"{}\" y=\"26\">{}</text>\n", legend + 14, escape_html(curve.name));
    legend += 34 + 6.5 * static_cast<double>(curve.name.size());
  }

  const ChartOptions& options_;
  std::vector<Curve> curves_;  // their points as drawn
  Range x_, y_;
  std::string out_;
};

}  // namespace

std::string svg_chart(std::string_view title, const std::vector<Curve>& curves,
                      const ChartOptions& options) {
  return Chart(curves, options).text(title);
}

}  // namespace plinth::train
