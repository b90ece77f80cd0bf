// provenance/report/page_parts.hpp: the pieces that a page is put together from. Layer 4; inside of page*.cpp only.
#pragma once
#include <string>
#include <string_view>

#include "provenance/report/figures.hpp"

namespace hm::provenance::report {
/// For the text of elements and for quoted attributes: markup is escaped, and what printable() shows as \xNN.
std::string escaped(std::string_view text);
/// The style sheet of every page.
std::string_view page_style();
/// A lineage graph with its legend and, for who cannot see it, its edges as a list.
std::string drawing_of(const Graph& graph);
/// Bars for every column of shares; "" when the table has none.
std::string bars_of(const FigureTable& table);
}  // namespace hm::provenance::report
