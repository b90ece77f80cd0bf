// The texts are not in this repository. HUBMIRROR_LICENCE_TEXTS names a folder with one file for each, as
// scripts/licence-fingerprints FOLDER leaves it; without it the tests over all texts are skipped.
#include "provenance/licence/recognise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include "base/text.hpp"
#include "provenance/licence/spdx.hpp"

namespace hm::provenance::licence {
namespace {
constexpr std::string_view kIsc =
    "ISC License\n\nCopyright (c) 2004-2010 by Internet Systems Consortium, Inc. (\"ISC\")\nCopyright (c) 1995-2003 by "
    "Internet Software "
    "Consortium\n\nPermission to use, copy, modify, and /or distribute this software for any purpose with or without "
    "fee is hereby granted, "
    "provided that the above copyright notice and this permission notice appear in all copies.\n\nTHE SOFTWARE IS "
    "PROVIDED \"AS IS\" AND ISC "
    "DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND "
    "FITNESS. IN NO EVENT SHALL "
    "ISC BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING "
    "FROM LOSS OF USE, DATA OR "
    "PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION "
    "WITH THE USE OR "
    "PERFORMANCE OF THIS SOFTWARE.\n";
constexpr std::string_view kMit =
    "MIT License\n\nCopyright (c) 2020 Somebody\n\nPermission is hereby granted, free of charge, to any person "
    "obtaining a copy\nof this "
    "software and associated documentation files (the \"Software\"), to deal\nin the Software without restriction, "
    "including without "
    "limitation the rights\nto use, copy, modify, merge, publish, distribute, sublicense, and/or sell\ncopies of the "
    "Software, and to permit "
    "persons to whom the Software is\nfurnished to do so, subject to the following conditions:\n\nThe above copyright "
    "notice and this "
    "permission notice shall be included in all\ncopies or substantial portions of the Software.\n\nTHE SOFTWARE IS "
    "PROVIDED \"AS IS\", "
    "WITHOUT WARRANTY OF ANY KIND, EXPRESS OR\nIMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF "
    "MERCHANTABILITY,\nFITNESS FOR A "
    "PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE\nAUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY "
    "CLAIM, DAMAGES OR "
    "OTHER\nLIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,\nOUT OF OR IN CONNECTION "
    "WITH THE SOFTWARE OR THE "
    "USE OR OTHER DEALINGS IN THE\nSOFTWARE.\n";

struct LicenceRecognise : testing::Test {
  const Catalogue catalogue = Catalogue::built_in().value();
  Recognised of(std::string_view text) const { return recognise(catalogue, text); }
  Class class_of(const std::string& id) const {
    const Licence* l = catalogue.find(id);
    return l == nullptr ? Class::Unknown : l->klass;
  }
  /// Every text of the SPDX list; skips without them.
  struct Text {
    std::string id, text;
  };
  static std::vector<Text> all_texts() {
    std::vector<Text> out;
    const char* folder = std::getenv("HUBMIRROR_LICENCE_TEXTS");
    if (folder == nullptr) return out;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::ifstream in(entry.path(), std::ios::binary);
      out.push_back(
          {entry.path().filename().string(), {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}});
    }
    std::sort(out.begin(), out.end(), [](const Text& a, const Text& b) { return a.id < b.id; });
    return out;
  }
};

TEST_F(LicenceRecognise, TheWordsThatCount) {
  const std::vector<std::string> expected{"the", "license", "http", "x", "y"};
  EXPECT_EQ(licence_words("  * The \xe2\x80\x9cLICENCE\xe2\x80\x9d,\n# Copyright (c) 2020 A. Person\n(c) B\n \xc2\xa9 "
                          "C\nhttps x\xe2\x80\x94y"),
            expected);
  EXPECT_EQ(licence_words("copyright notice").size(), 2U) << "not a line of copyright";
}

TEST_F(LicenceRecognise, ATextIsKnownByItsWordsWhateverItsLinesAndHolders) {
  const Recognised mit = of(kMit);
  EXPECT_EQ(mit.id, "MIT");
  EXPECT_EQ(mit.method, Method::Digest);
  std::string other(kMit);
  std::replace(other.begin(), other.end(), '\n', ' ');
  EXPECT_EQ(of(ascii_lower(kMit)).method, Method::Digest);
  EXPECT_EQ(of(kIsc).id, "ISC");
}

TEST_F(LicenceRecognise, ALittleChangeIsSimilarAndALargeOneIsNot) {
  std::string changed(kMit);
  changed.replace(changed.find("MIT License"), 11, "The licence of our project is the following one");
  const Recognised r = of(changed);
  EXPECT_EQ(r.id, "MIT");
  EXPECT_EQ(r.method, Method::Similar);
  EXPECT_LT(r.score, 1);
  const Recognised half = of(kMit.substr(0, kMit.size() / 2));
  EXPECT_EQ(half.id, "");
  EXPECT_EQ(half.method, Method::None);
  EXPECT_EQ(of("").id, "");
  EXPECT_EQ(of("All rights reserved.").id, "");
}

TEST_F(LicenceRecognise, APermissiveTextWithALimitAddedIsNotPermissive) {
  std::string limited(kMit);
  limited += "\nThe Software may be used for non-commercial purposes only.";
  EXPECT_EQ(of(limited).id, "");
  EXPECT_EQ(of(limited).nearest, "MIT");
}

TEST_F(LicenceRecognise, ARestrictionInALineOfCopyrightOrInOtherWordsIsSeen) {
  std::string limited(kMit);
  limited.replace(limited.find("Somebody"), 8, "Somebody. For non-commercial use only");
  EXPECT_EQ(of(limited).id, "") << "the other words are those of MIT";
  EXPECT_EQ(of(limited).nearest, "MIT");
  EXPECT_EQ(of("Copyright (c) 2020 Somebody\n" + std::string(kIsc)).id, "ISC");
  for (const char* words :
       {"It may not be used for commercial purposes.", "Not licensed for commercial use.",
        "It must not be used "
        "commercially.",
        "Commercial use is not permitted.", "For academic use only.", "For personal use only!", "Evaluation use only."})
    EXPECT_EQ(of(std::string(kMit) + words).id, "") << words;
}

TEST_F(LicenceRecognise, APhraseDoesNotExcuseARestrictionThatIsAddedToIt) {
  EXPECT_EQ(of("Gemma Terms of Use").id, "LicenseRef-hub-gemma");
  const Recognised limited = of("Gemma Terms of Use\nThis copy is for non-commercial use only.");
  EXPECT_EQ(limited.id, "");
  EXPECT_EQ(limited.nearest, "LicenseRef-hub-gemma");
  const std::string stability =
      "Stability AI Community License Agreement\nII. RESEARCH & NON-COMMERCIAL USE LICENSE\n ... for any Research or "
      "Non-Commercial Purpose. \"Non-Commercial Purpose\" means any purpose other than a Research Purpose that ...";
  EXPECT_EQ(of(stability).id, "LicenseRef-stability-community") << "its own words";
  EXPECT_EQ(of(stability + "\nFor non-commercial use only.").id, "");
  EXPECT_EQ(of("STABILITY AI NON-COMMERCIAL RESEARCH COMMUNITY LICENSE AGREEMENT").id,
            "LicenseRef-stability-nc-research");
  EXPECT_EQ(of("Tongyi Qianwen RESEARCH LICENSE AGREEMENT ... FOR NON-COMMERCIAL PURPOSES ONLY").id,
            "LicenseRef-tongyi-qianwen-research");
}

TEST_F(LicenceRecognise, AgreementsOutsideTheListAreKnownByTheirPhrases) {
  const Recognised r =
      of("META LLAMA 3 COMMUNITY LICENSE AGREEMENT\nMeta Llama 3 Version Release Date: April 18, 2024");
  EXPECT_EQ(r.id, "LicenseRef-hub-llama3");
  EXPECT_EQ(r.method, Method::Phrases);
  EXPECT_EQ(of("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT").id, "LicenseRef-hub-llama3.1");
  EXPECT_EQ(of("Tongyi Qianwen LICENSE AGREEMENT").id, "LicenseRef-tongyi-qianwen");
  EXPECT_EQ(
      of(std::string("Modified MIT License\n") + std::string(kMit.substr(12)) + "\nmore than 20 million US dollars").id,
      "LicenseRef-modified-mit");
}

TEST_F(LicenceRecognise, ATextAboveTheLimitIsNotRead) {
  EXPECT_EQ(of(std::string(kMit) + std::string(kLicenceTextBytesMax, ' ')).method, Method::None);
}

TEST_F(LicenceRecognise, FingerprintsAreReadAsWritten) {
  EXPECT_GT(spdx_fingerprints().size(), 600U);
  Fingerprint f = fingerprint_of(licence_words(kMit));
  f.ids = {"MIT", "X"};
  const auto again = fingerprint_from(to_line(f));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->ids, f.ids);
  EXPECT_EQ(again->sample, f.sample);
  EXPECT_FALSE(fingerprint_from("T MIT 00 1 00"));
  for (const Fingerprint& one : spdx_fingerprints()) {
    EXPECT_LE(one.sample.size(), kSampleMax);
    for (const std::string& id : one.ids) EXPECT_TRUE(spdx_id(id)) << id;
  }
}

