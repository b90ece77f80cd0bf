#include "storage/partial_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::storage {
Result<PartialState> read_partial_state(FileSystem& fs, const std::string& path, std::string_view boot_id) {
  HM_TRY(const auto file, fs.open_read(path));
  HM_TRY(const std::uint64_t size, file->size());
  if (size > kPartialStateBytesMax) return Error{Errc::Corrupt, path + " is larger than any download state"};
  std::string text(static_cast<std::size_t>(size), '\0');
  HM_TRY(const std::size_t n, file->read_at(0, std::as_writable_bytes(std::span(text))));
  text.resize(n);
  return within(parse_partial_state(text, boot_id), [&] { return "reading " + path; });
}

Result<std::optional<PartialState>> take_up_state(const LocalContext& context, const BlobId& id,
                                                  std::uint64_t size_bytes) {
  const std::string path = context.state_path(id), data = context.data_path(id);
  auto state = read_partial_state(context.fs, path, context.options.boot_id);
  if (!state) {
    if (state.error().code == Errc::NotFound) return std::optional<PartialState>();
    if (state.error().code == Errc::Refused)
      return Error{Errc::Refused,
                   state.error().what + "; use the hubmirror version that began it, or remove the file to start over"};
    if (state.error().code != Errc::Corrupt) return state.error();
    log(LogLevel::Warning, "a download state is unreadable; the download starts over",
        {{"blob", id.hex()}, {"why", state.error().what}});
  }
  const bool of_this = state && state.assume_value().header.id == id && state.assume_value().complete.size() > 1 &&
                       context.fs.exists(data);
  if (of_this && state.assume_value().header.layout.size_bytes == size_bytes)
    return std::optional(std::move(state).assume_value());
  HM_TRY(remove_if_there(context.fs,
                         path));  // the log first: data without a log is nothing, a log without its data would lie
  if (!of_this) return std::optional<PartialState>();
  HM_TRY(remove_if_there(context.fs, data));
  return Error{Errc::BadInput, "an earlier download of blob " + id.hex() + " was announced with " +
                                   std::to_string(state.assume_value().header.layout.size_bytes) + " bytes, now with " +
                                   std::to_string(size_bytes) + "; the earlier one was dropped, try again"};
}

void drop_beyond(PartialState& state, std::uint64_t data_bytes) {
  const SegmentLayout& layout = state.header.layout;
  std::uint64_t prefix = 0;
  for (std::uint64_t i = 0; i < state.complete.size(); ++i) {
    if (state.complete[i] && layout.end(i) > data_bytes) state.complete[i] = false, state.clean = false;
    if (state.complete[i] && prefix == i) ++prefix;
  }
  if (state.midstate && state.midstate->hashed_bytes / layout.segment_bytes > prefix)
    state.midstate.reset(), state.clean = false;
}

std::uint64_t allocated_bytes(const File& file, std::uint64_t otherwise) {
  constexpr std::uint64_t kStatBlockBytes = 512;
  struct stat st{};
  if (file.native_handle() < 0 || ::fstat(file.native_handle(), &st) != 0) return otherwise;
  return static_cast<std::uint64_t>(st.st_blocks) * kStatBlockBytes;
}

Result<std::unique_ptr<File>> create_or_empty(FileSystem& fs, const std::string& path) {
  auto made = fs.create_new(path);
  if (made || !fs.exists(path)) return made;
  auto opened = fs.open_existing(path);
  if (!opened) {  // a directory or a link stands there
    opened.assume_error().what += "; it is not hubmirror's: remove it";
    return opened;
  }
  HM_TRY(opened.assume_value()->truncate(0));
  return opened;
}

Result<> remove_if_there(FileSystem& fs, const std::string& path) {
  auto removed = fs.remove(path);
  if (!removed && removed.error().code == Errc::NotFound) return ok();
  return removed;
}

std::string kernel_boot_id(FileSystem& fs) {
  constexpr std::size_t kProcFileBytesMax = 256;
  if (auto text = read_small_file(fs, "/proc/sys/kernel/random/boot_id", kProcFileBytesMax);
      text && trim(text.assume_value()).size() == kBootIdBytes) {
    return std::string(trim(text.assume_value()));
  }
  std::random_device random;
  std::string id = "unknown-";
  while (id.size() < kBootIdBytes) id.push_back("0123456789abcdef"[random() % 16]);
  return id;
}
}  // namespace hm::storage
