// tests/support/result_matchers.hpp: gmock matchers for hm::Result.
#pragma once
#include <gmock/gmock.h>

#include <string>

#include "base/result.hpp"

namespace hm::test {
/// EXPECT_THAT(parse(x), FailsWith(Errc::BadInput, "expected a number")): the code, and a part of the message.
MATCHER_P2(FailsWith, code, text, std::string("fails with ") + std::string(name_of(code)) + " and \"" + text + "\"") {
  if (arg.has_value()) {
    *result_listener << "which is a success";
    return false;
  }
  const Error& e = arg.assume_error();
  *result_listener << "which is " << name_of(e.code) << ": " << e.what;
  return e.code == code && e.what.find(text) != std::string::npos;
}
MATCHER(Succeeds, "is a success") {
  if (!arg.has_value())
    *result_listener << "which is " << name_of(arg.assume_error().code) << ": " << arg.assume_error().what;
  return arg.has_value();
}
}  // namespace hm::test
