#include "provenance/formats/json_files.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "provenance/formats/model_header.hpp"
#include "provenance/formats/tree_events.hpp"

namespace hm::provenance::formats {
namespace {
using Kind = TreeEvent::Kind;
constexpr std::uint64_t kJsonBytesMax = 16 * 1024 * 1024;  // tokenizer configurations list their added tokens
constexpr std::uint64_t kYamlBytesMax = 256 * 1024;        // as of a card's front matter
constexpr std::size_t kPathBytesMax = 512;

/// Turns events into fields.
class FieldSink {
 public:
  FieldSink(std::span<const std::string_view> wanted, std::vector<Field>& into, std::uint64_t* left_out)
      : wanted_(wanted), out_(into), left_out_(left_out) {}

  Result<> take(const TreeEvent& event) {
    switch (event.kind) {
      case Kind::ObjectBegin:
      case Kind::ListBegin:
        if (levels_.empty() && event.kind != Kind::ObjectBegin) return no_object();
        enter(event.kind == Kind::ListBegin);
        return ok();
      case Kind::ObjectEnd:
      case Kind::ListEnd:
        levels_.pop_back();
        return ok();
      case Kind::Key:
        set_segment(event.text);
        if (levels_.size() == 1)
          keep_ = wanted_.empty() || std::find(wanted_.begin(), wanted_.end(), event.text) != wanted_.end();
        return ok();
      default:
        return scalar(event);
    }
  }

 private:
  struct Level {
    bool list;
    std::size_t path_bytes;  ///< of the container
    std::uint64_t next = 0;
  };
  static Error no_object() { return bad_file("the document is no object"); }

  void set_segment(std::string_view key) {
    path_.resize(levels_.back().path_bytes);
    path_.push_back('/');
    for (const char c : key.substr(0, kPathBytesMax)) {  // what is longer is no path that anybody asks for
      if (c == '~')
        path_ += "~0";
      else if (c == '/')
        path_ += "~1";
      else
        path_.push_back(c);
    }
    path_.resize(std::min(path_.size(), kPathBytesMax));
  }
  void next_item() {
    if (!levels_.empty() && levels_.back().list) set_segment(std::to_string(levels_.back().next++));
  }
  void enter(bool list) {
    next_item();
    levels_.push_back({list, path_.size()});
  }
  Result<> scalar(const TreeEvent& event) {
    if (levels_.empty()) return no_object();
    next_item();
    if (!keep_ || event.kind == Kind::Null) return ok();
    if (out_.size() < kFieldsMax)
      out_.push_back({path_, std::string(event.text.substr(0, kClaimBytesMax))});
    else if (left_out_ != nullptr)
      ++*left_out_;
    return ok();
  }

