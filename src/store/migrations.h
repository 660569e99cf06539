// The database's layout as a list of numbered steps. Private to the store.
#pragma once

#include <span>
#include <string_view>

#include "core/result.h"
#include "store/database.h"

namespace plinth::store {

// Written in the words of SQLite; Database::define() translates. Step i takes a database from
// version i to i + 1. Steps are never edited once released.
std::span<const std::string_view> migrations();

// Runs the steps that are missing, each in a transaction of its own: killed at any moment, the next
// open goes on from there. kFailedPrecondition when the database is newer than this binary.
Status migrate(Database& db);

}  // namespace plinth::store
