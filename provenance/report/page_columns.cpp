// A small graph in columns: a column for each level, order within it by barycentres, heights by the means of
// neighbours.
#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "provenance/report/page_graph_parts.hpp"

namespace hm::provenance::report {
namespace {
constexpr double kBoxHeight = 28, kLineHeight = 14, kRowGap = 12, kLaneHeight = 8, kColumnGap = 52, kMargin = 14,
                 kBeforeText = 28, kAfterText = 12, kWayBack = 34, kBold = 1.1;
constexpr std::size_t kLabelColumns = 30;
constexpr std::size_t kLanesMax = 4'000;  // where long edges pass columns; beyond it they go straight
constexpr int kSweeps = 12;
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// What stands in a column: a node, a bucket of leaves, or an edge that passes.
struct Item {
  std::size_t node = kNone, bucket = kNone;
  std::size_t column = 0;
  double width = 0, height = kLaneHeight, y = 0;
  std::vector<std::size_t> up, down;  ///< items
  bool is_lane() const { return node == kNone && bucket == kNone; }
};
struct Way {
  std::vector<std::size_t> items;  ///< parent, lanes, child
  std::size_t link = 0;
};

class Columns {
 public:
  Columns(const Lineage& lineage, const std::vector<Bucket>& buckets) : lineage_(lineage), buckets_(buckets) {}
  Layout run() {
    make_items();
    make_ways();
    order();
    place();
    return draw();
  }

 private:
  void make_items() {
    item_of_.assign(lineage_.size(), kNone);
    std::vector<std::size_t> bucket_of(lineage_.size(), kNone);
    for (std::size_t b = 0; b < buckets_.size(); ++b)
      for (const std::size_t leaf : buckets_[b].leaves) bucket_of[leaf] = b;
    for (std::size_t i = 0; i < lineage_.size(); ++i) {
      if (bucket_of[i] != kNone) continue;
      Item item;
      item.node = i;
      item.column = column_of(i);
      const GraphNode& node = lineage_.graph.nodes[i];
      const auto slash = node.label.rfind('/');
      const bool split = slash != node.label.npos && slash + 1 < node.label.size();
      item_of_[i] = add(std::move(item),
                        {split ? shortened(node.label.substr(0, slash), kLabelColumns) : "",
                         shortened(split ? node.label.substr(slash + 1) : node.label, kLabelColumns)},
                        node.subject);
    }
    for (std::size_t b = 0; b < buckets_.size(); ++b) {
      Item item;
      item.bucket = b;
      item.column = column_of(buckets_[b].parent) + 1;
      const std::size_t at = add(std::move(item), {"", text_of(buckets_[b])}, false);
      for (const std::size_t leaf : buckets_[b].leaves) item_of_[leaf] = at;
    }
  }
  /// What has no base stands right before the first of its children.
  std::size_t column_of(std::size_t node) const {
    if (!lineage_.parents[node].empty() || lineage_.is_leaf(node)) return lineage_.level[node];
    std::size_t first = kNone;
    for (const std::size_t i : lineage_.children[node])
      first = std::min(first, lineage_.level[lineage_.links[i].child]);
    return first - 1;
  }
  /// What is written in a box, in two lines.
  struct Label {
    std::string owner, name;
  };
  std::size_t add(Item item, Label label, bool subject) {
    const double name = width_of_text(label.name) * (subject ? kBold : 1);
    item.width = std::max(name, width_of_text(label.owner)) + kBeforeText + kAfterText;
    item.height = kBoxHeight + (label.owner.empty() ? 0 : kLineHeight);
    items_.push_back(std::move(item));
    labels_.push_back(std::move(label));
    return items_.size() - 1;
  }
  /// "1,532 quantized".
  std::string text_of(const Bucket& bucket) const {
    const auto word = [&](std::size_t leaf) {
      const std::string& title = lineage_.links[lineage_.parents[leaf].front()].title;
      return title.substr(0, title.find_first_of(" ,;("));
    };
    std::string common = word(bucket.leaves.front());
    for (const std::size_t leaf : bucket.leaves)
      if (word(leaf) != common) common.clear();
    if (common.empty()) common = lineage_.graph.nodes[bucket.leaves.front()].group;
    return grouped_digits(bucket.leaves.size()) + " " + (common.empty() ? "more" : shortened(common, kLabelColumns));
  }
  std::string title_of(const Bucket& bucket) const {
    constexpr std::size_t kNamed = 12;
    const auto& nodes = lineage_.graph.nodes;
    std::string out = text_of(bucket) + " from " + nodes[bucket.parent].label;
    if (const std::string& group = nodes[bucket.leaves.front()].group; !group.empty()) out += "\n" + group;
    for (std::size_t i = 0; i < bucket.leaves.size() && i < kNamed; ++i) out += "\n" + nodes[bucket.leaves[i]].label;
    if (bucket.leaves.size() > kNamed) out += "\n…";
    return out;
  }

