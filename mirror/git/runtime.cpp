// GitRuntime: what libgit2 is allowed to do in this process; and the translation of its errors.
#include <git2/sys/alloc.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "base/check.hpp"
#include "mirror/git/git2_handles.hpp"
#include "mirror/git/repository.hpp"

namespace hm::mirror {
namespace {
// Mapped pack windows count as resident memory. Together with the indexer's tables the process stays under its 256 MiB
// with 100,000 files.
constexpr std::size_t kMappedBytesMax = 96U << 20;
constexpr std::size_t kWindowBytes = 16U << 20;
constexpr std::size_t kObjectCacheBytes = 16U << 20;
constexpr std::size_t kOpenPacksMax = 256;  // file descriptors; least recently used ones are closed

constexpr std::size_t kUnlimited = SIZE_MAX;
thread_local std::size_t t_allocation_bytes_max = kUnlimited;
thread_local bool t_allocation_refused = false;

bool may_allocate(std::size_t bytes) {
  if (bytes <= t_allocation_bytes_max) return true;
  t_allocation_refused = true;
  return false;
}
bool may_allocate(std::size_t count, std::size_t size, std::size_t& bytes) {
  return !__builtin_mul_overflow(count, size, &bytes) && may_allocate(bytes);
}

// Upstream code asks for the error to be set by the allocator: libgit2's own macros only test for null.
void* checked(void* p) {
  if (p == nullptr) git_error_set_oom();
  return p;
}
void* limited_malloc(std::size_t n, const char*, int) {
  return checked(may_allocate(n) ? std::malloc(n == 0 ? 1 : n) : nullptr);
}
void* limited_calloc(std::size_t count, std::size_t size, const char*, int) {
  std::size_t bytes = 0;
  return checked(may_allocate(count, size, bytes) ? std::calloc(bytes == 0 ? 1 : bytes, 1) : nullptr);
}
void* limited_realloc(void* p, std::size_t n, const char*, int) {
  return checked(may_allocate(n) ? std::realloc(p, n == 0 ? 1 : n) : nullptr);
}
void* limited_reallocarray(void* p, std::size_t count, std::size_t size, const char* file, int line) {
  std::size_t bytes = 0;
  return may_allocate(count, size, bytes) ? limited_realloc(p, bytes, file, line) : checked(nullptr);
}
void* limited_mallocarray(std::size_t count, std::size_t size, const char* file, int line) {
  std::size_t bytes = 0;
  return may_allocate(count, size, bytes) ? limited_malloc(bytes, file, line) : checked(nullptr);
}
char* limited_substrdup(const char* s, std::size_t n, const char* file, int line) {
  auto* out = static_cast<char*>(limited_malloc(n + 1, file, line));
  if (out == nullptr) return nullptr;
  std::memcpy(out, s, n);
  out[n] = '\0';
  return out;
}
char* limited_strndup(const char* s, std::size_t n, const char* file, int line) {
  return limited_substrdup(s, ::strnlen(s, n), file, line);
}
char* limited_strdup(const char* s, const char* file, int line) {
  return limited_substrdup(s, std::strlen(s), file, line);
}
void limited_free(void* p) { std::free(p); }

git_allocator& limited_allocator() {
  static git_allocator allocator{limited_malloc,       limited_calloc,      limited_strdup,
                                 limited_strndup,      limited_substrdup,   limited_realloc,
                                 limited_reallocarray, limited_mallocarray, limited_free};
  return allocator;
}
}  // namespace

AllocationLimit::AllocationLimit(std::size_t bytes) : previous_(t_allocation_bytes_max) {
  t_allocation_bytes_max = bytes;
  t_allocation_refused = false;
}
AllocationLimit::~AllocationLimit() {
  t_allocation_bytes_max = previous_;
  t_allocation_refused = false;
}

Error git_failure(int rc, std::string_view doing, Errc otherwise) {
  const int saved_errno = errno;
  const git_error* e = git_error_last();  // null in 1.5 when only a callback failed
  std::string what(doing);
  what.append(": ").append(e != nullptr && e->message != nullptr ? e->message : "libgit2 gave no message");
  if (t_allocation_refused) {
    t_allocation_refused = false;
    return {Errc::Refused, what + " (an object larger than the limit)"};
  }
  if (rc == GIT_EUSER) return {Errc::Cancelled, std::string(doing) + ": cancelled"};
  const bool absent = rc == GIT_ENOTFOUND || (e != nullptr && e->klass == GIT_ERROR_ODB &&
                                              what.find("no match for id") != std::string::npos);  // revwalk says -1
  if (absent) return {Errc::NotFound, std::move(what)};
  if (e != nullptr && e->klass == GIT_ERROR_OS) {
    const bool full =
        saved_errno == ENOSPC || saved_errno == EDQUOT || what.find(std::strerror(ENOSPC)) != std::string::npos;
    return {full ? Errc::NoSpace : Errc::Io, std::move(what)};
  }
  return {otherwise, std::move(what)};
}

GitRuntime::GitRuntime() {
  HM_CHECK(git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &limited_allocator()) == 0);  // before init, or memory changes hands
  HM_CHECK(git_libgit2_init() > 0);
  for (const int level :
       {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA}) {
    HM_CHECK(git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "") == 0);  // nobody's gitconfig may redirect a mirror
  }
  HM_CHECK(git_libgit2_opts(GIT_OPT_SET_TEMPLATE_PATH, "") == 0);
  HM_CHECK(git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0) == 0);  // an operator's group may own the data directory
  HM_CHECK(git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1) == 0);
  HM_CHECK(git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, kWindowBytes) == 0);
  HM_CHECK(git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, kMappedBytesMax) == 0);
  HM_CHECK(git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, kOpenPacksMax) == 0);
  HM_CHECK(git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, static_cast<ssize_t>(kObjectCacheBytes)) == 0);
}
GitRuntime::~GitRuntime() { git_libgit2_shutdown(); }
}  // namespace hm::mirror
