// tests/unit/provenance/card_histories.hpp: the git histories of real cards, edit by edit. Reading starts tar and git.
#pragma once
#include <boost/json/array.hpp>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/provenance/corpus.hpp"

namespace hm::provenance {
/// One edit of a card.
struct CardEdit {
  std::string commit;         ///< in the history as it was kept
  std::string source_commit;  ///< where it was made, as the message tells it
  std::int64_t time_s = 0;
  std::string blob;  ///< "" where the card was removed
};
/// A change of a licence as somebody else read it in the same histories.
struct ToldChange {
  std::string path, source_commit;
  std::int64_t time_s = 0;
  std::vector<std::string> before, after;  ///< as written, sorted
};

class CardHistories : public test::CorpusTest {
 protected:
  /// By path, oldest first.
  std::map<std::string, std::vector<CardEdit>> edits_of(const std::string& kind) const {
    unpack_archive("cards/" + kind + "-cards-history.git.tar.zst");
    std::map<std::string, std::vector<CardEdit>> out;
    CardEdit now;
    test::each_line(
        test::output_of(git(kind) + " log --reverse --raw --no-abbrev --no-renames --format='C %H %ct %s' main"),
        [&](std::string_view line) {
          if (line.starts_with("C ")) {
            const auto words = split(line, ' ');
            now.commit = words.at(1);
            now.time_s = static_cast<std::int64_t>(parse_u64(words.at(2)).value());
            now.source_commit = words.back();
          } else if (line.starts_with(":")) {
            const std::size_t tab = line.find('\t');
            now.blob = split(line.substr(0, tab), ' ').at(3);
            if (now.blob.find_first_not_of('0') == std::string::npos) now.blob.clear();
            out[std::string(line.substr(tab + 1))].push_back(now);
          }
        });
    return out;
  }
  /// What each of these blobs holds.
  std::map<std::string, std::string> blobs_of(const std::string& kind, const std::set<std::string>& ids) const {
    const std::string list = (dir_ / "ids").string();
    std::ofstream file(list);
    for (const std::string& id : ids) file << id << '\n';
    file.close();
    const std::string all = test::output_of(git(kind) + " cat-file --batch < " + shell_quoted(list));
    std::map<std::string, std::string> out;
    for (std::size_t at = 0; at < all.size();) {  // "<id> blob <size>\n<bytes>\n"
      const std::size_t end = all.find('\n', at);
      const auto head = split(std::string_view(all).substr(at, end - at), ' ');
      const auto size = static_cast<std::size_t>(parse_u64(head.at(2)).value());
      out[std::string(head.at(0))] = all.substr(end + 1, size);
      at = end + 1 + size + 1;
    }
    EXPECT_EQ(out.size(), ids.size());
    return out;
  }
  /// What cannot be read is no change, nor is what is stated first.
  static std::vector<ToldChange> told_changes(const std::string& kind) {
    std::vector<ToldChange> out;
    for (const boost::json::object& row : test::json_lines("cards/" + kind + "-cards.licence-events.jsonl.zst")) {
      std::optional<std::vector<std::string>> before;
      for (const boost::json::value& v : row.at("events").as_array()) {
        const boost::json::object& event = v.as_object();
        if (event.at("state").as_string() == "unparsable") continue;
        std::vector<std::string> now;
        if (event.at("license").is_array())
          for (const boost::json::value& one : event.at("license").get_array()) now.emplace_back(one.as_string());
        if (before && *before != now)
          out.push_back({std::string(row.at("path").as_string()), std::string(event.at("commit").as_string()),
                         event.at("time").as_int64(), *before, now});
        before = std::move(now);
      }
    }
    return out;
  }

 private:
  std::string git(const std::string& kind) const {
    return "git --git-dir=" + shell_quoted((dir_ / (kind + "-cards.git")).string());
  }
};
}  // namespace hm::provenance
