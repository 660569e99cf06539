#include "server/tracing.h"

#include <gtest/gtest.h>

#include "core/metrics.h"

namespace plinth::server {
namespace {

constexpr const char* kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceParent, IsReadAsTheRecommendationSays) {
  const auto parent = parse_traceparent(kParent);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->context.trace, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(parent->context.span, "00f067aa0ba902b7");
  EXPECT_TRUE(parent->sampled);
  EXPECT_EQ(to_traceparent(parent->context), kParent);
  EXPECT_FALSE(
      parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")->sampled);
  EXPECT_TRUE(parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later"));
  for (const char* wrong : {"", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later",
                            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
                            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01later"})
    EXPECT_FALSE(parse_traceparent(wrong)) << wrong;
}

TEST(Tracer, WritesSpansAsOtlpJson) {
  const Span span{.name = "prefill",
                  .context = {"4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"},
                  .parent = "1111111111111111",
                  .start_ns = 1'790'000'000'000'000'001,
                  .end_ns = 1'790'000'000'000'000'009,
                  .failed = true,
                  .attributes = {{"tokens", 12}, {"model", "law"}, {"gone", true}}};
  const Json json = otlp_json({&span, 1});
  const Json& one = json["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(one["traceId"], span.context.trace);
  EXPECT_EQ(one["parentSpanId"], span.parent);
  EXPECT_EQ(one["startTimeUnixNano"], "1790000000000000001");
  EXPECT_EQ(one["kind"], 1);
  EXPECT_EQ(one["status"]["code"], 2);
  EXPECT_EQ(one["attributes"], Json::parse(R"([{"key":"gone","value":{"boolValue":true}},)"
                                           R"({"key":"model","value":{"stringValue":"law"}},)"
                                           R"({"key":"tokens","value":{"intValue":"12"}}])"));
}

TEST(Tracer, DropsWhatNobodyCollects) {
  EXPECT_FALSE(Tracer::start("collector:4318"));
  {
    auto tracer = *Tracer::start("http://127.0.0.1:1/");
    for (int i = 0; i < 20'000; ++i)  // more than may wait
      tracer->add({.name = "x", .context = Tracer::below({})});
  }
  EXPECT_NE(metrics_text().find("plinth_spans_dropped_total"), std::string::npos);
}

}  // namespace
}  // namespace plinth::server
