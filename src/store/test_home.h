// A home for a test, away when the test ends. Where $PLINTH_TEST_POSTGRES is the address of a
// PostgreSQL, the home's database is a schema of its own there (tests/with_postgres sets it).
#pragma once

#include <cstdlib>
#include <string>

#include "core/check.h"
#include "core/hash.h"
#include "store/database.h"

namespace plinth::store {

inline bool on_postgres() {
  return std::getenv("PLINTH_TEST_POSTGRES") != nullptr;
}

class TestHome {
 public:
  TestHome() {
    if (!on_postgres()) return;
    const std::string address = std::getenv("PLINTH_TEST_POSTGRES");
    const std::string schema = "test_" + random_hex(8);
    PLINTH_CHECK((*open_postgres(address))->script("CREATE SCHEMA " + schema));
    PLINTH_CHECK(make_directories(path()));
    PLINTH_CHECK(
        write_file_atomic(path() / "plinth.toml",
                          fmt::format("database = \"{}{}options=-csearch_path%3D{}\"\n", address,
                                      address.find('?') == std::string::npos ? '?' : '&', schema)));
  }

  const Path& folder() const { return temp_.path(); }  // for what is not of the home

  Path path() const { return folder() / "home"; }

 private:
  TempDirectory temp_ = *TempDirectory::create();
};

}  // namespace plinth::store
