// What a run shows while it goes on and afterwards.
#include <cmath>

#include <gtest/gtest.h>

#include "train/live_view.h"
#include "train/metrics_prom.h"
#include "train/run_files.h"
#include "train/run_report.h"
#include "train/svg_chart.h"

namespace plinth::train {
namespace {

class FakeClock : public Clock {
 public:
  int64_t monotonic_ns() const override { return ns; }

  int64_t unix_ms() const override { return 0; }

  int64_t ns = 0;
};

StepReport report_of(int64_t step, double loss, double heldout = -1) {
  StepReport report;
  report.step = step;
  report.steps = 100000;
  report.loss = loss;
  report.heldout = heldout;
  report.general = heldout;
  report.learning_rate = 4.1e-4;
  report.gradient_norm = 123.456;
  report.tokens_per_s = 123456;
  report.peak_bytes = int64_t{123456} << 20;
  return report;
}

TEST(LiveView, FitsATerminalOfEightyColumns) {
  FakeClock clock;
  LiveView view("tune", clock);
  for (int64_t step = 1; step <= 300; ++step) {
    clock.ns += 250'000'000;
    view.take(report_of(step, 5.0 - 0.01 * static_cast<double>(step), step % 50 == 0 ? 3 : -1));
  }
  for (const int columns : {80, 40, 200}) {
    const auto lines = view.lines(columns);
    ASSERT_EQ(lines.size(), 4u);
    for (const auto& line : lines) EXPECT_LT(line.size(), static_cast<size_t>(columns)) << line;
  }
  const auto lines = view.lines(80);
  EXPECT_NE(lines[0].find("300/100000  0 %  6h55m left"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("held-out 3.000  best 3.000 at 50  general 3.000"), std::string::npos)
      << lines[1];
  EXPECT_NE(lines[2].find("lr 4.1e-04"), std::string::npos) << lines[2];
  EXPECT_EQ(lines[3].substr(0, 14), "loss so far @@") << lines[3];
  EXPECT_EQ(lines[3].back(), '.');
}

TEST(LiveView, LeavesOutWholeWhatDoesNotFit) {
  FakeClock clock;
  LiveView view("tune", clock);
  for (int64_t step = 1; step <= 300; ++step) {
    clock.ns += 250'000'000;
    view.take(report_of(step, 2.5, 3));
  }
  const auto lines = view.lines(40);
  EXPECT_EQ(view.lines(44)[0], "tune [-------]  300/100000  0 %  6h55m left");
  EXPECT_EQ(lines[0], "tune  300/100000  0 %  6h55m left");
  EXPECT_EQ(lines[1], "loss 2.500  held-out 3.000");
  EXPECT_EQ(lines[2], "lr 4.1e-04  gradient 123.46");
  EXPECT_EQ(view.lines(30)[0], "tune  300/100000  0 %");
  EXPECT_EQ(view.line(40), "tune step 300/100000, loss 2.500");
  EXPECT_EQ(view.line(),
            "tune step 300/100000, loss 2.500, held-out 3.000, general 3.000, lr 4.1e-04, "
            "gradient 123.46, 123456 tokens/s, 6h55m left");
}

TEST(LiveView, ForgetsTheStepsThatAreUndone) {
  LiveView view("tune");
  for (int64_t step = 1; step <= 10; ++step) view.take(report_of(step, 1));
  view.take(report_of(5, 1));
  EXPECT_EQ(view.lines(80)[3], "loss so far .....");
}

TEST(Prometheus, WritesEachMetricWithItsTypeOnce) {
  const auto text = prometheus_text("a \"run\"", report_of(3, 2.5, 2.25), 1, 60);
  EXPECT_NE(text.find("# HELP plinth_train_loss Loss of the last step, nats per token.\n"
                      "# TYPE plinth_train_loss gauge\n"
                      "plinth_train_loss{run=\"a \\\"run\\\"\"} 2.5\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("plinth_train_heldout_loss{run=\"a \\\"run\\\"\"} 2.25\n"),
            std::string::npos);
  EXPECT_NE(text.find("plinth_train_left_seconds{run=\"a \\\"run\\\"\"} 60\n"), std::string::npos);
  EXPECT_EQ(prometheus_text("r", report_of(3, 2.5), 0, -1).find("left_seconds"), std::string::npos);
}

TEST(Chart, DrawsWhatIsANumberAndSurvivesTheRest) {
  Curve curve{"a<b", "#123456", {{1, 2}, {2, std::nan("")}, {3, 1}}, true};
  const auto svg = svg_chart("t & t", {curve});
  EXPECT_NE(svg.find("t &amp; t"), std::string::npos);
  EXPECT_NE(svg.find("a&lt;b"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_EQ(svg_chart("none", {{"a", "red", {}, false}}), "");
  // A point alone, and values that are all the same, have a chart, too.
  EXPECT_EQ(svg_chart("one", {{"a", "red", {{1, 0}}, false}}).find("nan"), std::string::npos);
  EXPECT_EQ(
      svg_chart("log", {{"a", "red", {{0, 1}, {1e-3, 2}}, false}}, {.log_x = true}).find("nan"),
      std::string::npos);
}

TEST(RunReport, ShowsWhatTheRunSaysAndNothingItCouldExecute) {
  const auto temp = *TempDirectory::create();
  write_text(temp.path() / "metrics.jsonl",
             "{\"step\":1,\"loss\":2.0,\"lr\":0.1,\"heldout\":null}\nbroken\n");
  ASSERT_TRUE(write_run_report(temp.path(), {{"Recipe", {{"lora.rank", "<script>"}}},
                                             {"Rows", {{{"place", "a:1"}, {"reason", "cut"}}}},
                                             {"Nothing", nullptr}}));
  const auto page = read_text(temp.path() / "report.html");
  EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_NE(page.find("<td class=v>a:1</td><td class=v>cut</td>"), std::string::npos);
  EXPECT_EQ(page.find("Nothing"), std::string::npos);
}

}  // namespace
}  // namespace plinth::train
