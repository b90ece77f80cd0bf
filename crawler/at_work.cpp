#include "crawler/at_work.hpp"

#include <boost/asio/this_coro.hpp>

namespace hm::crawler {
AtWork::Hold::~Hold() {
  if (of_ == nullptr) return;
  const auto held = of_->held_.find(key_);
  const auto freed = held->second;
  of_->held_.erase(held);
  freed->notify_all();
}

awaitable<Result<AtWork::Hold>> AtWork::hold(RepoKey key) {
  Hold hold;
  for (auto held = held_.find(key); held != held_.end(); held = held_.find(key)) {
    const auto freed = held->second;
    hold.waited_ = true;
    co_await freed->wait();
    if (co_await mirror::is_cancelled())
      co_return Error(Errc::Cancelled, "stopped while somebody else was at work on it");
  }
  held_.emplace(key, std::make_shared<mirror::Signal>(co_await boost::asio::this_coro::executor));
  hold.of_ = this;
  hold.key_ = key;
  co_return std::move(hold);
}
}  // namespace hm::crawler
