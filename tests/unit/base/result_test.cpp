// How failures travel: codes, contexts from the inside out, both early-return macros.
#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>

namespace hm {
namespace {
Result<int> half(int n) {
  if (n % 2 != 0) return Error{Errc::BadInput, "odd"};
  return n / 2;
}
Result<int> quarter(int n) {
  HM_TRY(const int h, within(half(n), [&] { return "halving " + std::to_string(n); }));
  return within(half(h), [] { return "halving again"; });
}
TEST(Result, CarriesTheValueOrTheErrorWithItsContext) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(7).error().what, "odd; while halving 7");
  EXPECT_EQ(quarter(6).error().what, "odd; while halving again");
  EXPECT_EQ(quarter(6).error().code, Errc::BadInput);
}
TEST(Result, SuccessPaysForNoContext) {
  bool called = false;
  EXPECT_TRUE(within(half(2), [&] {
    called = true;
    return std::string("never");
  }));
  EXPECT_FALSE(called);
}
TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(3);
  const std::unique_ptr<int> owned = std::move(r).value();
  EXPECT_EQ(*owned, 3);
}
TEST(Result, IsAnErrorUntilItIsSet) {
  EXPECT_FALSE(Result<int>());
  EXPECT_FALSE(Result<>());
  EXPECT_TRUE(Result<>(ok()));
}
TEST(Result, ReadingTheAbsentSideAborts) { EXPECT_DEATH((void)half(1).value(), ""); }

TEST(Errc, EachCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Errc::Internal); ++i)
    EXPECT_TRUE(names.insert(name_of(static_cast<Errc>(i))).second) << i;
  EXPECT_EQ(names.count("unknown"), 0U);
}
TEST(ErrnoError, ChoosesTheCodeCallersActOn) {
  EXPECT_EQ(errno_error("open", "/x", ENOENT).code, Errc::NotFound);
  EXPECT_EQ(errno_error("write", "/x", ENOSPC).code, Errc::NoSpace);
  EXPECT_EQ(errno_error("write", "/x", EDQUOT).code, Errc::NoSpace);
  EXPECT_EQ(errno_error("read", "/x", EIO).code, Errc::Io);
  EXPECT_EQ(errno_error("open", "/x/y", EACCES).what, "open /x/y: Permission denied");
}
}  // namespace
}  // namespace hm