  void make_ways() {
    std::size_t lanes = 0;
    std::vector<bool> has_way(items_.size(), false);
    for (std::size_t i = 0; i < lineage_.links.size(); ++i) {
      const Link& link = lineage_.links[i];
      const std::size_t parent = item_of_[link.parent], child = item_of_[link.child];
      if (link.back || (items_[child].bucket != kNone && has_way[child])) continue;
      has_way[child] = true;
      Way way{{parent}, i};
      const std::size_t span = items_[child].column - items_[parent].column - 1;
      if (lanes + span <= kLanesMax) {
        lanes += span;
        for (std::size_t step = 1; step <= span; ++step) {
          Item lane;
          lane.column = items_[parent].column + step;
          way.items.push_back(items_.size());
          items_.push_back(std::move(lane));
        }
      }
      way.items.push_back(child);
      for (std::size_t at = 0; at + 1 < way.items.size(); ++at) {
        items_[way.items[at]].down.push_back(way.items[at + 1]);
        items_[way.items[at + 1]].up.push_back(way.items[at]);
      }
      ways_.push_back(std::move(way));
    }
  }

  void order() {
    std::size_t count = 0;
    for (const Item& item : items_) count = std::max(count, item.column + 1);
    columns_.resize(count);
    for (std::size_t i = 0; i < items_.size(); ++i) columns_[items_[i].column].push_back(i);
    place_in_order_.resize(items_.size());
    note_order();
    auto best = columns_;
    std::uint64_t fewest = crossings();
    for (int sweep = 0; sweep < kSweeps && fewest != 0; ++sweep) {
      const bool downwards = sweep % 2 == 0;
      for (std::size_t step = 0; step < columns_.size(); ++step)
        sort_column(downwards ? step : columns_.size() - 1 - step, downwards);
      if (const std::uint64_t now = crossings(); now < fewest) {
        fewest = now;
        best = columns_;
      }
    }
    columns_ = std::move(best);
    note_order();
  }
  void note_order() {
    for (const auto& column : columns_)
      for (std::size_t i = 0; i < column.size(); ++i) place_in_order_[column[i]] = i;
  }
  void sort_column(std::size_t column, bool by_parents) {
    std::vector<std::pair<double, std::size_t>> keyed;
    for (const std::size_t i : columns_[column]) {
      const auto& by = by_parents ? items_[i].up : items_[i].down;
      double sum = 0;
      for (const std::size_t n : by) sum += static_cast<double>(place_in_order_[n]);
      keyed.emplace_back(by.empty() ? static_cast<double>(place_in_order_[i]) : sum / static_cast<double>(by.size()),
                         i);
    }
    std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < keyed.size(); ++i) {
      columns_[column][i] = keyed[i].second;
      place_in_order_[keyed[i].second] = i;
    }
  }
  /// Pairs of edges between neighbouring columns that cross.
  std::uint64_t crossings() const {
    std::uint64_t out = 0;
    for (std::size_t c = 0; c + 1 < columns_.size(); ++c) {
      std::vector<std::uint64_t> ends(columns_[c + 1].size() + 1, 0);  // Fenwick tree over the places of children
      std::uint64_t all = 0;
      for (const std::size_t parent : columns_[c]) {
        std::vector<std::size_t> to;
        for (const std::size_t child : items_[parent].down)
          if (items_[child].column == c + 1) to.push_back(place_in_order_[child] + 1);
        for (const std::size_t at : to) {
          std::uint64_t not_above = 0;
          for (std::size_t i = at; i > 0; i -= i & (~i + 1)) not_above += ends[i];
          out += all - not_above;
        }
        for (const std::size_t at : to) {
          ++all;
          for (std::size_t i = at; i < ends.size(); i += i & (~i + 1)) ++ends[i];
        }
      }
    }
    return out;
  }

  void place() {
    for (const auto& column : columns_) {
      double y = 0;
      for (const std::size_t i : column) {
        items_[i].y = y + items_[i].height / 2;
        y += items_[i].height + kRowGap;
      }
    }
    for (int sweep = 0; sweep <= kSweeps; ++sweep) {
      const bool downwards = sweep % 2 == 0;
      for (std::size_t step = 0; step < columns_.size(); ++step)
        settle(columns_[downwards ? step : columns_.size() - 1 - step], sweep == kSweeps, downwards);
    }
    double top = std::numeric_limits<double>::max();
    for (const Item& item : items_) top = std::min(top, item.y - item.height / 2);
    for (Item& item : items_) item.y += kMargin - top;
    double x = kMargin;
    for (const auto& column : columns_) {
      left_.push_back(x);
      double width = 0;
      for (const std::size_t i : column) width = std::max(width, items_[i].width);
      widths_.push_back(width);
      x += width + kColumnGap;
    }
    width_ = x - kColumnGap + kMargin;
  }
  /// As near to the neighbours as the order and the distances within the column allow, by least squares: neighbours
  /// that would come too near to each other move as one.
  void settle(const std::vector<std::size_t>& column, bool both, bool by_parents) {
    struct Block {
      double sum;
      std::size_t count;
      double mean() const { return sum / static_cast<double>(count); }
    };
    std::vector<Block> blocks;
    std::vector<double> offsets;
    for (std::size_t at = 0; at < column.size(); ++at) {
      const Item& item = items_[column[at]];
      offsets.push_back(at == 0 ? 0 : offsets.back() + (items_[column[at - 1]].height + item.height) / 2 + kRowGap);
      double sum = 0;
      std::size_t count = 0;
      for (const auto* by : {by_parents || both ? &item.up : nullptr, !by_parents || both ? &item.down : nullptr})
        if (by != nullptr)
          for (const std::size_t n : *by) sum += items_[n].y, ++count;
      blocks.push_back({(count == 0 ? item.y : sum / static_cast<double>(count)) - offsets.back(), 1});
      while (blocks.size() > 1 && blocks[blocks.size() - 2].mean() > blocks.back().mean()) {
        const Block last = blocks.back();
        blocks.pop_back();
        blocks.back().sum += last.sum;
        blocks.back().count += last.count;
      }
    }
    std::size_t at = 0;
    for (const Block& block : blocks)
      for (std::size_t i = 0; i < block.count; ++i, ++at) items_[column[at]].y = block.mean() + offsets[at];
  }

