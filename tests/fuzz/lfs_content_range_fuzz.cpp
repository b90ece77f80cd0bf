// The head of a download host's answer: line 1 is the status, line 2 the Content-Range, the rest the Content-Length if
// it is a number.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "mirror/lfs/content_range.hpp"

namespace {
std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hm::mirror;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // What parses says something possible, and says the same again when it is written down.
  if (const auto range = parse_content_range(text)) {
    const auto& r = range.assume_value();
    if (r.first > r.last || (r.total && r.last >= *r.total)) std::abort();
    const auto again = parse_content_range("bytes " + std::to_string(r.first) + "-" + std::to_string(r.last) + "/" +
                                           (r.total ? std::to_string(*r.total) : "*"));
    if (!again || again.assume_value().first != r.first || again.assume_value().last != r.last ||
        again.assume_value().total != r.total)
      std::abort();
  }
  // What is to be used lies within what was asked for, and every refusal has its reason.
  hm::net::HttpResponse response;
  response.status = static_cast<int>(hm::parse_u64(take_line(text)).value_or(206) % 1000);
  response.headers.add("Content-Range", std::string(take_line(text)));
  response.content_length = hm::parse_u64(text);
  for (const bool ranged : {true, false}) {
    const AskedBytes asked(ranged ? 100 : 0, ranged ? 200 : 1000, 1000, ranged);
    const auto judgement = judge_answer(response, asked);
    if (judgement.verdict == Verdict::Use && (judgement.end <= asked.first || judgement.end > asked.end)) std::abort();
    if (judgement.verdict != Verdict::Use && judgement.error.what.empty()) std::abort();
  }
  return 0;
}
