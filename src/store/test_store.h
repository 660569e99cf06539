// A store in a temporary folder under a clock that the test moves.
#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "store/store.h"
#include "store/test_home.h"

namespace plinth::store {

class FakeClock : public Clock {
 public:
  int64_t monotonic_ns() const override { return now_ms * 1'000'000; }

  int64_t unix_ms() const override { return now_ms; }

  int64_t now_ms = 1'790'000'000'000;
};

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() : store_(*Store::open(home(), clock_)) {}

  Path home() const { return home_.path(); }

  // What a crash leaves: the files as they are, opened again.
  void reopen() {
    store_.reset();
    store_ = *Store::open(home(), clock_);
  }

  FakeClock clock_;
  TestHome home_;
  std::unique_ptr<Store> store_;
};

}  // namespace plinth::store
