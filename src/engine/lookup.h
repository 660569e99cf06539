// Prompt lookup: what comes next, guessed from what came before.
//
// Answers about a document repeat its words. The longest end of the text so far that stood in it
// before says how it may go on; the step checks the guess in rows that nobody else needs. Source:
// Saxena, "Prompt Lookup Decoding", 2023.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace plinth::engine {

// At most `count` tokens that followed the longest earlier occurrence of the end of `tokens`, the
// latest one of equals; none when not even the last two tokens stood there before.
std::vector<int32_t> look_up(std::span<const int32_t> tokens, int64_t count);

}  // namespace plinth::engine
