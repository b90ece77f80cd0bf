// Cards come from strangers: whatever they hold, reading ends, and what is read is printable.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "provenance/card.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string yaml = hm::provenance::front_matter(text);
  if (yaml.size() > hm::provenance::kFrontMatterBytesMax + 8) std::abort();
  for (std::string_view input : {std::string_view(yaml), text}) {
    const auto card = hm::provenance::parse_card(input);
    for (const auto* list : {&card.licences, &card.base_models, &card.datasets, &card.languages, &card.source_datasets,
                             &card.evaluated_on, &card.models})
      for (const std::string& value : *list)
        if (value.empty() || value != hm::printable(value)) std::abort();
    if (card.problem != hm::printable(card.problem)) std::abort();  // what could be read of a broken card stays
  }
  return 0;
}
