#include "base/result.hpp"

#include <cerrno>
#include <system_error>

namespace hm {
std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::NotFound:
      return "not found";
    case Errc::Gated:
      return "access denied";
    case Errc::RateLimited:
      return "rate limited";
    case Errc::Unreachable:
      return "unreachable";
    case Errc::Corrupt:
      return "corrupt";
    case Errc::NoSpace:
      return "no space";
    case Errc::Cancelled:
      return "cancelled";
    case Errc::Busy:
      return "busy";
    case Errc::Refused:
      return "refused";
    case Errc::BadInput:
      return "bad input";
    case Errc::Io:
      return "i/o error";
    case Errc::Internal:
      return "internal error";
  }
  return "unknown";
}

Error errno_error(std::string_view operation, std::string_view path, int error_number) {
  Errc code = Errc::Io;
  if (error_number == ENOENT || error_number == ENOTDIR) code = Errc::NotFound;
  if (error_number == ENOSPC || error_number == EDQUOT) code = Errc::NoSpace;
  std::string what(operation);
  what.append(" ").append(path).append(": ").append(std::generic_category().message(error_number));
  Error error(code, std::move(what));
  error.os_error = error_number;
  return error;
}
}  // namespace hm
