// Licence files come from strangers: reading ends, scores are scores, and lines of fingerprints are read as written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "provenance/licence/recognise.hpp"

using namespace hm::provenance::licence;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Catalogue catalogue = Catalogue::built_in().value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Recognised r = recognise(catalogue, text);
  if (r.score < 0 || r.score > 1 || (r.id.empty() != (r.method == Method::None))) std::abort();
  if (r.method == Method::Similar && r.score < kSimilarMin) std::abort();
  const Fingerprint f = fingerprint_of(licence_words(text));
  if (f.sample.size() > kSampleMax) std::abort();
  if (const auto line = fingerprint_from(text); line && line->sample.size() > text.size()) std::abort();
  Fingerprint named = f;
  named.ids = {"MIT"};
  const auto again = fingerprint_from(to_line(named));
  if (!again || again->sample != f.sample || again->digest != f.digest || again->shift != f.shift) std::abort();
  return 0;
}
