// Facts: (subject, attribute, value), from tables and from statements, and the questions that ask
// for them. A small model learns a fact from many wordings of one question.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/rng.h"
#include "corpus/corpus.h"
#include "corpus/data/row.h"

namespace plinth::corpus {

struct Fact {
  std::string subject;    // "云桅V3"; may be empty when the attribute says it all
  std::string attribute;  // "制动间隙"
  std::string value;      // "0.35毫米"
  std::string relation;   // "是", "不得小于", ...
  std::string source;     // document id
  std::string_view generator;
};

// What the corpus's tables talk about: helps to cut statements at the right place.
struct Lexicon {
  std::set<std::string, std::less<>> subjects;
  std::set<std::string, std::less<>> attributes;
  std::set<std::string, std::less<>> units;  // what stands behind the digits of their values
};

// Facts of Markdown tables and of "列：值；列：值" lines.
std::vector<Fact> table_facts(const Document& document);

// "1580公斤" -> "公斤", "" where no digit is.
std::string unit_of(std::string_view value);

// Adds the names and units that these facts use.
void learn_names(const std::vector<Fact>& facts, Lexicon& lexicon);

// Facts of sentences "X的Y是Z", "XY不得超过Z", "Z是X的Y", with the subject carried over from
// heading or title where the sentence has none.
std::vector<Fact> statement_facts(const Document& document, const Lexicon& lexicon);

// Up to `phrasings` questions for a fact, answers alternating between a whole sentence and the
// value.
void add_fact_rows(const Fact& fact, int phrasings, Rng& rng, std::vector<Row>& rows);

// The fact with its value left out: "填空：云桅V3的额定载重是____。"
void add_cloze_row(const Fact& fact, std::vector<Row>& rows);

}  // namespace plinth::corpus
