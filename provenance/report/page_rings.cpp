// A large graph as heads on rings: what has children is a head, its childless children are dots around it like the
// seeds of a sunflower, and heads stand on the ring of their level, bases in the middle.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "provenance/report/page_graph_parts.hpp"

namespace hm::provenance::report {
namespace {
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr double kHubRadius = 5, kSmallHubRadius = 3.5, kSubjectRadius = 8, kDotRadius = 2.2, kSeedPitch = 3.1,
                 kHeadGap = 5, kRingGap = 26, kMargin = 18, kLabelHeight = 15, kLabelOff = 5, kSlant = 0.72,
                 kWideHead = 36;
constexpr double kPi = std::numbers::pi, kGoldenAngle = kPi * (3 - 2.23606797749978969);
constexpr std::size_t kLabelColumns = 34;
constexpr std::size_t kTriedMax = 400;
constexpr std::size_t kNamedHubChildren = 4;  // a head with fewer nodes below it is told by its tooltip only

struct Box {
  double left, top, right, bottom;
  bool meets(const Box& o) const { return left < o.right && o.left < right && top < o.bottom && o.top < bottom; }
};
struct Head {
  std::size_t node = kNone;
  std::size_t parent = kNone;  ///< head
  std::size_t parent_link = kNone;
  std::vector<std::size_t> children;  ///< heads
  std::vector<std::size_t> leaves;    ///< nodes, by colour
  std::size_t ring = 0;
  double hub = 0, radius = 0;
  double need = 0;  ///< of the circle, in radians, with all that stands outwards of it
  double angle = 0;
  Point at;
  std::uint64_t below = 0;  ///< nodes on the way outwards
};

class Rings {
 public:
  explicit Rings(const Lineage& lineage) : lineage_(lineage) {}
  Layout run() {
    choose_parents();
    make_heads();
    size_heads();
    place_rings();
    give_angles();
    draw_edges();
    draw_nodes();
    write_labels();
    move_into_sight();
    return std::move(out_);
  }

 private:
  /// Of several parents the lowest: its ring is the one before. Of these the best founded.
  void choose_parents() {
    link_up_.assign(lineage_.size(), kNone);
    for (std::size_t i = 0; i < lineage_.size(); ++i) {
      for (const std::size_t l : lineage_.parents[i]) {
        const auto rank = [&](std::size_t link) {
          return std::pair(lineage_.level[lineage_.links[link].parent], !lineage_.links[link].weak);
        };
        if (link_up_[i] == kNone || rank(l) > rank(link_up_[i])) link_up_[i] = l;
      }
    }
  }
  void make_heads() {
    head_of_.assign(lineage_.size(), kNone);
    std::vector<std::size_t> alone;
    std::vector<bool> has_own(lineage_.size(), false);
    for (std::size_t i = 0; i < lineage_.size(); ++i)
      if (link_up_[i] != kNone) has_own[lineage_.links[link_up_[i]].parent] = true;
    for (const std::size_t node : lineage_.order) {
      const bool subject = lineage_.graph.nodes[node].subject;
      if (!has_own[node] && !subject && link_up_[node] == kNone && lineage_.is_leaf(node)) {
        alone.push_back(node);
        continue;
      }
      if (!has_own[node] && !subject && link_up_[node] != kNone) continue;  // a dot of its parent
      Head head;
      head.node = node;
      if (link_up_[node] != kNone) {
        head.parent_link = link_up_[node];
        head.parent = head_of_[lineage_.links[head.parent_link].parent];
        head.ring = heads_[head.parent].ring + 1;
        heads_[head.parent].children.push_back(heads_.size());
      }
      head_of_[node] = heads_.size();
      heads_.push_back(std::move(head));
    }
    for (const std::size_t node : lineage_.order)
      if (head_of_[node] == kNone && link_up_[node] != kNone)
        heads_[head_of_[lineage_.links[link_up_[node]].parent]].leaves.push_back(node);
    if (!alone.empty()) {
      heads_.emplace_back();
      heads_.back().leaves = std::move(alone);
    }
  }
  void size_heads() {
    std::uint64_t leaves = 0;
    for (const Head& head : heads_) leaves += head.leaves.size();
    out_.each_dot = (leaves + kDotsMax - 1) / kDotsMax;
    if (out_.each_dot == 0) out_.each_dot = 1;
    for (Head& head : heads_) {
      std::array<std::size_t, kColours + 1> counts{};
      for (const std::size_t leaf : head.leaves) ++counts[lineage_.colour[leaf]];
      std::stable_sort(head.leaves.begin(), head.leaves.end(), [&](std::size_t a, std::size_t b) {
        const std::size_t ca = lineage_.colour[a], cb = lineage_.colour[b];
        return counts[ca] != counts[cb] ? counts[ca] > counts[cb] : ca < cb;
      });
      const bool subject = head.node != kNone && lineage_.graph.nodes[head.node].subject;
      head.hub = subject                                                          ? kSubjectRadius
                 : head.node == kNone                                             ? 0
                 : head.leaves.size() + head.children.size() >= kNamedHubChildren ? kHubRadius
                                                                                  : kSmallHubRadius;
      const std::size_t dots = dots_of(head).size();
      head.radius = dots == 0 ? head.hub : seed(head, dots - 1) + kDotRadius + 1;
      head.radius = std::max(head.radius, kSmallHubRadius);
    }
    for (std::size_t i = heads_.size(); i-- > 0;) {
      heads_[i].below += heads_[i].leaves.size();
      if (heads_[i].parent != kNone) heads_[heads_[i].parent].below += heads_[i].below + 1;
    }
  }
  /// How far from the middle a dot is.
  static double seed(const Head& head, std::size_t n) {
    const double inner = head.hub == 0 ? 0 : head.hub + kDotRadius + 1;
    return std::sqrt(inner * inner + kSeedPitch * kSeedPitch * static_cast<double>(n + 1));
  }
  struct Seeds {
    std::size_t first = 0, count = 0;  ///< in Head::leaves
  };
  /// One for each leaf, or for each_dot of one colour.
  std::vector<Seeds> dots_of(const Head& head) const {
    std::vector<Seeds> out;
    for (std::size_t at = 0; at < head.leaves.size();) {
      std::size_t end = at + 1;
      while (end < head.leaves.size() && end - at < out_.each_dot &&
             lineage_.colour[head.leaves[end]] == lineage_.colour[head.leaves[at]])
        ++end;
      out.push_back({at, end - at});
      at = end;
    }
    return out;
  }