  std::span<const std::string_view> wanted_;
  std::vector<Field>& out_;
  std::uint64_t* left_out_;
  std::vector<Level> levels_;
  std::string path_;
  bool keep_ = false;
};

struct PathClaim {
  std::string_view path;  ///< ends in "/*": all below it
  ClaimKind kind;
};
void claim_paths(std::span<const Field> fields, std::span<const PathClaim> paths, FileClaims& into) {
  for (const Field& field : fields)
    for (const auto& [path, kind] : paths) {
      const bool below =
          path.ends_with("/*") && std::string_view(field.path).starts_with(path.substr(0, path.size() - 1));
      if (below || field.path == path) into.add(kind, field.path, field.text);
    }
}
/// The last of several, as in Python; "" when absent.
std::string_view text_at(std::span<const Field> fields, std::string_view path) {
  for (auto it = fields.rbegin(); it != fields.rend(); ++it)
    if (it->path == path) return it->text;
  return {};
}

void claim_adapter(std::span<const Field> fields, FileClaims& into) {
  constexpr std::string_view kBase = "/base_model_name_or_path";
  into.add(ClaimKind::AdapterBase, kBase, text_at(fields, kBase), text_at(fields, "/revision"));
  into.add(ClaimKind::AdapterType, "/peft_type", text_at(fields, "/peft_type"));
  static constexpr auto kPaths = std::to_array<PathClaim>({{"/auto_map/*", ClaimKind::RemoteCode}});
  claim_paths(fields, kPaths, into);
}

/// "gptq 4 bits"; bitsandbytes says its bits in flags, MLX has no method.
void claim_quantization(std::span<const Field> fields, FileClaims& into) {
  for (const std::string_view root : {"/quantization_config", "/quantization"}) {
    const std::string at(root);
    const std::string_view method = text_at(fields, at + "/quant_method");
    std::string_view bits = text_at(fields, at + "/bits");
    if (text_at(fields, at + "/load_in_4bit") == "true") bits = "4";
    if (text_at(fields, at + "/load_in_8bit") == "true") bits = "8";
    std::string text(method);
    if (!bits.empty()) text += (text.empty() ? "" : " ") + std::string(bits) + " bits";
    into.add(ClaimKind::Quantization, method.empty() ? root : std::string_view(at + "/quant_method"), text);
  }
}

void claim_config(std::span<const Field> fields, FileClaims& into) {
  static constexpr auto kPaths = std::to_array<PathClaim>({{"/_name_or_path", ClaimKind::LoadedFrom},
                                                           {"/architectures/*", ClaimKind::Architecture},
                                                           {"/model_type", ClaimKind::ModelType},
                                                           {"/auto_map/*", ClaimKind::RemoteCode}});
  claim_paths(fields, kPaths, into);
  claim_quantization(fields, into);
  for (const Field& field : fields) {
    if (field.path.starts_with("/custom_pipelines/") && field.path.ends_with("/impl"))
      into.add(ClaimKind::RemoteCode, field.path, field.text);
    static constexpr auto kShapes =
        std::to_array<std::string_view>({"hidden_size", "num_hidden_layers", "num_attention_heads",
                                         "num_key_value_heads", "intermediate_size", "vocab_size"});
    std::string_view path = field.path;
    if (path.starts_with("/text_config/")) path.remove_prefix(12);
    const auto size = parse_u64(field.text);
    if (size.value_or(0) != 0 && std::find(kShapes.begin(), kShapes.end(), path.substr(1)) != kShapes.end())
      into.add(ClaimKind::Shape, field.path, field.text);
  }
}

void claim_model_index(std::span<const Field> fields, FileClaims& into) {
  static constexpr auto kPaths =
      std::to_array<PathClaim>({{"/_name_or_path", ClaimKind::LoadedFrom}, {"/_class_name", ClaimKind::Architecture}});
  claim_paths(fields, kPaths, into);
  for (const Field& field : fields) {  // "unet": ["diffusers", "UNet2DConditionModel"]
    if (!field.path.ends_with("/0") || field.path.starts_with("/_")) continue;
    const std::string component = field.path.substr(0, field.path.size() - 2);
    const std::string_view name = text_at(fields, component + "/1");
    if (!component.empty() && component.find('/', 1) == component.npos && !name.empty())
      into.add(ClaimKind::Component, component, field.text + "." + std::string(name));
  }
}

/// mergekit writes a model as "path", "path@revision", "path+adapter", or an object with path and revision.
void claim_merge_parent(std::span<const Field> fields, const Field& field, FileClaims& into) {
  if (field.path.ends_with("/path")) {
    const std::string revision = field.path.substr(0, field.path.size() - 4) + "revision";
    return into.add(ClaimKind::MergeParent, field.path, field.text, text_at(fields, revision));
  }
  for (const std::string_view part : split(field.text, '+')) {
    const std::size_t at = part.find('@');
    into.add(ClaimKind::MergeParent, field.path, part.substr(0, at),
             at == part.npos ? std::string_view() : part.substr(at + 1));
  }
}
void claim_merge(std::span<const Field> fields, FileClaims& into) {
  for (const Field& field : fields) {
    const std::string_view path = field.path;
    const bool parent =
        path.ends_with("/model") || path.ends_with("/base_model") ||
        (path.ends_with("/path") && (path.find("model/") != path.npos || path.find("lora/") != path.npos));
    if (parent) claim_merge_parent(fields, field, into);
    if (path.ends_with("/merge_method")) into.add(ClaimKind::MergeMethod, path, field.text);
  }
}

constexpr auto kAdapterKeys =
    std::to_array<std::string_view>({"base_model_name_or_path", "revision", "peft_type", "auto_map"});
constexpr auto kConfigKeys = std::to_array<std::string_view>(
    {"_name_or_path", "architectures", "model_type", "auto_map", "custom_pipelines", "quantization_config",
     "quantization", "text_config", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
     "intermediate_size", "vocab_size"});
}  // namespace

std::optional<TextFile> text_file_kind(std::string_view name) {
  if (name == "adapter_config.json") return TextFile::AdapterConfig;
  if (name == "model_index.json") return TextFile::ModelIndex;
  if (name == "mergekit_config.yml" || name == "mergekit_config.yaml") return TextFile::MergeConfig;
  if (name == "config.json" || name.ends_with("_config.json")) return TextFile::Config;
  return std::nullopt;
}
std::uint64_t text_bytes_max(TextFile kind) { return kind == TextFile::MergeConfig ? kYamlBytesMax : kJsonBytesMax; }

Result<> read_json_fields(const ByteSource& source, std::span<const std::string_view> wanted, std::vector<Field>& into,
                          std::uint64_t* left_out) {
  if (source.size_bytes() > kJsonBytesMax) return bad_file("the file is larger than " + human_bytes(kJsonBytesMax));
  ByteCursor cursor(source);
  FieldSink sink(wanted, into, left_out);
  const JsonBudget budget{.text_bytes_max = kClaimBytesMax, .python_numbers = true};
  return read_json(cursor, budget, [&](const TreeEvent& event) { return sink.take(event); });
}

Result<> read_yaml_fields(const ByteSource& source, std::span<const std::string_view> wanted, std::vector<Field>& into,
                          std::uint64_t* left_out) {
  if (source.size_bytes() > kYamlBytesMax) return bad_file("the file is larger than " + human_bytes(kYamlBytesMax));
  ByteCursor cursor(source);
  HM_TRY(const std::string text, cursor.text(source.size_bytes(), kYamlBytesMax));
  FieldSink sink(wanted, into, left_out);
  return read_yaml(text, {}, [&](const TreeEvent& event) { return sink.take(event); });
}

namespace {
Result<> claim_fields(TextFile kind, const ByteSource& source, std::uint64_t& left_out, FileClaims& into) {
  std::vector<Field> fields;
  switch (kind) {
    case TextFile::AdapterConfig: {
      auto read = read_json_fields(source, kAdapterKeys, fields, &left_out);
      claim_adapter(fields, into);
      return read;
    }
    case TextFile::ModelIndex: {
      auto read = read_json_fields(source, {}, fields, &left_out);
      claim_model_index(fields, into);
      return read;
    }
    case TextFile::MergeConfig: {
      auto read = read_yaml_fields(source, {}, fields, &left_out);
      claim_merge(fields, into);
      return read;
    }
    case TextFile::Config:
      break;
  }
  auto read = read_json_fields(source, kConfigKeys, fields, &left_out);
  claim_config(fields, into);
  return read;
}
}  // namespace

Result<> claim_text_file(TextFile kind, const ByteSource& source, FileClaims& into) {
  std::uint64_t left_out = 0;
  auto read = claim_fields(kind, source, left_out, into);
  if (left_out != 0)
    into.note("of its fields " + std::to_string(left_out) + " beyond the first " + std::to_string(kFieldsMax) +
              " were not looked at");
  return read;
}
}  // namespace hm::provenance::formats
