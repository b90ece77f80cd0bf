// Weight files come from strangers: reading a header ends, and says nothing that the file cannot hold.
#include "provenance/formats/onnx.hpp"
#include "tests/fuzz/provenance_formats_checks.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hm::provenance::formats;
  const MemorySource source(std::as_bytes(std::span(data, size)));
  ModelHeader header;
  const auto read = read_onnx(source, header);
  check_header(source, header, read);
  check_claims("m.onnx", source);
  return 0;
}
