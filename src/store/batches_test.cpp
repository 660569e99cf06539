#include "store/leases.h"
#include "store/test_store.h"

namespace plinth::store {
namespace {

class BatchesTest : public StoreTest {
 protected:
  BatchesTest() {
    a_ = store_->create_tenant("a")->id;
    b_ = store_->create_tenant("b")->id;
    key_ = store_->create_key("a", "")->info.id;
  }

  Batch started() {
    return *store_->start_batch(
        {.tenant_id = a_, .key_id = key_, .endpoint = "/v1/chat/completions", .input_file = "f"});
  }

  int64_t a_ = 0, b_ = 0, key_ = 0;
};

TEST_F(BatchesTest, FilesBelongToTheirTenant) {
  const auto file = store_->add_file(a_, "x.jsonl", "batch", "hello");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->bytes, 5);
  EXPECT_EQ(*store_->artifacts().read(file->digest), "hello");
  EXPECT_EQ(store_->file(a_, file->id)->filename, "x.jsonl");
  EXPECT_EQ(store_->file(b_, file->id).error().code, Code::kNotFound);
  EXPECT_EQ(store_->remove_file(b_, file->id).error().code, Code::kNotFound);
  EXPECT_EQ(*store_->stored_bytes(a_), 5);
  EXPECT_TRUE(store_->files(b_)->empty());
  ASSERT_TRUE(store_->remove_file(a_, file->id));
  EXPECT_EQ(*store_->stored_bytes(a_), 0);
}

TEST_F(BatchesTest, ResultsSurviveACrashAndComeOnce) {
  const Batch batch = started();
  EXPECT_EQ(batch.state, "in_progress");
  ASSERT_TRUE(store_->add_batch_result(batch.id,
                                       {.line = 1, .custom_id = "b", .status = 400, .body = "no"}));
  ASSERT_TRUE(store_->add_batch_result(
      batch.id, {.line = 0, .custom_id = "a", .status = 200, .body = "yes"}));
  ASSERT_TRUE(store_->add_batch_result(
      batch.id, {.line = 0, .custom_id = "a", .status = 500, .body = "again"}));
  reopen();
  const auto unfinished = store_->unfinished_batches();
  ASSERT_EQ(unfinished->size(), 1u);
  EXPECT_EQ(unfinished->at(0).completed, 1);
  EXPECT_EQ(unfinished->at(0).failed, 1);
  const auto results = store_->batch_results(batch.id);
  ASSERT_EQ(results->size(), 2u);
  EXPECT_EQ(results->at(0).body, "yes");

  Batch done = unfinished->at(0);
  done.state = "completed";
  done.total = 2;
  const auto leases = *Leases::open(home(), clock_);
  EXPECT_EQ(store_->update_batch(done, leases->server()).error().code, Code::kFailedPrecondition);
  // Who has no lease leaves nothing behind.
  EXPECT_EQ(store_->end_batch(done, "o", "e", leases->server()).error().code,
            Code::kFailedPrecondition);
  EXPECT_TRUE(store_->files(a_)->empty());
  ASSERT_TRUE(*leases->take(done.id));
  ASSERT_TRUE(store_->end_batch(done, "o", "", leases->server()));
  EXPECT_TRUE(store_->unfinished_batches()->empty());
  ASSERT_EQ(store_->files(a_)->size(), 1u);
  EXPECT_EQ(store_->batch(a_, batch.id)->output_file, store_->files(a_)->at(0).id);
  EXPECT_EQ(store_->files(a_)->at(0).filename, batch.id + "_output.jsonl");
  EXPECT_EQ(store_->batch(a_, batch.id)->error_file, "");
}

TEST_F(BatchesTest, OnlyItsTenantCancelsARunningBatch) {
  const Batch batch = started();
  ASSERT_TRUE(store_->cancel_batch(b_, batch.id));
  EXPECT_EQ(store_->batch(a_, batch.id)->state, "in_progress");
  EXPECT_EQ(store_->batch(b_, batch.id).error().code, Code::kNotFound);
  ASSERT_TRUE(store_->cancel_batch(a_, batch.id));
  EXPECT_EQ(store_->batch(a_, batch.id)->state, "cancelling");
  EXPECT_EQ(store_->batches(a_)->size(), 1u);
  EXPECT_TRUE(store_->batches(b_)->empty());
}

}  // namespace
}  // namespace plinth::store
