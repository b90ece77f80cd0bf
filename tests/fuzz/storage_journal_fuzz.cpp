// An entry that is accepted is canonical and names an earlier entry or none; rows of tasks that are accepted are
// written the same way again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "storage/journal.hpp"
#include "storage/task_queue.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto entry = hm::storage::parse_journal_entry(10, text)) {
    const auto again = hm::canonical_json(entry.assume_value().value);
    if (!again || again.assume_value() != text || entry.assume_value().value.at("prev").as_int64() >= 10) std::abort();
  }
  const hm::storage::TaskKey key{{hm::RepoKind::Model, {}}, "visit"};
  if (const auto task = hm::storage::unpack_task(key, text)) {
    const std::string packed = hm::storage::pack_task(task.assume_value());
    const auto again = hm::storage::unpack_task(key, packed);
    if (!again || hm::storage::pack_task(again.assume_value()).empty()) std::abort();
  }
  return 0;
}