  Point left_of(const Item& item) const { return {left_[item.column], item.y}; }
  Point right_of(const Item& item) const {
    return {left_[item.column] + (item.is_lane() ? widths_[item.column] : item.width), item.y};
  }
  static void curve(std::vector<Point>& points, Point to) {
    const Point from = points.back();
    const double half = (to.x - from.x) / 2;
    points.push_back({from.x + half, from.y});
    points.push_back({to.x - half, to.y});
    points.push_back(to);
  }

  Layout draw() {
    Layout out;
    double bottom = 0;
    for (const Item& item : items_) bottom = std::max(bottom, item.y + item.height / 2);
    for (const Way& way : ways_) {
      const Link& link = lineage_.links[way.link];
      PlacedEdge edge;
      edge.weak = link.weak;
      edge.title = title_of(link);
      edge.points.push_back(right_of(items_[way.items.front()]));
      for (std::size_t i = 1; i < way.items.size(); ++i) {
        const Item& item = items_[way.items[i]];
        curve(edge.points, left_of(item));
        if (item.is_lane()) curve(edge.points, right_of(item));
      }
      out.edges.push_back(std::move(edge));
    }
    for (const Link& link : lineage_.links) {
      if (!link.back) continue;
      const Item &from = items_[item_of_[link.parent]], &to = items_[item_of_[link.child]];
      const Point begin{left_[from.column] + from.width / 2, from.y + from.height / 2},
          end{left_[to.column] + to.width / 2, to.y + to.height / 2};
      PlacedEdge edge;
      edge.aside = true;
      edge.weak = link.weak;
      edge.title = title_of(link) + "\ncloses a circle";
      edge.points = {begin, {begin.x, begin.y + kWayBack}, {end.x, end.y + kWayBack}, end};
      bottom = std::max({bottom, begin.y + kWayBack, end.y + kWayBack});
      out.edges.push_back(std::move(edge));
    }
    for (std::size_t i = 0; i < labels_.size(); ++i) out.nodes.push_back(drawn(i));
    out.width = width_;
    out.height = bottom + kMargin;
    return out;
  }
  std::string title_of(const Link& link) const {
    const auto& nodes = lineage_.graph.nodes;
    return nodes[link.child].label + " ← " + nodes[link.parent].label + (link.title.empty() ? "" : "\n" + link.title);
  }
  PlacedNode drawn(std::size_t i) const {
    const Item& item = items_[i];
    PlacedNode node;
    node.at = {left_[item.column] + item.width / 2, item.y};
    node.width = item.width;
    node.height = item.height;
    node.owner = labels_[i].owner;
    node.label = labels_[i].name;
    if (item.bucket != kNone) {
      const Bucket& bucket = buckets_[item.bucket];
      node.form = PlacedNode::Form::Stack;
      node.count = bucket.leaves.size();
      node.colour = lineage_.colour[bucket.leaves.front()];
      node.title = title_of(bucket);
    } else {
      node.colour = lineage_.colour[item.node];
      node.subject = lineage_.graph.nodes[item.node].subject;
      node.title = lineage_.title_of(item.node);
    }
    return node;
  }

  const Lineage& lineage_;
  const std::vector<Bucket>& buckets_;
  std::vector<Item> items_;
  std::vector<Label> labels_;  ///< of the items that are no lanes, which come first
  std::vector<std::size_t> item_of_;
  std::vector<Way> ways_;
  std::vector<std::vector<std::size_t>> columns_;
  std::vector<std::size_t> place_in_order_;
  std::vector<double> left_, widths_;
  double width_ = 0;
};
}  // namespace

Layout in_columns(const Lineage& lineage, const std::vector<Bucket>& buckets) {
  if (lineage.size() == 0) return {};
  return Columns(lineage, buckets).run();
}
}  // namespace hm::provenance::report