  /// Rings as small as their heads allow beside each other.
  void place_rings() {
    std::size_t rings = 0;
    for (const Head& head : heads_) rings = std::max(rings, head.ring + 1);
    std::vector<double> widest(rings, 0);
    std::size_t roots = 0;
    for (const Head& head : heads_) {
      widest[head.ring] = std::max(widest[head.ring], head.radius);
      if (head.parent == kNone) ++roots;
    }
    radii_.assign(rings, 0);
    // Two circles on a ring of radius r need 2 asin(d / 2r): d / r times a bit more than one.
    if (roots > 1) radii_[0] = widest[0] + kHeadGap;
    for (std::size_t ring = 1; ring < rings; ++ring)
      radii_[ring] = radii_[ring - 1] + widest[ring - 1] + kRingGap + widest[ring];
    for (int round = 0; round < 40; ++round) {
      const double all = needed();
      if (all <= 2 * kPi) break;
      for (double& radius : radii_) radius *= std::min(all / (2 * kPi) * 1.001, 1.5);
    }
  }
  double needed() {
    double all = 0;
    for (std::size_t i = heads_.size(); i-- > 0;) {
      Head& head = heads_[i];
      double outwards = 0;
      for (const std::size_t child : head.children) outwards += heads_[child].need;
      const double radius = radii_[head.ring];
      const double half = radius <= 0 ? 0 : std::asin(std::min(1.0, (head.radius + kHeadGap / 2) / radius));
      head.need = std::max(outwards, 2 * half);
      if (head.parent == kNone) all += head.need;
    }
    return all;
  }
  void give_angles() {
    double all = 0;
    for (const Head& head : heads_)
      if (head.parent == kNone) all += head.need;
    std::vector<double> from(heads_.size(), 0), span(heads_.size(), 0);
    double at = -kPi / 2;
    for (std::size_t i = 0; i < heads_.size(); ++i) {
      Head& head = heads_[i];
      if (head.parent == kNone) {
        from[i] = at;
        span[i] = all > 0 ? 2 * kPi * head.need / all : 2 * kPi;
        at += span[i];
      }
      head.angle = from[i] + span[i] / 2;
      head.at = {radii_[head.ring] * std::cos(head.angle), radii_[head.ring] * std::sin(head.angle)};
      double needs = 0;
      for (const std::size_t child : head.children) needs += heads_[child].need;
      double next = from[i];
      for (const std::size_t child : head.children) {
        from[child] = next;
        span[child] = span[i] * heads_[child].need / needs;
        next += span[child];
      }
    }
  }

