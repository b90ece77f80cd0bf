// Real cards, read here and by somebody else's parser: what both say of each field, and why they differ where they do.
// The figures are those of the cards as they were when the test was written.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "provenance/card.hpp"
#include "tests/unit/provenance/corpus.hpp"

namespace hm::provenance {
namespace {
namespace json = boost::json;
using Strings = std::vector<std::string>;
using storage::CardFacts;

/// A field of a card, and under which names the other parser has it, the first that is there.
struct Field {
  const char* name;
  Strings keys;
  std::function<Strings(const CardFacts&)> read;
};
Strings of_one(const std::string& text) { return text.empty() ? Strings{} : Strings{text}; }
const std::vector<Field>& fields() {
  static const std::vector<Field> all{
      {"licence", {"license", "licenses"}, [](const CardFacts& c) { return c.licences; }},
      {"licence name", {"license_name"}, [](const CardFacts& c) { return of_one(c.licence_name); }},
      {"licence link", {"license_link"}, [](const CardFacts& c) { return of_one(c.licence_link); }},
      {"language", {"language", "languages"}, [](const CardFacts& c) { return c.languages; }},
      {"datasets", {"datasets"}, [](const CardFacts& c) { return c.datasets; }},
      {"base models", {"base_model"}, [](const CardFacts& c) { return c.base_models; }},
      {"relation", {"base_model_relation"}, [](const CardFacts& c) { return of_one(c.base_model_relation); }},
      {"source datasets", {"source_datasets"}, [](const CardFacts& c) { return c.source_datasets; }},
      {"task", {"pipeline_tag"}, [](const CardFacts& c) { return of_one(c.pipeline_tag); }},
      {"library", {"library_name"}, [](const CardFacts& c) { return of_one(c.library_name); }},
      {"new version", {"new_version"}, [](const CardFacts& c) { return of_one(c.new_version); }},
  };
  return all;
}

void add_texts(const json::value& value, Strings& out) {
  if (value.is_string()) {
    out.emplace_back(value.get_string());
  } else if (value.is_array()) {
    for (const json::value& one : value.get_array()) add_texts(one, out);
  } else if (value.is_object()) {
    for (const auto& [key, one] : value.get_object()) add_texts(one, out);
  }
}

/// Where the two differ, and why.
struct Disagreement {
  std::string_view path, field, why;
};
constexpr std::array kExplained{
    Disagreement{"model_cards/akhooli/gpt2-small-arabic-poetry/README.md", "licence",
                 "license: \"\": an empty text; here it states nothing"},
};

class CardCorpus : public test::CorpusTest {
 protected:
  /// Reads every card; a field of a card counts as "both equal" or as a difference when one of the two has it.
  void compare(const std::string& kind) {
    unpack_archive("cards/" + kind + "-cards.tar.zst");
    for (const json::object& row : test::json_lines("cards/" + kind + "-cards.parsed.jsonl.zst")) {
      const std::string path(row.at("path").as_string());
      std::ifstream in(dir_ / path, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      ASSERT_EQ(static_cast<std::int64_t>(text.size()), row.at("size").as_int64()) << path;
      const std::string yaml = front_matter(text);
      ++count_["cards"];
      EXPECT_EQ(!yaml.empty(), row.at("has_front_matter").as_bool()) << path;
      count_["with front matter"] += yaml.empty() ? 0 : 1;
      const CardFacts card = parse_card(yaml);
      EXPECT_EQ(card.problem.empty(), row.at("yaml_error").is_null()) << path << ": " << card.problem;
      compare_fields(path, card, row.at("data").is_object() ? row.at("data").get_object() : json::object());
    }
  }
  void compare_fields(const std::string& path, const CardFacts& card, const json::object& theirs) {
    for (const Field& field : fields()) {
      const Strings here = field.read(card);
      Strings there;
      for (const std::string& key : field.keys)
        if (const json::value* v = theirs.if_contains(key); v != nullptr && there.empty()) add_texts(*v, there);
      if (here.empty() && there.empty()) continue;
      if (here == there)
        ++count_[std::string(field.name) + ": equal"];
      else if (std::ranges::any_of(kExplained, [&](const auto& e) { return e.path == path && e.field == field.name; }))
        ++count_[std::string(field.name) + ": differs for a reason"];
      else
        differences_.push_back(path + " " + field.name + ": here " + testing::PrintToString(here) + ", there " +
                               testing::PrintToString(there));
    }
  }
  std::map<std::string, std::size_t> count_;
  Strings differences_;
};

TEST_F(CardCorpus, EveryModelCardIsReadAsAnotherParserReadsIt) {
  compare("model");
  const std::map<std::string, std::size_t> expected{{"cards", 485},           {"with front matter", 366},
                                                    {"licence: equal", 170},  {"licence: differs for a reason", 1},
                                                    {"language: equal", 331}, {"datasets: equal", 160},
                                                    {"task: equal", 6}};
  EXPECT_EQ(count_, expected);
  EXPECT_THAT(differences_, testing::IsEmpty());
}
TEST_F(CardCorpus, EveryDatasetCardIsReadAsAnotherParserReadsIt) {
  compare("dataset");
  const std::map<std::string, std::size_t> expected{{"cards", 518},
                                                    {"with front matter", 515},
                                                    {"licence: equal", 487},
                                                    {"language: equal", 506},
                                                    {"source datasets: equal", 487}};
  EXPECT_EQ(count_, expected);
  EXPECT_THAT(differences_, testing::IsEmpty());
}
}  // namespace
}  // namespace hm::provenance
