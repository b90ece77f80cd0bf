#include "server/arriving_body.hpp"

#include <utility>

namespace hm::server {
namespace {
class ArrivingBody final : public BodySource {
 public:
  explicit ArrivingBody(std::unique_ptr<mirror::BlobReader> reader) : reader_(std::move(reader)) {}
  awaitable<Result<std::span<const std::byte>>> next() override { return reader_->next(); }

 private:
  std::unique_ptr<mirror::BlobReader> reader_;
};
}  // namespace

awaitable<Result<std::unique_ptr<BodySource>>> fetch_body(const Fetching& fetching, const PublishedRepo& repo,
                                                          const Commit& commit, const storage::ManifestFile& file,
                                                          std::uint64_t first, std::uint64_t length) {
  mirror::WantedBlob wanted;
  wanted.id = file.sha256;
  wanted.size_bytes = file.size_bytes;
  wanted.path = file.path;
  wanted.revision = commit.hex();
  HM_CO_TRY(auto reader, co_await fetching.on_demand->blob(repo.row.repo, repo.key, std::move(wanted), first, length));
  co_return std::unique_ptr<BodySource>(std::make_unique<ArrivingBody>(std::move(reader)));
}
}  // namespace hm::server