TEST_F(LicenceRecognise, EveryTextOfTheListIsItself) {
  const auto texts = all_texts();
  if (texts.empty()) GTEST_SKIP() << "skipped: no texts";
  for (const Text& t : texts) {
    const Recognised r = of(t.text);
    EXPECT_EQ(r.method, Method::Digest) << t.id;
    EXPECT_TRUE(r.id == t.id || std::count(r.same_text.begin(), r.same_text.end(), t.id) == 1)
        << t.id << " is taken for " << r.id;
  }
}

/// What justifies kSimilarMin and kSimilarMargin: with one word in a hundred changed, nothing is taken for a licence of
/// another class, and most is still recognised. Prints the figures for other thresholds.
TEST_F(LicenceRecognise, AChangedTextIsNeverTakenForAnotherClass) {
  const auto texts = all_texts();
  if (texts.empty()) GTEST_SKIP() << "skipped: no texts";
  std::mt19937 random(1);
  for (const unsigned every : {200U, 100U, 50U, 20U}) {
    std::size_t right = 0, same_class = 0, none = 0, wrong = 0;
    for (const Text& t : texts) {
      std::string changed;
      for (const std::string& word : licence_words(t.text))
        changed += random() % every == 0 ? "changed" + std::to_string(random() % 100) + " " : word + " ";
      const Recognised r = of(changed);
      if (r.id.empty())
        ++none;
      else if (r.id == t.id || std::count(r.same_text.begin(), r.same_text.end(), t.id) == 1)
        ++right;
      else if (class_of(r.id) == class_of(t.id) || r.method == Method::Phrases)
        ++same_class;
      else
        ++wrong, std::printf("  1 in %u: %s taken for %s, %.3f\n", every, t.id.c_str(), r.id.c_str(), r.score);
    }
    std::printf(
        "1 word in %u changed: %zu right, %zu another of the same class, %zu not recognised, %zu of another class\n",
        every, right, same_class, none, wrong);
    EXPECT_EQ(wrong, 0U) << every;
    EXPECT_GT(right * 10, every >= 100 ? texts.size() * 7 : 0) << every;
  }
}

