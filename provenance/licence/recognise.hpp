// provenance/licence/recognise.hpp: which licence a text is. Layer 4; pure functions; the input comes from strangers.
// No texts are kept, only fingerprints: a digest of the normalised words, and a sample of the hashes of all groups of
// three words. docs/decisions/0013-licence-fingerprints.md says where they come from.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provenance/licence/catalogue.hpp"

namespace hm::provenance::licence {
inline constexpr std::size_t kLicenceTextBytesMax = 1 << 20;  ///< the longest in the SPDX list has 60 KiB
/// Least Dice coefficient of a text that was changed a little. Chosen where, of all texts of the SPDX list with one
/// word in a hundred changed, none is taken for a licence of another class
/// (tests/unit/provenance/licence_recognise_test.cpp).
inline constexpr double kSimilarMin = 0.90;
/// How much better than the next licence of another class the best has to be.
inline constexpr double kSimilarMargin = 0.02;

enum class Method : std::uint8_t { None, Digest, Phrases, Similar };
struct Recognised {
  std::string id;  ///< as the catalogue or SPDX writes it; "" when not recognised
  Method method = Method::None;
  double score = 0;  ///< 1 by digest and phrases; the Dice coefficient of the nearest, also without id
  std::vector<std::string> same_text;  ///< others with the same text: GPL "only" and "or later"
  std::string nearest;                 ///< with Method::None: what came nearest, to be looked at
};
/// Texts above kLicenceTextBytesMax are not recognised. Words of a restriction that the found licence does not have
/// ("non-commercial" in a text like MIT, or in its line of copyright) make it unrecognised, however similar it is,
/// unless they are the licence's own (Licence::own_words).
Recognised recognise(const Catalogue& catalogue, std::string_view text);

/// The words that count, by the SPDX matching guidelines: no case, punctuation, bullets, kinds of quotes and blanks; no
/// lines of copyright; spellings of one word are one.
std::vector<std::string> licence_words(std::string_view text);

/// What is kept of a text.
struct Fingerprint {
  std::vector<std::string> ids;       ///< whose text it is; the first is the one to report
  std::string digest;                 ///< first 16 bytes of SHA-256 over the words with one blank between, in hex
  unsigned shift = 0;                 ///< the sample has the hashes below 2^(32-shift)
  std::vector<std::uint32_t> sample;  ///< ascending, each once
};
inline constexpr std::size_t kSampleMax = 96;
Fingerprint fingerprint_of(const std::vector<std::string>& words);
/// One line of config/licences/spdx.txt, without its end; and back. nullopt: not such a line.
std::string to_line(const Fingerprint& fingerprint);
std::optional<Fingerprint> fingerprint_from(std::string_view line);
/// Those that are compiled in.
const std::vector<Fingerprint>& spdx_fingerprints();
/// Dice coefficient of the words' groups of three and the fingerprint's, as far as its sample tells.
double similarity(const std::vector<std::uint32_t>& hashes, const Fingerprint& fingerprint);
/// Hashes of all groups of three words, ascending, each once.
std::vector<std::uint32_t> shingles_of(const std::vector<std::string>& words);
}  // namespace hm::provenance::licence
