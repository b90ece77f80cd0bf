#include "tests/hub_at_scale/fields.hpp"

#include <array>
#include <charconv>
#include <span>
#include "tests/hub_at_scale/plant_licences.hpp"

namespace hm::test::scale {
namespace {
constexpr auto kFieldCount = static_cast<std::size_t>(Field::Count);
constexpr std::array<std::string_view, kFieldCount> kNames{"modelId",
                                                           "author",
                                                           "sha",
                                                           "lastModified",
                                                           "private",
                                                           "disabled",
                                                           "gated",
                                                           "downloads",
                                                           "downloadsAllTime",
                                                           "likes",
                                                           "trendingScore",
                                                           "tags",
                                                           "pipeline_tag",
                                                           "library_name",
                                                           "createdAt",
                                                           "sdk",
                                                           "description",
                                                           "citation",
                                                           "paperswithcode_id",
                                                           "model-index",
                                                           "config",
                                                           "cardData",
                                                           "baseModels",
                                                           "childrenModelCount",
                                                           "evalResults",
                                                           "gguf",
                                                           "inference",
                                                           "inferenceProviderMapping",
                                                           "mask_token",
                                                           "resourceGroup",
                                                           "safetensors",
                                                           "siblings",
                                                           "spaces",
                                                           "transformersInfo",
                                                           "usedStorage",
                                                           "widgetData",
                                                           "xetEnabled",
                                                           "mainSize",
                                                           "datasets",
                                                           "models",
                                                           "region",
                                                           "runtime",
                                                           "subdomain"};

using F = Field;
constexpr std::array kOfModels{F::Author,
                               F::BaseModels,
                               F::CardData,
                               F::ChildrenModelCount,
                               F::Config,
                               F::CreatedAt,
                               F::Disabled,
                               F::Downloads,
                               F::DownloadsAllTime,
                               F::EvalResults,
                               F::Gated,
                               F::Gguf,
                               F::Inference,
                               F::InferenceProviderMapping,
                               F::LastModified,
                               F::LibraryName,
                               F::Likes,
                               F::MaskToken,
                               F::ModelIndex,
                               F::PipelineTag,
                               F::Private,
                               F::ResourceGroup,
                               F::Safetensors,
                               F::Sha,
                               F::Siblings,
                               F::Spaces,
                               F::Tags,
                               F::TransformersInfo,
                               F::TrendingScore,
                               F::UsedStorage,
                               F::WidgetData,
                               F::XetEnabled};
constexpr std::array kOfDatasets{
    F::Author,           F::CardData,         F::Citation,      F::CreatedAt,    F::Description, F::Disabled,
    F::Downloads,        F::DownloadsAllTime, F::Gated,         F::LastModified, F::Likes,       F::MainSize,
    F::PaperswithcodeId, F::Private,          F::ResourceGroup, F::Sha,          F::Siblings,    F::Tags,
    F::TrendingScore,    F::UsedStorage,      F::XetEnabled};
constexpr std::array kOfSpaces{F::Author,        F::CardData, F::CreatedAt,     F::Datasets,    F::Disabled,
                               F::LastModified,  F::Likes,    F::Models,        F::Private,     F::Region,
                               F::ResourceGroup, F::Runtime,  F::Sdk,           F::Sha,         F::Siblings,
                               F::Subdomain,     F::Tags,     F::TrendingScore, F::UsedStorage, F::XetEnabled};

std::span<const Field> fields_of(RepoKind kind) {
  if (kind == RepoKind::Model) return kOfModels;
  if (kind == RepoKind::Dataset) return kOfDatasets;
  return kOfSpaces;
}

constexpr std::array<std::string_view, 12> kLibraries{"transformers",
                                                      "diffusers",
                                                      "peft",
                                                      "sentence-transformers",
                                                      "stable-baselines3",
                                                      "timm",
                                                      "keras",
                                                      "mlx",
                                                      "gguf",
                                                      "sklearn",
                                                      "setfit",
                                                      "ml-agents"};
constexpr std::array<std::string_view, 16> kTasks{"text-generation",
                                                  "text-to-image",
                                                  "text-classification",
                                                  "image-text-to-text",
                                                  "feature-extraction",
                                                  "reinforcement-learning",
                                                  "fill-mask",
                                                  "token-classification",
                                                  "question-answering",
                                                  "summarization",
                                                  "translation",
                                                  "image-classification",
                                                  "automatic-speech-recognition",
                                                  "text-to-speech",
                                                  "object-detection",
                                                  "sentence-similarity"};
constexpr std::array<std::string_view, 16> kTypes{"llama",    "mistral", "qwen2",   "bert",       "gemma", "phi3",
                                                  "gpt2",     "t5",      "roberta", "distilbert", "vit",   "whisper",
                                                  "wav2vec2", "clip",    "mixtral", "gpt_neox"};
constexpr std::array<std::string_view, 12> kLanguages{"en", "zh", "fr", "de", "es", "ja",
                                                      "ko", "pt", "ru", "it", "ar", "hi"};
constexpr std::array<std::string_view, 5> kDatasetSizes{"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"};
constexpr std::array<std::string_view, 4> kSdks{"gradio", "docker", "static", "streamlit"};

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}
void append_bool(std::string& out, bool value) { out += value ? "true" : "false"; }
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  out += text;
  out += '"';
}