/// Why similarity alone will not do: for every text whose licence is in the catalogue, the nearest text of another
/// class. Versions of Creative Commons differ by a hundredth. They are told apart because the nearest is taken, only
/// with a margin, and not against the words of a restriction.
TEST_F(LicenceRecognise, TextsOfDifferentClassesCanBeNearerThanTheThreshold) {
  const auto texts = all_texts();
  if (texts.empty()) GTEST_SKIP() << "skipped: no texts";
  std::size_t looked_at = 0;
  std::map<double, std::size_t> near;
  for (const Text& t : texts) {
    if (catalogue.find(t.id) == nullptr) continue;
    ++looked_at;
    const auto hashes = shingles_of(licence_words(t.text));
    double nearest = 0;
    std::string name;
    for (const Fingerprint& f : spdx_fingerprints()) {
      const auto known = std::find_if(f.ids.begin(), f.ids.end(),
                                      [&](const std::string& id) { return catalogue.find(id) != nullptr; });
      if (known == f.ids.end() || class_of(*known) == class_of(t.id)) continue;
      if (const double s = similarity(hashes, f); s > nearest) nearest = s, name = *known;
    }
    for (const double limit : {0.8, 0.85, 0.9, 0.95})
      if (nearest >= limit) ++near[limit];
    if (nearest >= kSimilarMin) std::printf("  %s: %s %.3f\n", t.id.c_str(), name.c_str(), nearest);
  }
  std::printf("%zu texts", looked_at);
  for (const auto& [limit, n] : near) std::printf(", %zu with one of another class at %.2f or nearer", n, limit);
  std::printf("\n");
  EXPECT_EQ(looked_at, 104U);
  EXPECT_EQ(near[kSimilarMin], 32U) << "Creative Commons, GPL and LGPL 3, OSL and AFL";
}
}  // namespace
}  // namespace hm::provenance::licence