  std::string title_of(const Link& link) const {
    const auto& nodes = lineage_.graph.nodes;
    return nodes[link.child].label + " ← " + nodes[link.parent].label + (link.title.empty() ? "" : "\n" + link.title);
  }
  void draw_edges() {
    for (const Head& head : heads_) {
      if (head.parent == kNone) continue;
      const Head& parent = heads_[head.parent];
      const Link& link = lineage_.links[head.parent_link];
      const double middle = (radii_[head.ring] + radii_[parent.ring]) / 2;
      const auto on = [&](double angle) { return Point{middle * std::cos(angle), middle * std::sin(angle)}; };
      PlacedEdge edge;
      const bool from_middle = radii_[parent.ring] == 0;
      edge.points = {parent.at, on(from_middle ? head.angle : parent.angle), on(head.angle), head.at};
      edge.weak = link.weak;
      edge.title = title_of(link);
      out_.edges.push_back(std::move(edge));
    }
  }
  /// What has a second parent is drawn to it as well, when both ends are known.
  void draw_asides(const std::vector<Point>& where) {
    std::vector<PlacedEdge> asides;
    for (std::size_t i = 0; i < lineage_.links.size(); ++i) {
      const Link& link = lineage_.links[i];
      if (!link.back && link_up_[link.child] == i) continue;
      const Point a = where[link.child], b = where[link.parent];
      PlacedEdge edge;
      edge.aside = true;
      edge.weak = link.weak;
      edge.title = title_of(link) + (link.back ? "\ncloses a circle" : "");
      constexpr double kInwards = 0.55;
      edge.points = {b, {b.x * kInwards, b.y * kInwards}, {a.x * kInwards, a.y * kInwards}, a};
      asides.push_back(std::move(edge));
    }
    out_.edges.insert(out_.edges.begin(), std::make_move_iterator(asides.begin()),
                      std::make_move_iterator(asides.end()));
  }
  void draw_nodes() {
    std::vector<Point> where(lineage_.size());
    for (const Head& head : heads_) {
      std::size_t n = 0;
      for (const Seeds& seeds : dots_of(head)) {
        const double distance = seed(head, n), angle = head.angle + static_cast<double>(n) * kGoldenAngle;
        PlacedNode dot;
        dot.form = PlacedNode::Form::Dot;
        dot.at = {head.at.x + distance * std::cos(angle), head.at.y + distance * std::sin(angle)};
        dot.width = dot.height = 2 * kDotRadius;
        const std::size_t first = head.leaves[seeds.first];
        dot.colour = lineage_.colour[first];
        dot.count = seeds.count;
        dot.title = lineage_.title_of(first);
        if (seeds.count > 1) dot.title += "\nand " + grouped_digits(seeds.count - 1) + " more";
        for (std::size_t i = 0; i < seeds.count; ++i) where[head.leaves[seeds.first + i]] = dot.at;
        out_.nodes.push_back(std::move(dot));
        ++n;
      }
      if (head.node == kNone) continue;
      PlacedNode hub;
      hub.form = PlacedNode::Form::Head;
      hub.at = head.at;
      hub.width = hub.height = 2 * head.hub;
      hub.colour = lineage_.colour[head.node];
      hub.subject = lineage_.graph.nodes[head.node].subject;
      hub.title = lineage_.title_of(head.node);
      if (head.below != 0) hub.title += "\n" + grouped_digits(head.below) + " shown below it";
      where[head.node] = head.at;
      out_.nodes.push_back(std::move(hub));
    }
    draw_asides(where);
  }

