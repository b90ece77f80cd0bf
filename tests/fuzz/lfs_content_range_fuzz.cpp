// Content-Range of a server: an accepted range is one.
#include <cstdint>
#include <cstdlib>

#include "mirror/lfs/content_range.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  const auto range = hm::mirror::parse_content_range(value);
  if (!range) return 0;
  const hm::mirror::ContentRange& read = range.assume_value();
  if (read.last < read.first || (read.total && read.last >= *read.total)) std::abort();

  // Whatever it says, a body is used only for bytes that were asked for.
  hm::net::HttpResponse response;
  response.status = 206;
  response.headers.add("Content-Range", std::string(value));
  for (const hm::mirror::AskedBytes& asked : {hm::mirror::AskedBytes(0, 100, 1000, true), hm::mirror::AskedBytes(900, 1000, 1000, true), hm::mirror::AskedBytes(5, 10, 100, true)}) {
    const auto judged = hm::mirror::judge_answer(response, asked);
    if (judged.verdict == hm::mirror::Verdict::Use && (judged.end > asked.end || judged.end <= asked.first || read.first != asked.first)) std::abort();
  }
  return 0;
}
