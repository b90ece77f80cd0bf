#include "app/daemon/gate.hpp"

#include <algorithm>

namespace hm::app {
bool exclude_each_other(Claim a, Claim b) {
  if (a == Claim::Alone || b == Claim::Alone) return true;
  return a == b && a != Claim::Share;
}

/// Those inside, and those who came before; in the background also those who came later.
bool Gate::is_in_the_way(const Entry& other, Place mine) const {
  if (&other == &*mine || !exclude_each_other(other.wish.claim, mine->wish.claim)) return false;
  if (other.inside) return true;
  const bool other_waits_by_hand = !other.wish.makes_way;
  if (mine->wish.makes_way && other_waits_by_hand) return true;
  if (!mine->wish.makes_way && !other_waits_by_hand) return false;
  return std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return &e == &other || &e == &*mine; }) !=
         std::list<Entry>::const_iterator(mine);
}

std::string Gate::in_the_way_of(Place mine) const {
  std::string names;
  for (const Entry& other : entries_)
    if (is_in_the_way(other, mine)) names += (names.empty() ? "" : ", ") + other.wish.who;
  return names;
}

void Gate::ask_to_make_way(Place mine) {
  if (mine->wish.makes_way) return;
  for (Entry& other : entries_)
    if (other.inside && other.wish.makes_way && is_in_the_way(other, mine)) other.wish.makes_way->request_stop();
}

Result<Gate::Ticket> Gate::enter(Wish wish, const std::stop_token& give_up,
                                 const std::function<void(const std::string&)>& waits) {
  std::unique_lock lock(mutex_);
  const Place mine = entries_.insert(entries_.end(), Entry{std::move(wish)});
  ask_to_make_way(mine);
  if (const std::string whom = in_the_way_of(mine); !whom.empty() && waits) {
    lock.unlock();
    waits(whom);
    lock.lock();
  }
  const bool may_enter = changed_.wait(lock, give_up, [&] { return in_the_way_of(mine).empty(); });
  if (!may_enter) {
    entries_.erase(mine);
    changed_.notify_all();
    return Error{Errc::Cancelled, "stopped while it waited for its turn"};
  }
  mine->inside = true;
  return Ticket(nullptr, [this, mine](void*) { leave(mine); });
}

void Gate::leave(Place mine) {
  const std::lock_guard lock(mutex_);
  entries_.erase(mine);
  changed_.notify_all();
}

std::vector<Gate::Standing> Gate::standing() const {
  const std::lock_guard lock(mutex_);
  std::vector<Standing> out;
  for (const Entry& entry : entries_) out.push_back({entry.wish.who, entry.inside});
  return out;
}
}  // namespace hm::app
