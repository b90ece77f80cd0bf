// What readers of a file that is still being fetched are given, and when they are cut off.
#include "mirror/lfs/arriving_blob.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

#include "tests/support/result_matchers.hpp"

namespace hm::mirror {
namespace {
namespace asio = boost::asio;
constexpr std::uint32_t kSegment = 8;

class MemoryFile final : public File {
 public:
  explicit MemoryFile(const std::string& text) : text_(text) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    const std::size_t n = text_.copy(reinterpret_cast<char*>(into.data()), into.size(), offset);
    return n;
  }
  Result<> write_at(std::uint64_t, std::span<const std::byte>) override { return ok(); }
  Result<std::uint64_t> size() const override { return std::uint64_t{text_.size()}; }
  Result<> truncate(std::uint64_t) override { return ok(); }
  Result<> allocate(std::uint64_t) override { return ok(); }
  void start_writeback(std::uint64_t, std::uint64_t) override {}
  Result<> sync_data() override { return ok(); }
  void drop_cache(std::uint64_t, std::uint64_t) override {}
  int native_handle() const override { return -1; }

 private:
  const std::string& text_;
};

/// A partial of which `present` segments are here already.
class SomePartial final : public storage::PartialBlob {
 public:
  SomePartial(std::uint64_t size, std::uint64_t present) : size_(size), present_(present) {}
  const storage::BlobId& id() const override { return id_; }
  std::uint64_t size_bytes() const override { return size_; }
  std::uint32_t segment_bytes() const override { return kSegment; }
  std::uint64_t segment_count() const override { return (size_ + kSegment - 1) / kSegment; }
  bool has_segment(std::uint64_t index) const override { return index < present_; }
  Result<> write(std::uint64_t, std::span<const std::byte>) override { return ok(); }
  Result<> complete_segment(std::uint64_t) override { return ok(); }
  Result<> restart() override { return ok(); }
  Result<std::unique_ptr<File>> open_data() const override { return Error{Errc::NotFound, "none"}; }

 private:
  const storage::BlobId id_;
  const std::uint64_t size_, present_;
};

class ArrivingBlobTest : public testing::Test {
 protected:
  ~ArrivingBlobTest() override { pool.join(); }
  void begin(std::uint64_t present = 0) {
    blob->begun(SomePartial(text.size(), present), std::make_shared<MemoryFile>(text));
  }
  template <class T>
  Result<T> run(awaitable<Result<T>> coroutine) {
    Result<T> out;
    asio::co_spawn(loop, std::move(coroutine), [&](const std::exception_ptr&, Result<T> r) { out = std::move(r); });
    loop.restart();
    loop.run();
    return out;
  }
  std::unique_ptr<BlobReader> reader(std::uint64_t first, std::uint64_t length) {
    auto made = run(blob->read(first, length, 0));
    EXPECT_THAT(made, test::Succeeds());
    return made ? std::move(made).assume_value() : nullptr;
  }
  /// "" at the end; the error's code where there is one.
  std::string next(BlobReader& from) {
    const auto piece = run(from.next());
    if (!piece) return std::string(name_of(piece.error().code));
    return {reinterpret_cast<const char*>(piece.assume_value().data()), piece.assume_value().size()};
  }
  void end_well() { blob->ended(std::shared_ptr<const File>(std::make_shared<MemoryFile>(text))); }

  std::string text = "0123456789abcdefghij";
  asio::io_context loop{1};
  asio::thread_pool pool{1};
  std::shared_ptr<ArrivingBlob> blob = std::make_shared<ArrivingBlob>(text.size(), pool);
};

TEST_F(ArrivingBlobTest, GivesWhatWasWrittenAndTheLastByteAfterTheDigest) {
  begin();
  blob->written(0, 8);
  blob->written(8, 8);
  blob->written(16, 4);
  const auto all = reader(0, 20);
  EXPECT_EQ(next(*all), "0123456789abcdefghi");
  end_well();
  EXPECT_EQ(next(*all), "j");
  EXPECT_EQ(next(*all), "");
}

TEST_F(ArrivingBlobTest, ARangeIsGivenBeforeTheWholeAndWhatWasHereBeforeIsThereAtOnce) {
  begin(/*present=*/1);
  blob->written(16, 2);
  EXPECT_EQ(next(*reader(2, 4)), "2345");
  EXPECT_EQ(next(*reader(16, 2)), "gh");
  const auto waits = run(blob->read(9, 2, 0));
  EXPECT_EQ(waits.error().code, Errc::Unreachable) << "the middle has not come yet";
}

TEST_F(ArrivingBlobTest, AWaitingReaderIsWokenByItsBytes) {
  begin();
  std::string got;
  auto wait = [&]() -> awaitable<void> {
    auto made = co_await blob->read(8, 3, 600'000);
    auto piece = co_await made.assume_value()->next();
    got.assign(reinterpret_cast<const char*>(piece.assume_value().data()), piece.assume_value().size());
  };
  asio::co_spawn(loop, wait(), asio::detached);
  loop.poll();
  blob->written(0, 8);
  loop.poll();
  EXPECT_EQ(got, "");
  blob->written(8, 3);
  loop.run();
  EXPECT_EQ(got, "89a");
}

TEST_F(ArrivingBlobTest, AFileThatTurnsOutWrongNeverEnds) {
  begin();
  blob->written(0, 8);
  blob->written(8, 8);
  blob->written(16, 4);
  const auto all = reader(0, 20);
  EXPECT_EQ(next(*all).size(), 19u);
  blob->ended(Error{Errc::Corrupt, "another digest"});
  EXPECT_EQ(next(*all), name_of(Errc::Corrupt));
}

TEST_F(ArrivingBlobTest, WhoeverHasBytesThatComeASecondTimeIsCutOff) {
  begin();
  blob->written(0, 6);
  const auto first = reader(0, 20), behind = reader(0, 3), untouched = reader(0, 20);
  EXPECT_EQ(next(*first), "012345");
  EXPECT_EQ(next(*behind), "012");
  blob->written(4, 4);  // 4 and 5 again
  EXPECT_EQ(next(*first), name_of(Errc::Corrupt));
  EXPECT_EQ(next(*behind), "") << "it has none of them";
  EXPECT_EQ(next(*untouched), "01234567");
}

TEST_F(ArrivingBlobTest, AFileThatIsBegunAnewCutsOffThoseWhoHaveSomeOfIt) {
  begin();
  blob->written(0, 8);
  const auto has_some = reader(0, 20), has_none = reader(0, 20);
  EXPECT_EQ(next(*has_some), "01234567");
  begin();
  text[0] = 'X';
  blob->written(0, 8);
  blob->written(8, 8);
  blob->written(16, 4);
  end_well();
  EXPECT_EQ(next(*has_some), name_of(Errc::Corrupt));
  EXPECT_EQ(next(*has_none), "X123456789abcdefghij");
}

TEST_F(ArrivingBlobTest, AFileThatSomebodyElseFetchedIsGivenWhole) {
  end_well();
  EXPECT_EQ(next(*reader(15, 5)), "fghij");
}
}  // namespace
}  // namespace hm::mirror