  void write_labels() {
    std::vector<std::size_t> by;
    for (std::size_t i = 0; i < heads_.size(); ++i) by.push_back(i);
    const auto is_subject = [&](std::size_t i) {
      return heads_[i].node != kNone && lineage_.graph.nodes[heads_[i].node].subject;
    };
    std::stable_sort(by.begin(), by.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(is_subject(a), heads_[a].below) > std::pair(is_subject(b), heads_[b].below);
    });
    std::size_t written = 0, tried = 0;
    for (const std::size_t i : by) {
      const Head& head = heads_[i];
      const bool subject = is_subject(i);
      if (!subject && (written >= kLabelsMax || ++tried > kTriedMax || head.below < kNamedHubChildren)) break;
      std::string text = head.node == kNone ? std::string("without edges")
                                            : shortened(lineage_.graph.nodes[head.node].label, kLabelColumns);
      if (head.below != 0) text += " · " + grouped_digits(head.below);
      if (write_label(head, i, text, subject)) ++written;
    }
  }
  /// Beside the head, outwards first, where nothing else is.
  bool write_label(const Head& head, std::size_t own, const std::string& text, bool subject) {
    using Anchor = PlacedLabel::Anchor;
    const double wide = width_of_text(text) + 4, off = head.radius + kLabelOff;
    const Point p = head.at;
    const PlacedLabel right{{p.x + off, p.y}, Anchor::Start, subject, text},
        left{{p.x - off, p.y}, Anchor::End, subject, text},
        below{{p.x, p.y + off + kLabelHeight / 2}, Anchor::Middle, subject, text},
        above{{p.x, p.y - off - kLabelHeight / 2}, Anchor::Middle, subject, text};
    const bool to_right = p.x >= 0, down = p.y >= 0;
    const double slant = off * kSlant;
    const auto aslant = [&](bool r, bool d) {
      return PlacedLabel{
          {p.x + (r ? slant : -slant), p.y + (d ? slant : -slant) + (d ? kLabelHeight : -kLabelHeight) / 2},
          r ? Anchor::Start : Anchor::End,
          subject,
          text};
    };
    // The last lies on its own dots: where what was asked about has its name when nothing else is free.
    const std::array ways{to_right ? right : left,
                          down ? below : above,
                          to_right ? left : right,
                          down ? above : below,
                          aslant(to_right, down),
                          aslant(to_right, !down),
                          aslant(!to_right, down),
                          aslant(!to_right, !down),
                          PlacedLabel{{p.x, p.y + head.hub + kLabelHeight}, Anchor::Middle, subject, text}};
    const auto box_of = [&](const PlacedLabel& label) {
      const double from = label.anchor == Anchor::Start ? label.at.x
                          : label.anchor == Anchor::End ? label.at.x - wide
                                                        : label.at.x - wide / 2;
      return Box{from, label.at.y - kLabelHeight / 2, from + wide, label.at.y + kLabelHeight / 2};
    };
    auto way = std::find_if(ways.begin(), ways.end(), [&](const auto& one) { return is_free(box_of(one), own); });
    const bool on_dots = way == ways.end() - 1 && head.radius < kWideHead;
    if ((way == ways.end() || on_dots) && !subject) return false;
    if (way == ways.end()) --way;
    boxes_.push_back(box_of(*way));
    out_.labels.push_back(*way);
    return true;
  }
  bool is_free(const Box& box, std::size_t own) const {
    for (const Box& other : boxes_)
      if (box.meets(other)) return false;
    for (std::size_t i = 0; i < heads_.size(); ++i) {
      const Head& head = heads_[i];
      const double r = head.radius;
      if (i != own && box.meets({head.at.x - r, head.at.y - r, head.at.x + r, head.at.y + r})) return false;
    }
    return true;
  }

  void move_into_sight() {
    Box all{0, 0, 0, 0};
    const auto take = [&](const Box& b) {
      all = {std::min(all.left, b.left), std::min(all.top, b.top), std::max(all.right, b.right),
             std::max(all.bottom, b.bottom)};
    };
    for (const Head& head : heads_)
      take({head.at.x - head.radius, head.at.y - head.radius, head.at.x + head.radius, head.at.y + head.radius});
    for (const Box& box : boxes_) take(box);
    const double dx = kMargin - all.left, dy = kMargin - all.top;
    for (PlacedNode& node : out_.nodes) node.at.x += dx, node.at.y += dy;
    for (PlacedLabel& label : out_.labels) label.at.x += dx, label.at.y += dy;
    for (PlacedEdge& edge : out_.edges)
      for (Point& point : edge.points) point.x += dx, point.y += dy;
    out_.width = all.right - all.left + 2 * kMargin;
    out_.height = all.bottom - all.top + 2 * kMargin;
    out_.rings = true;
  }

  const Lineage& lineage_;
  std::vector<std::size_t> link_up_;  ///< by node: to the parent it is drawn at
  std::vector<std::size_t> head_of_;
  std::vector<Head> heads_;  ///< parents before their children
  std::vector<double> radii_;
  std::vector<Box> boxes_;  ///< of the labels
  Layout out_;
};
}  // namespace

Layout on_rings(const Lineage& lineage) { return Rings(lineage).run(); }
}  // namespace hm::provenance::report
