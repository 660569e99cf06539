// Pages of 2 MiB for memory that somebody else allocated.
#pragma once

#include <cstddef>
#include <span>

namespace plinth {

// Asks for huge pages where whole ones lie inside `bytes`. A request: where the system grants none,
// pages stay small. For memory that is used from end to end: a huge page is resident as a whole
// once a byte of it is touched.
void prefer_huge_pages(std::span<std::byte> bytes);

// Asks for small pages again: for memory of which a little is used in many places.
void prefer_small_pages(std::span<std::byte> bytes);

}  // namespace plinth
