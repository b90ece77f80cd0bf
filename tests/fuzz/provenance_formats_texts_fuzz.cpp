// Configurations come from strangers: the first byte chooses the file, the rest is read as that. Also what is stored of
// them, which is read from our own index.
#include <array>

#include "provenance/formats/json_files.hpp"
#include "tests/fuzz/provenance_formats_checks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hm::provenance::formats;
  static constexpr std::array<std::string_view, 5> kNames{"adapter_config.json", "config.json", "mergekit_config.yml",
                                                          "model_index.json", "tokenizer_config.json"};
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] == '{') {
    const std::string_view stored(reinterpret_cast<const char*>(data), size);
    const auto claims = parse_claims(stored);
    if (claims && render_claims(claims.assume_value()) != stored) std::abort();
  }
  const std::string_view name = kNames[data[0] % kNames.size()];
  std::vector<Field> fields;
  const bool yaml = name.ends_with("yml");
  const auto read = (yaml ? read_yaml_fields : read_json_fields)(MemorySource(text), {}, fields, nullptr);
  if (!read && read.assume_error().code != hm::Errc::BadInput) std::abort();
  for (const Field& field : fields)
    if (!field.path.starts_with('/') || field.text.size() > kClaimBytesMax) std::abort();
  check_claims(name, MemorySource(text));
  return 0;
}
