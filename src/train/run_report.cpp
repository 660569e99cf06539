#include "train/run_report.h"

#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "core/html_escape.h"
#include "train/svg_chart.h"

namespace plinth::train {
namespace {

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Training run</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733}
h1{font-size:1.5rem} h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #d5dce4}
table{border-collapse:collapse} td{padding:.15rem .8rem .15rem 0;border-bottom:1px solid #e6ebf0;vertical-align:top}
td.v{word-break:break-all;font-variant-numeric:tabular-nums} svg{width:100%;height:auto;margin:.6rem 0}
</style></head><body>
)";

// One member of every line of metrics.jsonl that has it as a number.
Curve curve_of(const std::vector<Json>& lines, std::string name, const char* key,
               std::string colour, bool dots = false) {
  Curve curve{std::move(name), std::move(colour), {}, dots};
  for (const auto& line : lines)
    if (const auto it = line.find(key); it != line.end() && it->is_number())
      curve.points.emplace_back(number_or(line, "step", 0), it->get<double>());
  return curve;
}

std::string curves(const std::vector<Json>& lines) {
  return svg_chart("Loss, nats per token",
                   {curve_of(lines, "training", "loss", "#9db7d1"),
                    curve_of(lines, "held-out", "heldout", "#c0392b", true)}) +
         svg_chart("General rows that are not trained on, nats per token",
                   {curve_of(lines, "general", "general", "#1e8449", true)}) +
         svg_chart("Learning rate", {curve_of(lines, "learning rate", "lr", "#2f6fb0")}) +
         svg_chart("Gradient norm before clipping",
                   {curve_of(lines, "gradient norm", "grad_norm", "#7d3c98")}) +
         svg_chart("Tokens per second", {curve_of(lines, "tokens/s", "tokens_per_s", "#5b6b7b")});
}

std::string shown(const Json& value) {
  return escape_html(value.is_string() ? value.get<std::string>() : to_text(value));
}

// Objects are tables; lists of objects are one line each.
void put_section(const std::string& name, const Json& value, std::string& out) {
  if (value.is_null() || (value.is_structured() && value.empty())) return;
  fmt::format_to(std::back_inserter(out), "<h2>{}</h2>\n<table>\n", escape_html(name));
  if (value.is_object()) {
    for (const auto& [key, member] : value.items())
      fmt::format_to(std::back_inserter(out), "<tr><td>{}</td><td class=v>{}</td></tr>\n",
                     escape_html(key), shown(member));
  } else if (value.is_array()) {
    for (const auto& row : value) {
      out += "<tr>";
      if (row.is_object())
        for (const auto& member : row) out += "<td class=v>" + shown(member) + "</td>";
      else
        out += "<td class=v>" + shown(row) + "</td>";
      out += "</tr>\n";
    }
  } else {
    out += "<tr><td>" + shown(value) + "</td></tr>\n";
  }
  out += "</table>\n";
}

}  // namespace

Status write_run_report(const Path& run_dir, const Json& about) {
  std::vector<Json> lines;
  if (std::filesystem::exists(run_dir / "metrics.jsonl")) {
    PLINTH_TRY(const auto text, read_file(run_dir / "metrics.jsonl"));
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      if (auto line = parse_json(std::string_view(text).substr(begin, end - begin), "metrics line"))
        lines.push_back(*std::move(line));
      begin = end + 1;
    }
  }
  std::string page(kHead);
  page += "<h1>" + escape_html((run_dir / "").parent_path().filename().string()) + "</h1>\n";
  page += curves(lines);
  for (const auto& [name, value] : about.items()) put_section(name, value, page);
  page += "</body></html>\n";
  return write_file_atomic(run_dir / "report.html", page);
}

}  // namespace plinth::train
