#include "server/quotas.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

namespace plinth::server {
namespace {

constexpr int64_t kRunningMax = 3072;        // of one tenant; a server's queue holds 4,096
constexpr int64_t kMonthNs = 5'000'000'000;  // how long a look-up of the month counts

// As OpenAI writes it: "12ms", "1.5s", "2m3s".
std::string reset_text(double seconds) {
  const auto ms = static_cast<int64_t>(std::ceil(seconds * 1000));
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 60'000) return fmt::format("{:.3g}s", static_cast<double>(ms) / 1000);
  return fmt::format("{}m{}s", ms / 60'000, ms % 60'000 / 1000);
}

int64_t month_ms(int year, unsigned month) {
  const std::chrono::sys_days first = std::chrono::year(year) / month / 1;
  return std::chrono::duration_cast<std::chrono::milliseconds>(first.time_since_epoch()).count();
}

std::pair<int64_t, int64_t> month_from(int year, unsigned month) {
  return {month_ms(year, month), month == 12 ? month_ms(year + 1, 1) : month_ms(year, month + 1)};
}

}  // namespace

Admission::~Admission() {
  quotas_->release(tenant_id_);
}

void Admission::take_tokens(int64_t tokens) const {
  quotas_->take(tenant_id_, tokens);
}

void Quotas::Bucket::refill(int64_t per_minute, int64_t now_ns) {
  const auto full = static_cast<double>(per_minute);
  level =
      at_ns < 0 ? full : std::min(full, level + full * static_cast<double>(now_ns - at_ns) / 60e9);
  at_ns = now_ns;
}

double Quotas::Bucket::wait_s(double amount, int64_t per_minute) const {
  return std::max(0.0, (amount - level) * 60 / static_cast<double>(per_minute));
}

Result<Quotas::Decision> Quotas::admit(int64_t tenant_id) {
  PLINTH_TRY(const store::Quota quota, store_.quota(tenant_id));
  const int64_t now_ns = clock_.monotonic_ns();
  const std::lock_guard lock(mutex_);
  Tenant& tenant = tenants_[tenant_id];
  Decision decision;
  double wait_s = 0;
  const auto refuse = [&](double seconds, std::string why) {
    if (decision.refusal.empty() || seconds > wait_s) decision.refusal = std::move(why);
    wait_s = std::max(wait_s, seconds);
  };
  const auto report = [&](const char* kind, const Bucket& bucket, int64_t limit) {
    const auto header = [&](const char* what, std::string value) {
      decision.headers.emplace_back(fmt::format("x-ratelimit-{}-{}", what, kind), std::move(value));
    };
    header("limit", std::to_string(limit));
    header("remaining",
           std::to_string(std::max<int64_t>(0, std::llround(std::floor(bucket.level)))));
    header("reset", reset_text(bucket.wait_s(static_cast<double>(limit), limit)));
  };

  if (const int64_t limit = quota.requests_per_minute; limit > 0) {
    tenant.requests.refill(limit, now_ns);
    if (tenant.requests.level < 1)
      refuse(tenant.requests.wait_s(1, limit), fmt::format("{} requests a minute", limit));
  }
  if (const int64_t limit = quota.tokens_per_minute; limit > 0) {
    tenant.tokens.refill(limit, now_ns);
    if (tenant.tokens.level < 1)
      refuse(tenant.tokens.wait_s(1, limit), fmt::format("{} tokens a minute", limit));
  }
  // Even without a quota nobody fills the engine's queue alone.
  if (tenant.running >= kRunningMax) refuse(1, fmt::format("{} requests at one time", kRunningMax));
  if (quota.concurrent > 0 && tenant.running >= quota.concurrent)
    refuse(1, fmt::format("{} requests at one time", quota.concurrent));
  if (quota.requests_per_month > 0 || quota.tokens_per_month > 0) {
    if (tenant.month_looked_up_ns < 0 || now_ns - tenant.month_looked_up_ns > kMonthNs) {
      // The month as its statement has it: not what a clock that was ahead has dated later.
      const auto [from_ms, until_ms] = month_around(clock_.unix_ms());
      PLINTH_TRY(tenant.month, store_.used_between(tenant_id, from_ms, until_ms));
      tenant.month_looked_up_ns = now_ns;
    }
    const auto month_over = [&](int64_t used, int64_t limit, const char* what) {
      if (limit == 0 || used < limit) return;
      decision.for_long = true;
      refuse(60, fmt::format("{} {} a month", limit, what));
    };
    month_over(tenant.month.first, quota.requests_per_month, "requests");
    month_over(tenant.month.second, quota.tokens_per_month, "tokens");
  }

  if (decision.refusal.empty()) {
    if (quota.requests_per_minute > 0) tenant.requests.level -= 1;
    ++tenant.month.first;
    ++tenant.running;
    decision.admission = std::make_shared<Admission>(*this, tenant_id);
  }
  if (quota.requests_per_minute > 0) report("requests", tenant.requests, quota.requests_per_minute);
  if (quota.tokens_per_minute > 0) report("tokens", tenant.tokens, quota.tokens_per_minute);
  if (!decision.refusal.empty()) {
    decision.headers.emplace_back(
        "retry-after", std::to_string(std::max<int64_t>(1, std::llround(std::ceil(wait_s)))));
    decision.headers.emplace_back("retry-after-ms",
                                  std::to_string(std::llround(std::ceil(wait_s * 1000))));
    if (decision.for_long) decision.headers.emplace_back("x-should-retry", "false");
  }
  return decision;
}

void Quotas::release(int64_t tenant_id) {
  const std::lock_guard lock(mutex_);
  --tenants_[tenant_id].running;
}

void Quotas::take(int64_t tenant_id, int64_t tokens) {
  const std::lock_guard lock(mutex_);
  Tenant& tenant = tenants_[tenant_id];
  tenant.tokens.level -= static_cast<double>(tokens);
  tenant.month.second += tokens;
}

std::pair<int64_t, int64_t> month_around(int64_t unix_ms) {
  using namespace std::chrono;  // NOLINT(google-build-using-namespace): of one small function
  const sys_days day = floor<days>(sys_time<milliseconds>(milliseconds(unix_ms)));
  const year_month_day date(day);
  return month_from(static_cast<int>(date.year()), static_cast<unsigned>(date.month()));
}

std::optional<std::pair<int64_t, int64_t>> month_of(std::string_view text) {
  int year = 0;
  unsigned month = 0;
  constexpr size_t kDash = 4;
  if (text.size() != kDash + 3 || text[kDash] != '-') return {};
  const auto number = [](std::string_view digits, auto& value) {
    const auto end = digits.data() + digits.size();
    return std::from_chars(digits.data(), end, value).ptr == end;
  };
  if (!number(text.substr(0, kDash), year) || !number(text.substr(kDash + 1), month)) return {};
  if (year < 1970 || month < 1 || month > 12) return {};
  return month_from(year, month);
}

}  // namespace plinth::server
