// Prometheus metrics of this process: one registry, text exposition (prometheus-cpp).
// Counters and gauges may be touched from any thread.
#pragma once

#include <map>
#include <string>

namespace plinth {

using Labels = std::map<std::string, std::string>;

void count(const std::string& name, double by = 1.0, const Labels& labels = {});
void set_gauge(const std::string& name, double value, const Labels& labels = {});
// Seconds into a histogram with buckets from 1 ms to 60 s.
void observe_seconds(const std::string& name, double seconds, const Labels& labels = {});

// The exposition text of everything so far ("text/plain; version=0.0.4").
std::string metrics_text();

}  // namespace plinth
