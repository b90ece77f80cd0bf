#include "provenance/licence/normalise.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/result_matchers.hpp"

namespace hm::provenance::licence {
namespace {
struct LicenceNormalise : testing::Test {
  const Catalogue catalogue = Catalogue::built_in().value();
  Normalised of(std::vector<std::string> ids, std::string name = {}, std::string link = {},
                std::vector<TextFinding> texts = {}) {
    Declared d;
    d.ids = std::move(ids);
    d.name = std::move(name);
    d.link = std::move(link);
    d.texts = std::move(texts);
    return normalise(catalogue, d);
  }
  static TextFinding text(std::string id, std::vector<std::string> same = {}) {
    TextFinding t{"LICENSE", {}};
    t.recognised.id = id;
    t.recognised.method = id.empty() ? Method::None : Method::Digest;
    t.recognised.same_text = std::move(same);
    return t;
  }
  static std::string ids_of(const Normalised& n) {
    std::string out;
    for (const ClaimFinding& f : n.findings) out += (out.empty() ? "" : " ") + std::string(f.id);
    return out;
  }
};

TEST_F(LicenceNormalise, NothingSaidIsNoAssertion) {
  EXPECT_EQ(of({}).expression, "NOASSERTION");
  EXPECT_EQ(ids_of(of({})), "licence-undeclared");
  EXPECT_EQ(of({"unknown"}).expression, "NOASSERTION");
  EXPECT_EQ(of({" "}).expression, "NOASSERTION");
}
TEST_F(LicenceNormalise, IdentifiersOfTheHubBecomeThoseOfSpdx) {
  EXPECT_EQ(of({"apache-2.0"}).expression, "Apache-2.0");
  EXPECT_EQ(ids_of(of({"apache-2.0"})), "");
  EXPECT_EQ(of({"MIT"}).expression, "MIT");
  EXPECT_EQ(of({"openrail++"}).expression, "LicenseRef-hub-openrail-plus-plus");
  EXPECT_EQ(of({"llama3.1"}).expression, "LicenseRef-hub-llama3.1");
}
TEST_F(LicenceNormalise, WhatTheHubLeavesOpenIsSaid) {
  EXPECT_EQ(of({"gpl-3.0"}).expression, "GPL-3.0-only");
  EXPECT_EQ(ids_of(of({"gpl-3.0"})), "licence-version-assumed");
  EXPECT_EQ(of({"bsd"}).expression, "LicenseRef-hub-bsd");
  EXPECT_EQ(ids_of(of({"bsd"})), "licence-imprecise");
  EXPECT_EQ(of({"bsl-1.0"}).expression, "BSL-1.0");
  EXPECT_EQ(ids_of(of({"bsl-1.0"})), "bsl-is-boost");
}
TEST_F(LicenceNormalise, OtherTakesItsNameFromLicenseName) {
  EXPECT_EQ(of({"other"}, "llama-2-community-license", "https://ai.meta.com/llama/license/").expression,
            "LicenseRef-hub-llama2");
  EXPECT_EQ(of({"other"}, "My Terms v2", "LICENSE").expression, "LicenseRef-hub-other-my-terms-v2");
  EXPECT_EQ(ids_of(of({"other"}, "My Terms v2", "LICENSE")), "");
  EXPECT_EQ(of({"other"}).expression, "LicenseRef-hub-other");
  EXPECT_EQ(ids_of(of({"other"})), "licence-link-missing licence-imprecise");
  EXPECT_EQ(of({}, "qwen-research", "x").expression, "LicenseRef-qwen-research");
  EXPECT_EQ(of({"other"}, "tongyi-qianwen-research", "x").expression, "LicenseRef-tongyi-qianwen-research");
  EXPECT_EQ(of({"other"}, "stabilityai-nc-research-community", "x").expression, "LicenseRef-stability-nc-research")
      << "not the community licence";
  EXPECT_EQ(of({"other"}, "modified-mit", "x").expression, "LicenseRef-modified-mit") << "not MIT";
}
TEST_F(LicenceNormalise, ValuesOutsideTheListAreReadAsFarAsTheyGo) {
  EXPECT_EQ(of({"MIT OR Apache-2.0"}).expression, "MIT OR Apache-2.0");
  EXPECT_EQ(ids_of(of({"MIT OR Apache-2.0"})), "licence-unknown-id");
  EXPECT_EQ(of({"Apache License 2.0"}).expression, "Apache-2.0");
  EXPECT_EQ(of({"free for all!"}).expression, "LicenseRef-hub-other-free-for-all");
  EXPECT_EQ(ids_of(of({"free for all!"})), "licence-unknown-id");
}
TEST_F(LicenceNormalise, SeveralHoldTogether) {
  EXPECT_EQ(of({"mit", "cc-by-nc-4.0", "mit"}).expression, "MIT AND CC-BY-NC-4.0");
  EXPECT_EQ(ids_of(of({"mit", "cc-by-nc-4.0"})), "licence-several");
  EXPECT_EQ(of({"mit", "unknown"}).expression, "MIT AND NOASSERTION");
  EXPECT_EQ(of({"MIT OR ISC", "zlib"}).expression, "(MIT OR ISC) AND Zlib");
  EXPECT_EQ(of({"mit", "cc-by-nc-4.0"}).offered, "MIT OR CC-BY-NC-4.0") << "the card does not say that it is no choice";
  EXPECT_EQ(of({"mit"}).offered, "");
  EXPECT_EQ(of({"mit", "unknown"}).offered, "") << "nobody offers what is not said";
}
TEST_F(LicenceNormalise, ATextConfirmsSharpensOrContradictsTheCard) {
  EXPECT_EQ(of({"gpl-3.0"}, {}, {}, {text("GPL-3.0-only", {"GPL-3.0-or-later"})}).expression, "GPL-3.0-only");
  EXPECT_EQ(ids_of(of({"mit"}, {}, {}, {text("MIT")})), "");
  EXPECT_EQ(of({"bsd"}, {}, {}, {text("BSD-3-Clause")}).expression, "BSD-3-Clause");
  EXPECT_EQ(of({}, {}, {}, {text("MIT")}).expression, "MIT");
  const Normalised both = of({"mit"}, {}, {}, {text("CC-BY-NC-4.0")});
  EXPECT_EQ(both.expression, "MIT AND CC-BY-NC-4.0") << "neither is dropped";
  EXPECT_EQ(ids_of(both), "licence-inconsistent");
  EXPECT_EQ(of({"cc-by-nc-4.0"}, {}, {}, {text("MIT")}).expression, "CC-BY-NC-4.0 AND MIT")
      << "a permissive text does not free the weights";
  EXPECT_EQ(both.offered, "MIT OR CC-BY-NC-4.0");
  EXPECT_EQ(of({}, {}, {}, {text("")}).expression, "NOASSERTION");
  EXPECT_EQ(ids_of(of({}, {}, {}, {text("")})), "licence-text-unrecognised");
}
TEST_F(LicenceNormalise, OtherGivesWayToATextUnlessThereIsAnotherOne) {
  EXPECT_EQ(of({"other"}, {}, {}, {text("MIT")}).expression, "MIT");
  EXPECT_EQ(of({"other"}, "house-terms", "LICENSE", {text("MIT")}).expression, "MIT") << "the text is what is granted";
  EXPECT_EQ(of({"other"}, "house-terms", "LICENSE", {text("MIT"), text("")}).expression,
            "LicenseRef-hub-other-house-terms AND MIT")
      << "the text that nobody knows may be the house's";
  EXPECT_EQ(of({}, {}, {}, {text("MIT"), text("")}).expression, "MIT AND NOASSERTION");
}
TEST_F(LicenceNormalise, MetadataOfFilesCountAsTextsDo) {
  auto with = [&](std::vector<std::string> ids, std::vector<FileClaim> claims) {
    Declared d;
    d.ids = std::move(ids);
    d.claims = std::move(claims);
    return normalise(catalogue, d);
  };
  EXPECT_EQ(with({"mit"}, {{"m.gguf", "mit", {}, {}}}).findings.size(), 0U);
  EXPECT_EQ(with({}, {{"m.gguf", "apache-2.0", {}, {}}}).expression, "Apache-2.0");
  EXPECT_EQ(with({"other"}, {{"m.gguf", "other", "llama3", {}}}).expression, "LicenseRef-hub-llama3");
  const Normalised own = with({"house-terms-2"}, {{"m.gguf", "apache-2.0", {}, {}}});
  EXPECT_EQ(own.expression, "LicenseRef-hub-other-house-terms-2 AND Apache-2.0") << "metadata grant nothing";
  EXPECT_EQ(ids_of(own), "licence-unknown-id licence-inconsistent");
  const Normalised lost = with({"mit"}, {{"m.gguf", "llama3.1", {}, {}}});
  EXPECT_EQ(lost.expression, "MIT AND LicenseRef-hub-llama3.1");
  EXPECT_EQ(ids_of(lost), "licence-inconsistent");
  EXPECT_EQ(lost.findings[0].what, "the card says MIT, m.gguf says LicenseRef-hub-llama3.1; all are taken to hold");
  EXPECT_EQ(with({"mit"}, {{"m.gguf", "other", {}, {}}, {"n.gguf", "see the site", {}, {}}}).expression, "MIT")
      << "what names nothing contradicts nothing";
}
}  // namespace
}  // namespace hm::provenance::licence
