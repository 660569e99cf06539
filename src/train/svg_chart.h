// Curves as SVG text: for reports that open anywhere, with no script and nothing loaded.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plinth::train {

struct Curve {
  std::string name;
  std::string colour;                                  // CSS
  std::vector<std::pair<double, double>> points = {};  // x ascending; others than numbers left out
  bool dots = false;                                   // few points that matter each
};

struct ChartOptions {
  std::string x_label = "step";
  bool log_x = false;
  int width = 640;
  int height = 260;
};

// An <svg> element with axes, ticks and a legend; empty when no curve has a point. Curves of more
// points than the chart is wide are averaged over stretches of equal length.
std::string svg_chart(std::string_view title, const std::vector<Curve>& curves,
                      const ChartOptions& options = {});

}  // namespace plinth::train
