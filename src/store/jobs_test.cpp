#include "store/jobs.h"

#include "store/leases.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

class JobsTest : public StoreTest {
 protected:
  JobsTest() {
    tenant_ = store_->create_tenant("a")->id;
    key_ = store_->create_key("a", "")->info.id;
  }

  Job new_job() {
    return *jobs_->create(
        {.tenant_id = tenant_, .key_id = key_, .kind = "tune", .spec = R"({"n":1})"});
  }

  std::string state(const Job& job) { return jobs_->job(tenant_, job.id)->state; }

  int64_t tenant_ = 0;
  int64_t key_ = 0;
  std::unique_ptr<Jobs> jobs_ = *Jobs::open(home(), clock_);
  std::unique_ptr<Leases> leases_ = *Leases::open(home(), clock_);
};

TEST_F(JobsTest, OutlivesItsProcessAndIsFoundByItsTenantOnly) {
  const Job job = new_job();
  EXPECT_EQ(job.state, "validating_files");
  ASSERT_TRUE(*jobs_->flip(job.id, "validating_files,queued", "running"));
  jobs_ = *Jobs::open(home(), clock_);
  const auto left = *jobs_->unfinished();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].state, "running");
  EXPECT_EQ(left[0].spec, R"({"n":1})");
  EXPECT_EQ(jobs_->job(tenant_ + 1, job.id).error().code, Code::kNotFound);
  EXPECT_TRUE(jobs_->jobs(tenant_ + 1)->empty());
}

TEST_F(JobsTest, WhatWasCancelledStaysCancelled) {
  Job job = new_job();
  ASSERT_TRUE(*jobs_->flip(job.id, "validating_files", "running"));
  ASSERT_TRUE(*jobs_->flip(job.id, "validating_files,queued,running,paused", "cancelled"));
  job.model = "ft:x";
  EXPECT_FALSE(*jobs_->finish(job, "succeeded", leases_->server()));
  EXPECT_EQ(state(job), "cancelled");
  EXPECT_FALSE(*jobs_->flip(job.id, "paused", "queued"));
  EXPECT_TRUE(jobs_->unfinished()->empty());
}

TEST_F(JobsTest, OnlyWhoHasItsLeaseEndsIt) {
  const Job job = new_job();
  ASSERT_TRUE(*jobs_->flip(job.id, "validating_files", "running"));
  EXPECT_FALSE(*jobs_->finish(job, "failed", leases_->server())) << "nobody has it";
  ASSERT_TRUE(*leases_->take(job.id));
  EXPECT_FALSE(*jobs_->finish(job, "failed", "another"));
  EXPECT_EQ(state(job), "running");
  EXPECT_TRUE(*jobs_->finish(job, "succeeded", leases_->server()));
  EXPECT_EQ(state(job), "succeeded");
}

TEST_F(JobsTest, EventsComeNewestFirst) {
  const Job job = new_job();
  ASSERT_TRUE(jobs_->add_event(job.id, {.type = "metrics", .message = "step", .data = "{}"}));
  const auto events = *jobs_->events(job.id);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].type, "metrics");
  EXPECT_GT(events[0].id, events[1].id);
}

TEST_F(JobsTest, AModelMayBelongToOneTenant) {
  EXPECT_EQ(*jobs_->owner("ft:x"), 0);
  ASSERT_TRUE(jobs_->own_model("ft:x", tenant_));
  EXPECT_EQ(*jobs_->owner("ft:x"), tenant_);
}

}  // namespace
}  // namespace plinth::store
