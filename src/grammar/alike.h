// Nodes of a network that short texts do not tell apart.
//
// Two nodes are alike up to n bytes when the same texts of at most n bytes can be read from both,
// with the end of the rule possible behind the same ones. A string of at most 100 characters has a
// hundred positions, but before the last 16 the tokens of up to 16 bytes that fit are the same at
// all of them: one walk of the vocabulary serves (tables.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "grammar/network.h"

namespace plinth::grammar {

// For each of the lengths (ascending) and each node: the first node that is known to be alike up to
// so many bytes. Takes time linear in the arcs in most networks; where it would take much more, the
// greater lengths say that each node is alike to itself only.
std::vector<std::vector<int32_t>> find_alike(const Network& network, std::span<const int> lengths);

}  // namespace plinth::grammar
