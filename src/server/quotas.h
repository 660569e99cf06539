// Quotas at work: requests and tokens per minute and per month, and requests at one time.
//
// Per minute: a bucket that refills evenly and holds one minute's worth. A request takes one, and
// its tokens when they are known, at its end; the bucket may fall below zero then, and the next
// request waits for that long. Per month (UTC): what stands in the ledger, looked up anew every few
// seconds, so that several processes share it. What the store says of a tenant's quota counts from
// the next request on.
//
// Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.h"
#include "server/http.h"
#include "store/store.h"

namespace plinth::server {

class Quotas;

// One request that was let in; it counts as running until the last copy is gone.
class Admission {
 public:
  Admission(Quotas& quotas, int64_t tenant_id) : quotas_(&quotas), tenant_id_(tenant_id) {}

  ~Admission();
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // What it used, once it is known.
  void take_tokens(int64_t tokens) const;

 private:
  Quotas* quotas_;  // the server's: outlives every request
  int64_t tenant_id_;
};

class Quotas {
 public:
  explicit Quotas(const store::Store& store, const Clock& clock = system_clock())
      : store_(store), clock_(clock) {}

  struct Decision {
    std::shared_ptr<Admission> admission = {};  // null: refused
    Headers headers = {};  // x-ratelimit-*; of a refusal also when to come again
    std::string refusal = {};
    bool for_long = false;  // the month is used up: coming again in a minute does not help
  };

  Result<Decision> admit(int64_t tenant_id);

 private:
  friend class Admission;

  struct Bucket {
    double level = 0;
    int64_t at_ns = -1;

    void refill(int64_t per_minute, int64_t now_ns);
    // Seconds until it holds `amount`.
    double wait_s(double amount, int64_t per_minute) const;
  };

  struct Tenant {
    Bucket requests;
    Bucket tokens;
    int64_t running = 0;
    int64_t month_looked_up_ns = -1;
    std::pair<int64_t, int64_t> month = {};  // requests and tokens
  };

  void release(int64_t tenant_id);
  void take(int64_t tenant_id, int64_t tokens);

  const store::Store& store_;
  const Clock& clock_;
  std::mutex mutex_;  // guards tenants_
  std::map<int64_t, Tenant> tenants_;
};

// The month (UTC) that the time is in: its first moment, and that of the next month.
std::pair<int64_t, int64_t> month_around(int64_t unix_ms);
// The same of "2026-11".
std::optional<std::pair<int64_t, int64_t>> month_of(std::string_view text);

}  // namespace plinth::server