/// What the card, the tags and the files of one repository agree on.
struct Facts {
  std::string_view library;   ///< or empty
  std::string_view task;      ///< or empty
  std::string_view type;      ///< of the model
  std::string_view language;  ///< or empty
  std::string_view licence;   ///< or empty
  bool safetensors = false;
  bool gguf = false;
  std::uint32_t arxiv = 0;              ///< YYMM·100000 + number, or 0
  std::uint32_t dataset = kNobody;      ///< slot of one it was trained on
  std::uint32_t grandparent = kNobody;  ///< the second base of a merge
};

Facts facts_of(const Store& store, std::uint32_t slot) {
  const Repo& repo = store.at(slot);
  const Draw d = store.draw(slot);
  Facts facts;
  facts.licence = kLicences[repo.licence].id;
  const bool derived = repo.parent != kNobody;
  facts.gguf = derived && repo.relation == Relation::Quantized && d.unit(For::Library) < 0.5;
  const double chance = d.unit(For::Library);
  if (repo.family != 0)
    facts.library = facts.gguf ? "gguf" : derived && repo.relation == Relation::Adapter ? "peft" : "transformers";
  else if (chance < 0.70)
    facts.library = kLibraries[chance < 0.40 ? 0 : d.below(For::Size, kLibraries.size())];
  const std::uint64_t task = d.bits(For::Task);
  if (repo.family != 0)
    facts.task = below(task, 10) < 8 ? kTasks[0] : std::string_view{};
  else if (!facts.library.empty())
    facts.task = kTasks[below(task, kTasks.size()) & below(mix(task), kTasks.size())];
  if (repo.robotics) facts.task = "robotics";
  facts.type = kTypes[(repo.family != 0 ? mix(repo.family) : d.bits(For::Task, 200)) % kTypes.size()];
  if (const double l = d.unit(For::Language); l < 0.35)
    facts.language = kLanguages[l < 0.22 ? 0 : d.below(For::Size, 12)];
  facts.gguf |= facts.library == "gguf";
  facts.safetensors = !facts.gguf && !facts.library.empty() && d.unit(For::Safetensors) < 0.65;
  if (d.unit(For::Arxiv) < 0.15)
    facts.arxiv = (2200 + 100 * d.below(For::Size, 4) + 1 + d.below(For::Arxiv, 12)) * 100'000 +
                  below(d.bits(For::Arxiv, 300), 18'000);
  const auto [first, last] = slots_of(store.scale(), RepoKind::Dataset);
  if (store.scale().planted_licences)
    facts.dataset = planted_dataset_of(store.scale(), slot).value_or(kNobody);
  else if (last > first && d.unit(For::Dataset) < 0.12)
    facts.dataset = first + below(d.bits(For::Dataset, 400), last - first);
  if (derived && repo.relation == Relation::Merge) facts.grandparent = store.at(repo.parent).parent;
  return facts;
}

/// Writes `"key":value` pairs and `"value"` items with the commas between them.
class Json {
 public:
  explicit Json(std::string& out) : out_(out) {}
  std::string& key(std::string_view name) {
    comma();
    append_quoted(out_, name);
    return out_ += ':';
  }
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) append_quoted(key(name), value);
  }
  void item(std::string_view value) {
    comma();
    append_quoted(out_, value);
  }
  void item(std::string_view prefix, std::string_view value) {
    if (value.empty()) return;
    comma();
    out_ += '"';
    out_ += prefix;
    out_ += value;
    out_ += '"';
  }
  std::string& comma() {
    if (!first_) out_ += ',';
    first_ = false;
    return out_;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_arxiv(std::string& out, std::uint32_t arxiv) {
  append_number(out, arxiv / 100'000);
  out += '.';
  std::array<char, 5> digits;
  std::uint32_t n = arxiv % 100'000;
  for (std::size_t i = 5; i-- > 0; n /= 10) digits[i] = static_cast<char>('0' + n % 10);
  out.append(digits.data(), digits.size());
}

void append_base_tags(Json& json, std::string& out, const Store& store, std::uint32_t base, Relation relation) {
  if (base == kNobody) return;
  json.comma() += "\"base_model:";
  const std::size_t begin = out.size();
  store.append_original_name(out, base);
  const std::size_t end = out.size();
  out += '"';
  json.comma() += "\"base_model:";
  out += name_of(relation);
  out += ':';
  out.append(out, begin, end - begin);
  out += '"';
}

void append_model_tags(std::string& out, const Store& store, const Repo& repo, const Facts& facts) {
  Json json(out);
  if (!facts.library.empty()) json.item(facts.library);
  if (facts.safetensors) json.item("safetensors");
  if (facts.gguf && facts.library != "gguf") json.item("gguf");
  if (repo.family != 0 || facts.library == "transformers") json.item(facts.type);
  if (!facts.task.empty()) json.item(facts.task);
  if (repo.family != 0 && !facts.task.empty()) json.item("conversational");
  if (!facts.language.empty()) json.item(facts.language);
  if (facts.dataset != kNobody) {
    json.comma() += "\"dataset:";
    store.append_original_name(out, facts.dataset);
    out += '"';
  }
  if (facts.arxiv != 0) {
    append_arxiv(json.comma() += "\"arxiv:", facts.arxiv);
    out += '"';
  }
  append_base_tags(json, out, store, repo.parent, repo.relation);
  append_base_tags(json, out, store, facts.grandparent, repo.relation);
  json.item("license:", facts.licence);
  if (facts.library == "transformers") json.item("endpoints_compatible");
  json.item("region:us");
}

void append_dataset_tags(std::string& out, const Draw& draw, const Facts& facts) {
  Json json(out);
  json.item("task_categories:", facts.task);
  json.item("language:", facts.language);
  json.item("license:", facts.licence);
  json.item("size_categories:", kDatasetSizes[draw.below(For::Size, kDatasetSizes.size())]);
  if (draw.unit(For::Storage) < 0.7) {
    json.item("format:parquet");
    json.item("modality:text");
    json.item("library:datasets");
    json.item("library:pandas");
  }
  if (facts.arxiv != 0) {
    append_arxiv(json.comma() += "\"arxiv:", facts.arxiv);
    out += '"';
  }
  json.item("region:us");
}

std::string_view sdk_of(const Draw& draw) {
  const double chance = draw.unit(For::Sdk);
  return kSdks[chance < 0.6 ? 0 : chance < 0.8 ? 1 : chance < 0.93 ? 2 : 3];
}

void append_tags(std::string& out, const Store& store, std::uint32_t slot, const Facts& facts) {
  const Repo& repo = store.at(slot);
  out += '[';
  if (repo.kind == RepoKind::Model) append_model_tags(out, store, repo, facts);
  if (repo.kind == RepoKind::Dataset) append_dataset_tags(out, store.draw(slot), facts);
  if (repo.kind == RepoKind::Space) {
    append_quoted(out, sdk_of(store.draw(slot)));
    out += ",\"region:us\"";
  }
  out += ']';
}

void append_name_array(std::string& out, const Store& store, std::initializer_list<std::uint32_t> slots) {
  out += '[';
  Json json(out);
  for (const std::uint32_t slot : slots) {
    if (slot == kNobody) continue;
    store.append_original_name(json.comma() += '"', slot);
    out += '"';
  }
  out += ']';
}

void append_card(std::string& out, const Store& store, std::uint32_t slot, const Facts& facts) {
  const Repo& repo = store.at(slot);
  out += '{';
  Json json(out);
  json.text("license", facts.licence);
  if (repo.kind == RepoKind::Space) {
    json.text("sdk", sdk_of(store.draw(slot)));
    json.text("colorFrom", "blue");
    json.text("colorTo", "green");
    json.text("app_file", "app.py");
  } else {
    if (!facts.language.empty()) (append_quoted(json.key("language") += '[', facts.language), out += ']');
    if (repo.kind == RepoKind::Model) {
      json.text("library_name", facts.library);
      json.text("pipeline_tag", facts.task);
      if (repo.parent != kNobody) append_name_array(json.key("base_model"), store, {repo.parent, facts.grandparent});
      if (facts.dataset != kNobody) append_name_array(json.key("datasets"), store, {facts.dataset});
    } else if (!facts.task.empty()) {
      (append_quoted(json.key("task_categories") += '[', facts.task), out += ']');
    }
  }
  out += '}';
}

void append_base_models(std::string& out, const Store& store, const Repo& repo, const Facts& facts, bool with_rid) {
  out += "{\"relation\":";
  append_quoted(out, name_of(repo.relation));
  out += ",\"models\":[";
  Json json(out);
  for (const std::uint32_t base : {repo.parent, facts.grandparent}) {
    if (base == kNobody || !store.at(base).listed()) continue;
    json.comma() += '{';
    if (with_rid) {
      store.append_id(out += "\"_id\":\"", base);
      out += "\",";
    }
    store.append_name(out += "\"id\":\"", base);
    out += "\"}";
  }
  out += "]}";
}

std::uint64_t parameters_of(const Draw& draw) {
  return static_cast<std::uint64_t>(3e8 * draw.log_normal(For::Size, 2.0));
}
std::uint64_t storage_of(const Draw& draw) {
  return static_cast<std::uint64_t>(5e8 * draw.log_normal(For::Storage, 2.5));
}

bool is_large(std::string_view name) {
  return name.ends_with(".safetensors") || name.ends_with(".gguf") || name.ends_with(".bin") ||
         name.ends_with(".parquet");
}

/// Sizes and digests are those of no bytes: nobody can fetch them.
void append_siblings(std::string& out, const Repo& repo, const Facts& facts, const Draw& draw, bool sizes) {
  constexpr std::uint64_t kDigestDraws = 1'000'000'000;  // behind those of commits
  out += '[';
  Json json(out);
  std::uint64_t count = 0;
  const auto file = [&](std::string_view name) {
    append_quoted(json.comma() += "{\"rfilename\":", name);
    const std::uint64_t at = kDigestDraws + 4 * count++;
    if (sizes && is_large(name)) {
      const std::string size = std::to_string(2 * parameters_of(draw) / (1 + count % 2));
      out += ",\"size\":" + size + ",\"lfs\":{\"sha256\":\"";
      for (std::uint64_t i = 0; i < 4; ++i) append_hex(out, draw.bits(For::Sha, at + i), 16);
      out += "\",\"size\":" + size + ",\"pointerSize\":134}";
    } else if (sizes) {
      out += ",\"size\":" + std::to_string(200 + draw.bits(For::Sha, at) % 20'000);
    }
    out += '}';
  };
  file(".gitattributes");
  file("README.md");
  if (repo.kind == RepoKind::Space) file("app.py"), file("requirements.txt");
  if (repo.kind == RepoKind::Dataset) file("data/train-00000-of-00001.parquet");
  if (repo.kind == RepoKind::Model) {
    file("config.json");
    if (facts.gguf) file("model-Q4_K_M.gguf"), file("model-Q8_0.gguf");
    if (facts.safetensors) file("model.safetensors");
    if (!facts.gguf && !facts.safetensors) file("pytorch_model.bin");
    file("tokenizer.json");
  }
  out += ']';
}

/// Writes one row; a class only to hold what its parts share.
class Row {
 public:
  Row(std::string& out, const Store& store, std::uint32_t slot, Fields fields, const RowStyle& style)
      : out_(out), store_(store), slot_(slot), repo_(store.at(slot)), fields_(fields), style_(style), json_(out) {}

  void write() {
    out_ += '{';
    if (style_.with_rid) {
      store_.append_id(json_.key("_id") += '"', slot_);
      out_ += '"';
    }
    json_.key("id") += '"';
    name_at_ = out_.size();
    store_.append_name(out_, slot_);
    name_length_ = out_.size() - name_at_;
    out_ += '"';
    stored();
    if (has(F::Tags) || has(F::CardData) || has(F::PipelineTag) || has(F::LibraryName) || has(F::Siblings) ||
        has(F::BaseModels) || has(F::Safetensors) || has(F::Gguf) || has(F::Config) || has(F::Models) ||
        has(F::Datasets))
      derived(facts_of(store_, slot_));
    drawn();
    out_ += '}';
  }

 private:
  bool has(Field f) const { return fields_.has(f); }
  std::string& key(Field f) { return json_.key(kNames[static_cast<std::size_t>(f)]); }
  void quoted_name(std::size_t length) {
    out_ += '"';
    out_.append(out_, name_at_, length);
    out_ += '"';
  }
  void time(Field f, std::uint32_t unix_s) {
    append_time(key(f) += '"', unix_s);
    out_ += '"';
  }

  void stored() {
    if (has(F::ModelId)) (key(F::ModelId), quoted_name(name_length_));
    if (has(F::Author)) {
      const std::size_t slash = out_.find('/', name_at_);
      if (slash < name_at_ + name_length_) (key(F::Author), quoted_name(slash - name_at_));
    }
    if (has(F::Sha)) {
      key(F::Sha) += '"';
      if (style_.head.empty())
        store_.append_sha(out_, slot_, repo_.commits);
      else
        out_ += style_.head;
      out_ += '"';
    }
    if (has(F::LastModified)) time(F::LastModified, repo_.modified_s);
    if (has(F::Private)) append_bool(key(F::Private), repo_.is_private);
    if (has(F::Disabled)) append_bool(key(F::Disabled), repo_.disabled);
    if (has(F::Gated)) {
      key(F::Gated);
      repo_.gate == Gate::Open ? append_bool(out_, false) : append_quoted(out_, name_of(repo_.gate));
    }
    if (has(F::Downloads)) append_number(key(F::Downloads), repo_.downloads);
    if (has(F::DownloadsAllTime)) append_number(key(F::DownloadsAllTime), std::uint64_t{repo_.downloads} * 9);
    if (has(F::Likes)) append_number(key(F::Likes), repo_.likes);
    if (has(F::TrendingScore)) append_number(key(F::TrendingScore), repo_.trending);
    if (has(F::CreatedAt)) time(F::CreatedAt, repo_.created_s);
  }

  void derived(const Facts& facts) {
    const bool model = repo_.kind == RepoKind::Model;
    if (has(F::Tags)) append_tags(key(F::Tags), store_, slot_, facts);
    if (has(F::PipelineTag)) json_.text("pipeline_tag", facts.task);
    if (has(F::LibraryName)) json_.text("library_name", facts.library);
    if (has(F::Config)) {
      append_quoted(key(F::Config) += "{\"model_type\":", facts.type);
      out_ += '}';
    }
    const bool card = repo_.licence != 0 || repo_.parent != kNobody || store_.draw(slot_).unit(For::Card) < 0.85;
    if (has(F::CardData) && card) append_card(key(F::CardData), store_, slot_, facts);
    if (has(F::BaseModels) && repo_.parent != kNobody)
      append_base_models(key(F::BaseModels), store_, repo_, facts, style_.with_rid);
    if (has(F::Safetensors) && facts.safetensors && model) {
      const std::uint64_t n = parameters_of(store_.draw(slot_));
      append_number(key(F::Safetensors) += "{\"parameters\":{\"BF16\":", n);
      append_number(out_ += "},\"total\":", n);
      out_ += '}';
    }
    if (has(F::Gguf) && facts.gguf) {
      append_number(key(F::Gguf) += "{\"total\":", parameters_of(store_.draw(slot_)));
      append_quoted(out_ += ",\"architecture\":", facts.type);
      out_ += ",\"context_length\":32768}";
    }
    if (has(F::Siblings)) append_siblings(key(F::Siblings), repo_, facts, store_.draw(slot_), style_.sizes);
    if (has(F::Datasets) && facts.dataset != kNobody) append_name_array(key(F::Datasets), store_, {facts.dataset});
    if (has(F::Models) && store_.scale().models > 0)
      append_name_array(key(F::Models), store_,
                        {store_.draw(slot_).below(For::Parent, static_cast<std::uint32_t>(store_.scale().models))});
  }

  void drawn() {
    const Draw draw = store_.draw(slot_);
    if (has(F::Sdk)) json_.text("sdk", sdk_of(draw));
    if (has(F::Description)) key(F::Description) += "\"Rows that somebody collected.\"";
    if (has(F::Citation)) key(F::Citation) += "null";
    if (has(F::PaperswithcodeId)) key(F::PaperswithcodeId) += "null";
    if (has(F::ModelIndex)) key(F::ModelIndex) += "null";
    if (has(F::UsedStorage)) append_number(key(F::UsedStorage), storage_of(draw));
    if (has(F::MainSize)) append_number(key(F::MainSize), storage_of(draw) / 2);
    if (has(F::XetEnabled)) append_bool(key(F::XetEnabled), true);
    if (has(F::Region)) json_.text("region", "us");
    if (has(F::Subdomain)) {
      key(F::Subdomain);
      const std::size_t begin = out_.size();
      quoted_name(name_length_);
      if (const std::size_t slash = out_.find('/', begin); slash != std::string::npos) out_[slash] = '-';
    }
  }

  std::string& out_;
  const Store& store_;
  std::uint32_t slot_;
  const Repo& repo_;
  Fields fields_;
  const RowStyle& style_;
  Json json_;
  std::size_t name_at_ = 0;
  std::size_t name_length_ = 0;
};
}  // namespace

std::optional<Field> parse_expand(RepoKind kind, std::string_view name) {
  for (const Field f : fields_of(kind))
    if (kNames[static_cast<std::size_t>(f)] == name) return f;
  return std::nullopt;
}

std::string expand_refusal(RepoKind kind) {
  std::string out = "Invalid option: expected one of ";
  bool first = true;
  for (const Field f : fields_of(kind)) {
    if (!first) out += '|';
    first = false;
    append_quoted(out, kNames[static_cast<std::size_t>(f)]);
  }
  return out;
}

Fields default_fields(RepoKind kind) {
  if (kind == RepoKind::Model)
    return Fields::of(F::ModelId, F::Private, F::Downloads, F::Likes, F::TrendingScore, F::Tags, F::PipelineTag,
                      F::LibraryName, F::CreatedAt);
  if (kind == RepoKind::Dataset)
    return Fields::of(F::Author, F::Private, F::Downloads, F::Likes, F::Tags, F::CreatedAt, F::LastModified, F::Sha,
                      F::Gated, F::Disabled, F::Description, F::PaperswithcodeId, F::TrendingScore);
  return Fields::of(F::Private, F::Likes, F::Tags, F::CreatedAt, F::Sdk, F::TrendingScore);
}

Fields full_fields(RepoKind kind) {
  if (kind == RepoKind::Dataset) return default_fields(kind) | Fields::of(F::CardData);
  const Fields both = default_fields(kind) | Fields::of(F::Author, F::Sha, F::LastModified, F::Siblings);
  return both | (kind == RepoKind::Model ? Fields::of(F::Gated) : Fields::of(F::CardData));
}

Fields info_fields(RepoKind kind) {
  const Fields all = full_fields(kind) | Fields::of(F::Disabled, F::CardData, F::Siblings, F::UsedStorage, F::Gated);
  if (kind == RepoKind::Model)
    return all | Fields::of(F::ModelIndex, F::Config, F::Safetensors, F::Gguf, F::BaseModels);
  if (kind == RepoKind::Dataset) return all | Fields::of(F::Citation);
  return all | Fields::of(F::Models, F::Datasets, F::Region, F::Subdomain);
}

void append_tags(std::string& out, const Store& store, std::uint32_t slot) {
  append_tags(out, store, slot, facts_of(store, slot));
}

void append_row(std::string& out, const Store& store, std::uint32_t slot, Fields fields, const RowStyle& style) {
  Row(out, store, slot, fields, style).write();
}

void append_time(std::string& out, std::uint32_t unix_s) {
  // Days to a date by the well-known way of counting from 1 March of the year 0.
  const std::uint32_t days = unix_s / 86'400 + 719'468;
  const std::uint32_t era = days / 146'097;
  const std::uint32_t day_of_era = days - era * 146'097;
  const std::uint32_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint32_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::uint32_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const std::uint32_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::uint32_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const std::uint32_t s = unix_s % 86'400;
  char text[] = "0000-00-00T00:00:00.000Z";
  const auto two = [&](std::size_t at, std::uint32_t n) {
    text[at] = static_cast<char>('0' + n / 10);
    text[at + 1] = static_cast<char>('0' + n % 10);
  };
  two(0, year / 100), two(2, year % 100), two(5, month), two(8, day);
  two(11, s / 3600), two(14, s / 60 % 60), two(17, s % 60);
  out.append(text, sizeof text - 1);
}
}  // namespace hm::test::scale
