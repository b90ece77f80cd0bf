// write_edge_lists().
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "storage/edge_lists.hpp"
#include "storage/edge_lists_format.hpp"

namespace hm::storage {
namespace fmt = edge_lists;

namespace {
constexpr std::size_t kBatchBytes = 4U << 20;
constexpr std::size_t kTargetsAtOnce = 1'024;
// Of the bytes of the rows: the lists, what compactions write beside them, and as much again.
constexpr std::uint64_t kSpaceShare = 3;
constexpr std::size_t kNameBytesMax = 0xffff;

/// Texts without an allocation for each.
class Texts {
 public:
  void add(std::string_view text) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(ends_.size()); }
  std::string_view operator[](std::uint32_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

/// Prefixes with edges. Those of lineage have numbers in ascending order; of the others, and of former names, it is
/// known that there are some: a hash that two share costs a reader one look.
class Targets {
 public:
  Result<> read(const Index& index) {
    for (const char first : {kEdgesById, kEdgesByName, kFormerNames}) {
      std::string last;
      bool whole = true;
      HM_TRY(index.scan(Family::Edges, std::string(1, first), [&](std::string_view k, std::string_view value) {
        const std::string_view prefix = key::prefix_of(k);
        whole = !prefix.empty();
        if (!whole) return false;
        if (first == kFormerNames || fmt::is_lineage(prefix)) row_bytes_ += k.size() + value.size();
        if (prefix == last) return true;
        last = prefix;
        if (first != kFormerNames && fmt::is_lineage(prefix)) {
          lineage_.emplace_back(hash(prefix), prefixes_.size());
          prefixes_.add(prefix);
        } else {
          others_.push_back(hash(prefix));
          if (first == kFormerNames) renamed_.add(prefix);
        }
        return true;
      }));
      if (!whole) return fmt::corrupt();
    }
    std::sort(lineage_.begin(), lineage_.end());
    std::sort(others_.begin(), others_.end());
    return ok();
  }
  std::uint64_t row_bytes() const { return row_bytes_; }  ///< of what goes into lists
  std::uint32_t size() const { return prefixes_.size(); }
  std::string_view prefix(std::uint32_t i) const { return prefixes_[i]; }
  std::optional<std::uint32_t> find(std::string_view prefix) const {
    const std::size_t wanted = hash(prefix);
    for (auto at = std::lower_bound(lineage_.begin(), lineage_.end(), std::pair(wanted, std::uint32_t{0}));
         at != lineage_.end() && at->first == wanted; ++at)
      if (prefixes_[at->second] == prefix) return at->second;
    return std::nullopt;
  }
  /// Prefixes of former names.
  const Texts& renamed() const { return renamed_; }
  bool may_have(std::string_view prefix) const {
    return std::binary_search(others_.begin(), others_.end(), hash(prefix));
  }

 private:
  static std::size_t hash(std::string_view text) { return std::hash<std::string_view>{}(text); }
  Texts prefixes_, renamed_;
  std::vector<std::pair<std::size_t, std::uint32_t>> lineage_;
  std::vector<std::size_t> others_;
  std::uint64_t row_bytes_ = 0;
};

/// What may lead to a child.
struct ChildPrefixes {
  ChildPrefixes(const EdgeView& edge, EdgeClass edges) : by_id(key::edges_to_stored(edge.from, edges)) {
    if (!edge.from_name.empty())
      by_name =
          key::edges_to({static_cast<RepoKind>(edge.from.front()), std::nullopt, ascii_lower(edge.from_name)}, edges);
  }
  std::string by_id, by_name;
};

/// Which targets lie below which.
class Order {
 public:
  explicit Order(const Targets& targets) : targets_(targets), begins_(targets.size() + 1) {}
  Result<> read(const Index& index) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> below;
    std::string last;
    std::uint32_t at = 0;
    for (const char first : {kEdgesById, kEdgesByName}) {
      Result<> outcome = ok();
      HM_TRY(index.scan(Family::Edges, std::string(1, first), [&](std::string_view k, std::string_view value) {
        const std::string_view prefix = k.substr(0, k.size() - std::min(kEdgeTailBytes, k.size()));
        if (!fmt::is_lineage(prefix)) return true;
        if (prefix != last) {
          last = prefix;
          const auto found = targets_.find(prefix);
          at = found ? *found : EdgeLists::kNone;  // new since the targets were read
        }
        if (at == EdgeLists::kNone) return true;
        const auto edge = unpack_edge(prefix, k, value);
        if (!edge) {
          outcome = edge.error();
          return false;
        }
        const ChildPrefixes child(edge.assume_value(), EdgeClass::Lineage);
        for (const std::string* of : {&child.by_id, &child.by_name})
          if (const auto to = targets_.find(*of); to && *to != at) below.emplace_back(at, *to);
        return true;
      }));
      HM_TRY(std::move(outcome));
    }
    std::stable_sort(below.begin(), below.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    below_.reserve(below.size());
    for (const auto& [target, child] : below) {
      ++begins_[target + 1];
      below_.push_back(child);
    }
    for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
    return ok();
  }
  /// Breadth first below each that lies below nobody, then below those that only circles lead to.
  std::vector<std::uint32_t> breadth_first() const {
    std::vector<bool> is_below(targets_.size(), false), seen(targets_.size(), false);
    for (const std::uint32_t child : below_) is_below[child] = true;
    std::vector<std::uint32_t> out;
    out.reserve(targets_.size());
    const auto add = [&](std::uint32_t target) {
      if (seen[target]) return;
      seen[target] = true;
      out.push_back(target);
    };
    for (const bool roots : {true, false})
      for (std::uint32_t root = 0; root < targets_.size(); ++root) {
        if (roots && is_below[root]) continue;
        std::size_t next = out.size();
        for (add(root); next < out.size(); ++next) {
          const std::uint32_t at = out[next];
          for (std::size_t i = begins_[at]; i < begins_[at + 1]; ++i) add(below_[i]);
        }
      }
    return out;
  }

 private:
  const Targets& targets_;
  std::vector<std::size_t> begins_;
  std::vector<std::uint32_t> below_;
};

class Writer {
 public:
  Writer(Index& index, std::uint32_t number) : index_(index), number_(number) {}

  Result<> run() {
    HM_TRY(const fmt::State state, begun());
    HM_TRY(remove_all_but(state.ready, number_));
    HM_TRY(targets_.read(index_));
    HM_TRY(index_.require_space(targets_.row_bytes() * kSpaceShare));
    const auto written = write();
    if (written) return remove_all_but(number_, 0);
    bytes_ = 0;
    batch_ = {};
    (void)remove_all_but(state.ready, 0);  // a full disk needs the room; else the next one does it
    return written;
  }

 private:
  Result<fmt::State> begun() const {
    HM_TRY(const fmt::State state, fmt::read_state(index_));
    if (state.begun != number_) return Error{Errc::Internal, "others were begun"};
    return state;
  }
  Result<> write() {
    std::vector<std::uint32_t> order;
    {
      Order below(targets_);
      HM_TRY(below.read(index_));
      order = below.breadth_first();
    }
    list_of_.resize(targets_.size());
    for (std::uint32_t list = 0; list < order.size(); ++list) list_of_[order[list]] = list;
    HM_TRY(write_heads());
    HM_TRY(write_lists(order));
    batch_.put(Family::Edges, fmt::key_of(fmt::kDirectory, number_), std::move(directory_));
    batch_.put(Family::Edges, std::string(1, fmt::kState), fmt::pack_state({number_, number_}));
    HM_TRY(begun());
    return flush();
  }
  Result<> flush() {
    bytes_ = 0;
    return index_.commit(std::exchange(batch_, {}));
  }
  Result<> put(std::string k, std::string value) {
    bytes_ += k.size() + value.size();
    batch_.put(Family::Edges, std::move(k), std::move(value));
    return bytes_ < kBatchBytes ? Result<>(ok()) : flush();
  }
  Result<> write_heads() {
    const std::string head = fmt::key_of(fmt::kHead, number_);
    for (std::uint32_t i = 0; i < targets_.size(); ++i) {
      HM_TRY(put(std::string(head).append(targets_.prefix(i)), key::u32(list_of_[i])));
    }
    for (std::uint32_t i = 0; i < targets_.renamed().size(); ++i) {
      HM_TRY(put(std::string(head).append(targets_.renamed()[i]), key::u32(EdgeLists::kRows)));
    }
    return ok();
  }
  Result<> write_lists(const std::vector<std::uint32_t>& order) {
    std::vector<std::string> prefixes;
    for (std::uint32_t first = 0; first < order.size(); first += kTargetsAtOnce) {
      const auto last = static_cast<std::uint32_t>(std::min<std::size_t>(order.size(), first + kTargetsAtOnce));
      prefixes.clear();
      for (std::uint32_t list = first; list < last; ++list) prefixes.emplace_back(targets_.prefix(order[list]));
      std::uint32_t next = first;  // list
      Result<> outcome = ok();
      HM_TRY(index_.scan_each(Family::Edges, prefixes, [&](std::size_t at, std::string_view k, std::string_view value) {
        for (const auto list = first + static_cast<std::uint32_t>(at); next <= list; ++next) begin_list(next);
        outcome = add(prefixes[at], k, value);
        return outcome.has_value();
      }));
      HM_TRY(std::move(outcome));
      for (; next < last; ++next) begin_list(next);  // their edges went meanwhile
    }
    return end_chunk(false);
  }
  void begin_list(std::uint32_t list) {
    end_run(false);
    list_ = list;
  }
  void end_run(bool goes_on) {
    if (list_ == EdgeLists::kNone) return;
    if (chunk_.empty()) directory_ += key::u64(std::uint64_t{list_} * 2 + (is_continued_ ? 1 : 0));
    chunk_ += fmt::pack_run_head(list_, goes_on, run_.size()) + run_;
    run_.clear();
    is_continued_ = goes_on;
  }
  /// @param goes_on with the list it ends in
  Result<> end_chunk(bool goes_on) {
    end_run(goes_on);
    if (!goes_on) list_ = EdgeLists::kNone;
    if (chunk_.empty()) return ok();
    return put(fmt::key_of(fmt::kChunk, number_) + key::u32(chunks_++), std::exchange(chunk_, {}));
  }
  Result<> add(std::string_view prefix, std::string_view k, std::string_view value) {
    HM_TRY(const EdgeView edge, unpack_edge(prefix, k, value));
    if (edge.from_name.size() > kNameBytesMax) return fmt::corrupt();
    const ChildPrefixes lineage(edge, EdgeClass::Lineage), others(edge, EdgeClass::Other);
    EdgeLists::Below below;
    below.by_id = number_of(lineage.by_id);
    below.by_name = edge.from_name.empty() ? EdgeLists::kRows : number_of(lineage.by_name);
    below.others_by_id = targets_.may_have(others.by_id);
    below.others_by_name = edge.from_name.empty() || targets_.may_have(others.by_name);
    below.former_names = targets_.may_have(std::string(1, kFormerNames).append(edge.from));
    run_ += fmt::pack(edge, below);
    return chunk_.size() + run_.size() < fmt::kChunkBytes ? Result<>(ok()) : end_chunk(true);
  }
  std::uint32_t number_of(std::string_view prefix) const {
    const auto found = targets_.find(prefix);
    return found ? list_of_[*found] : EdgeLists::kNone;
  }
  /// Rows of other lists than these two, 0 for none, and marks that are older than both.
  Result<> remove_all_but(std::uint32_t one, std::uint32_t other) {
    const auto is_of = [](std::string_view k, std::uint32_t number) {
      return number != 0 && k.starts_with(key::u32(number));
    };
    for (const char what : {fmt::kChunk, fmt::kDirectory, fmt::kHead}) {
      HM_TRY(remove_where(what, [&](std::string_view k) { return !is_of(k, one) && !is_of(k, other); }));
    }
    const std::string oldest = key::u32(one == 0 || other == 0 ? std::max(one, other) : std::min(one, other));
    return remove_where(fmt::kChanged, [&](std::string_view k) { return k.substr(0, fmt::kNumberBytes) < oldest; });
  }
  Result<> remove_where(char what, const std::function<bool(std::string_view)>& is_old) {
    Result<> outcome = ok();
    HM_TRY(index_.scan(Family::Edges, std::string(1, what), [&](std::string_view k, auto) {
      if (!is_old(k.substr(1))) return true;
      bytes_ += k.size();
      batch_.remove(Family::Edges, std::string(k));
      if (bytes_ >= kBatchBytes) outcome = flush();
      return outcome.has_value();
    }));
    HM_TRY(std::move(outcome));
    return flush();
  }

  Index& index_;
  const std::uint32_t number_;
  Targets targets_;
  std::vector<std::uint32_t> list_of_;  ///< by target
  Batch batch_;
  std::size_t bytes_ = 0;  ///< in the batch
  // The chunk that is being filled, and the edges of its last list.
  std::string chunk_, run_, directory_;
  std::uint32_t chunks_ = 0, list_ = EdgeLists::kNone;
  bool is_continued_ = false;  ///< the list began in the chunk before
};
}  // namespace

Result<> write_edge_lists(Index& index, std::uint32_t number) {
  return within(Writer(index, number).run(), [] { return "writing the lists of edges"; });
}
}  // namespace hm::storage
