#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "provenance/formats/model_header.hpp"
#include "provenance/formats/tree_events.hpp"

namespace hm::provenance::formats {
namespace {
namespace json = boost::json;
using Kind = TreeEvent::Kind;

/// What basic_parser calls; its "part" functions come before the last piece of a key, a text or a number.
struct Handler {
  static constexpr std::size_t max_array_size = SIZE_MAX, max_object_size = SIZE_MAX, max_string_size = SIZE_MAX,
                               max_key_size = SIZE_MAX;
  using Code = json::error_code;
  using View = json::string_view;

  const JsonBudget& budget;
  const TreeSink& sink;
  Result<> outcome = ok();
  std::string text;

  bool stop(Error error, Code& ec) {
    outcome = std::move(error);
    ec = json::make_error_code(json::error::exception);  // read_json says `outcome` instead
    return false;
  }
  bool give(const TreeEvent& event, Code& ec) {
    Result<> taken = sink(event);
    return taken ? true : stop(std::move(taken).assume_error(), ec);
  }
  void append(View part) { text.append(part.data(), std::min(part.size(), budget.text_bytes_max - text.size())); }
  bool give_text(Kind kind, View part, std::size_t whole, Code& ec) {
    append(part);
    TreeEvent event{.kind = kind, .text = text, .text_bytes = whole};
    const bool taken = give(event, ec);
    text.clear();
    return taken;
  }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code& ec) { return give({.kind = Kind::ObjectBegin}, ec); }
  bool on_object_end(std::size_t, Code& ec) { return give({.kind = Kind::ObjectEnd}, ec); }
  bool on_array_begin(Code& ec) { return give({.kind = Kind::ListBegin}, ec); }
  bool on_array_end(std::size_t, Code& ec) { return give({.kind = Kind::ListEnd}, ec); }
  bool on_key_part(View part, std::size_t so_far, Code& ec) {
    if (so_far > budget.key_bytes_max)
      return stop(bad_file("a key is longer than " + std::to_string(budget.key_bytes_max) + " bytes"), ec);
    append(part);
    return true;
  }
  bool on_key(View part, std::size_t whole, Code& ec) {
    if (whole > budget.key_bytes_max) return on_key_part(part, whole, ec);
    return give_text(Kind::Key, part, whole, ec);
  }
  bool on_string_part(View part, std::size_t, Code&) { return append(part), true; }
  bool on_string(View part, std::size_t whole, Code& ec) { return give_text(Kind::Text, part, whole, ec); }
  bool on_number_part(View part, Code&) { return append(part), true; }
  bool number(View part, bool is_integer, std::uint64_t value, Code& ec) {
    append(part);
    TreeEvent event{.kind = Kind::Number, .text = text, .text_bytes = text.size()};
    event.is_integer = is_integer;
    event.integer = value;
    const bool taken = give(event, ec);
    text.clear();
    return taken;
  }
  bool on_int64(std::int64_t value, View part, Code& ec) {
    return number(part, value >= 0, static_cast<std::uint64_t>(value), ec);
  }
  bool on_uint64(std::uint64_t value, View part, Code& ec) { return number(part, true, value, ec); }
  bool on_double(double, View part, Code& ec) { return number(part, false, 0, ec); }
  bool on_bool(bool value, Code& ec) {
    const std::string_view word = value ? "true" : "false";
    return give({.kind = Kind::Bool, .text = word, .text_bytes = word.size()}, ec);
  }
  bool on_null(Code& ec) { return give({.kind = Kind::Null}, ec); }
  bool on_comment_part(View, Code&) { return true; }
  bool on_comment(View, Code&) { return true; }
};

/// Writes "0" and blanks over NaN and Infinity outside of texts, chunk by chunk; what else is no JSON stays that.
class PythonNumbers {
 public:
  std::span<const std::byte> filter(std::span<const std::byte> chunk) {
    out_.assign(chunk.begin(), chunk.end());
    for (std::byte& byte : out_) {
      const char c = static_cast<char>(byte);
      if (in_text_) {
        in_text_ = escaped_ || c != '"';
        escaped_ = !escaped_ && c == '\\';
      } else if (!rest_.empty() && rest_.front() == c) {
        rest_.remove_prefix(1);
        byte = std::byte{' '};
      } else {
        if (!rest_.empty()) byte = std::byte{'?'};  // half a word is no number
        rest_ = c == 'N' ? "aN" : c == 'I' ? "nfinity" : "";
        if (!rest_.empty()) byte = std::byte{'0'};
        in_text_ = c == '"';
      }
    }
    return out_;
  }

 private:
  std::vector<std::byte> out_;
  std::string_view rest_;  ///< of the word that has begun
  bool in_text_ = false, escaped_ = false;
};
}  // namespace

Result<> read_json(ByteCursor& cursor, const JsonBudget& budget, const TreeSink& sink) {
  json::parse_options options;
  options.max_depth = budget.depth_max;
  json::basic_parser<Handler> parser(options, Handler{budget, sink});
  PythonNumbers python_numbers;
  do {
    const std::uint64_t offset = cursor.offset();
    HM_TRY(auto bytes, cursor.take_some());
    if (budget.python_numbers) bytes = python_numbers.filter(bytes);
    json::error_code ec;
    const std::size_t used =
        parser.write_some(cursor.remaining() != 0, reinterpret_cast<const char*>(bytes.data()), bytes.size(), ec);
    if (!parser.handler().outcome) return std::move(parser.handler().outcome);
    if (ec || used < bytes.size())
      return bad_file("not valid JSON between offsets " + std::to_string(offset) + " and " +
                      std::to_string(cursor.offset()) + ": " + (ec ? ec.message() : "text after its end"));
  } while (cursor.remaining() != 0);
  return ok();
}
}  // namespace hm::provenance::formats
