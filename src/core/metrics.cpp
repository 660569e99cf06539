#include "core/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace plinth {
namespace {

// Merge lets every call site name its metric: families of the same name are one.
prometheus::Registry& registry() {
  static auto* instance = new prometheus::Registry(prometheus::Registry::InsertBehavior::Merge);
  return *instance;
}

}  // namespace

void count(const std::string& name, double by, const Labels& labels) {
  prometheus::BuildCounter().Name(name).Register(registry()).Add(labels).Increment(by);
}

void set_gauge(const std::string& name, double value, const Labels& labels) {
  prometheus::BuildGauge().Name(name).Register(registry()).Add(labels).Set(value);
}

void observe_seconds(const std::string& name, double seconds, const Labels& labels) {
  static const prometheus::Histogram::BucketBoundaries buckets{
      0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60};
  prometheus::BuildHistogram()
      .Name(name)
      .Register(registry())
      .Add(labels, buckets)
      .Observe(seconds);
}

std::string metrics_text() {
  return prometheus::TextSerializer().Serialize(registry().Collect());
}

}  // namespace plinth
