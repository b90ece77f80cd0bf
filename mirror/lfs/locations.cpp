#include "mirror/lfs/locations.hpp"

#include <boost/asio/this_coro.hpp>

#include "base/log.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace hm::mirror {
namespace {
/// A chunk is asked for when the one before it is used up to here.
constexpr std::size_t kAheadAt = kBatchObjects / 2;

Error cancelled() { return {Errc::Cancelled, "download stopped"}; }
}  // namespace

Locations::Locations(hub::Api& api, const RepoId& repo, const std::vector<WantedBlob>& wanted, TaskScope& scope,
                     boost::asio::any_io_executor executor)
    : api_(api), repo_(repo), wanted_(wanted), scope_(scope), answered_(std::move(executor)) {}

void Locations::plan(const std::vector<std::size_t>& order) {
  chunks_.clear();
  chunk_of_.clear();
  for (const std::size_t index : order) {
    if (chunks_.empty() || chunks_.back().members.size() == kBatchObjects) chunks_.emplace_back();
    chunks_.back().members.push_back(index);
    chunk_of_.emplace(index, chunks_.size() - 1);
  }
}

awaitable<Result<Location>> Locations::locate(std::size_t index, Route route) {
  if (route == Route::Batch && batch_works_) {
    auto found = co_await by_batch(index);
    if (found) co_return std::move(*found);
  }
  if (scope_.cancelled()) co_return cancelled();
  co_return co_await by_resolve(index);
}

/// nullopt: this way leads nowhere, but another may.
awaitable<std::optional<Result<Location>>> Locations::by_batch(std::size_t index) {
  using Answer = std::optional<Result<Location>>;
  if (const auto planned = chunk_of_.find(index); planned != chunk_of_.end()) {
    const std::size_t number = planned->second;
    chunk_of_.erase(planned);
    begin(number);
    while (chunks_[number].state != Chunk::State::Done) {
      if (scope_.cancelled()) co_return Answer(cancelled());
      co_await answered_.wait();
    }
    Chunk& chunk = chunks_[number];
    const auto answer = chunk.answers.find(index);
    if (answer == chunk.answers.end()) co_return Answer();  // the whole call failed
    const hub::LfsObject object = std::move(answer->second);
    chunk.answers.erase(answer);
    if (chunk.answers.size() <= kAheadAt && number + 1 < chunks_.size()) begin(number + 1);
    co_return read(object);
  }
  std::vector<hub::LfsPointer> one(1);
  one[0].oid = wanted_[index].id;
  one[0].size_bytes = wanted_[index].size_bytes;
  auto objects = co_await api_.lfs_batch(repo_, std::move(one));
  if (!objects && objects.assume_error().code == Errc::Cancelled) co_return Answer(std::move(objects).assume_error());
  if (!objects || objects.assume_value().size() != 1) co_return Answer();
  co_return read(objects.assume_value()[0]);
}

void Locations::begin(std::size_t chunk) {
  if (chunks_[chunk].state != Chunk::State::Idle || scope_.cancelled()) return;
  chunks_[chunk].state = Chunk::State::Asking;
  scope_.spawn(ask(chunk));
}

awaitable<void> Locations::ask(std::size_t number) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  std::vector<hub::LfsPointer> pointers;
  for (const std::size_t index : chunks_[number].members) {
    hub::LfsPointer& pointer = pointers.emplace_back();
    pointer.oid = wanted_[index].id;
    pointer.size_bytes = wanted_[index].size_bytes;
  }
  auto objects = co_await api_.lfs_batch(repo_, std::move(pointers));
  Chunk& chunk = chunks_[number];
  if (objects && objects.assume_value().size() == chunk.members.size()) {
    for (std::size_t i = 0; i < chunk.members.size(); ++i)
      chunk.answers.emplace(chunk.members[i], std::move(objects.assume_value()[i]));
  } else if (!scope_.cancelled()) {
    batch_works_ = false;  // every further blob goes to resolve: one failing call is enough
    const std::string why = objects ? "wrong number of objects" : objects.assume_error().what;
    log(LogLevel::Info, "LFS batch does not work, using resolve", {{"repo", repo_.text()}, {"why", printable(why)}});
  }
  chunk.members.clear();
  chunk.state = Chunk::State::Done;
  answered_.notify_all();
}

std::optional<Result<Location>> Locations::read(const hub::LfsObject& object) const {
  if (object.download) {
    Location location;
    location.url = object.download->href;
    location.headers = object.download->headers;
    location.expires_unix_ms = object.download->expires_unix_ms;
    return Result<Location>(std::move(location));
  }
  const std::string what =
      "the Hub's LFS answer: " + std::to_string(object.error_code) + " " + printable(object.error_message);
  switch (object.error_code) {
    case 404:
    case 410:
      return Result<Location>(Error(Errc::NotFound, what));
    case 422:
      return Result<Location>(Error(Errc::BadInput, what));
    default:
      return std::nullopt;
  }
}

awaitable<Result<Location>> Locations::by_resolve(std::size_t index) {
  const WantedBlob& blob = wanted_[index];
  HM_CO_TRY(auto file, co_await api_.resolve(repo_, blob.revision, blob.path));
  if (file.sha256 && *file.sha256 != blob.id) {
    co_return Error(Errc::Corrupt,
                    "sha256 differs: wanted " + blob.id.hex() + ", upstream announces " + file.sha256->hex());
  }
  if (file.size_bytes && *file.size_bytes != blob.size_bytes) {
    co_return Error(Errc::Corrupt, "size differs: wanted " + std::to_string(blob.size_bytes) +
                                       " bytes, upstream announces " + std::to_string(*file.size_bytes));
  }
  Location location;
  location.url = std::move(file.url);
  co_return location;
}
}  // namespace hm::mirror
