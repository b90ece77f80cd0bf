#include "tests/hub_at_scale/names.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "tests/hub_at_scale/draws.hpp"
#include "tests/hub_at_scale/plant.hpp"

namespace hm::test::scale {
namespace {
using Words = std::array<std::string_view, 64>;
constexpr Words kWords{
    "aurora", "basalt", "cedar",   "delta",  "ember",  "falcon", "glacier", "harbor", "indigo", "jasper", "kestrel",
    "lumen",  "maple",  "nebula",  "onyx",   "pulsar", "quartz", "raven",   "sable",  "tundra", "umbra",  "vertex",
    "willow", "xenon",  "yonder",  "zephyr", "amber",  "birch",  "cobalt",  "dune",   "echo",   "fjord",  "garnet",
    "helix",  "iris",   "juniper", "karst",  "lotus",  "meteor", "nimbus",  "ochre",  "prism",  "quill",  "ridge",
    "sierra", "tango",  "ultra",   "violet", "walnut", "yarrow", "zenith",  "atlas",  "breeze", "comet",  "drift",
    "elm",    "flint",  "grove",   "haze",   "ivory",  "jade",   "kelp",    "lagoon", "mist"};
constexpr Words kThings{"chat",      "coder",     "math",     "vision",    "speech",  "embed",   "rerank",  "summary",
                        "sentiment", "ner",       "qa",       "translate", "story",   "legal",   "medical", "finance",
                        "science",   "poetry",    "dialogue", "reasoning", "tool",    "agent",   "guard",   "judge",
                        "reward",    "critic",    "router",   "planner",   "vlm",     "tts",     "asr",     "ocr",
                        "detect",    "segment",   "depth",    "pose",      "caption", "diffuse", "style",   "anime",
                        "portrait",  "landscape", "texture",  "music",     "voice",   "emotion", "intent",  "topic",
                        "toxicity",  "bias",      "news",     "tweets",    "reviews", "patents", "code",    "sql",
                        "logs",      "tables",    "charts",   "maps",      "graphs",  "weather", "traffic", "robot"};
constexpr std::array<std::string_view, 40> kBrands{
    "Lumina", "Corvus",  "Halcyon", "Mistralis", "Quen",   "Deepsea",  "Gemara",  "Phiox",  "Yira",    "Falkon",
    "Olmeca", "Granit",  "Nemora",  "Solara",    "Aya",    "Bloomer",  "Cerebra", "Dolfin", "Exaona",  "Fuyo",
    "Ganda",  "Hermix",  "Interna", "Jambora",   "Kimora", "Lamara",   "Minimo",  "Novara", "Orcas",   "Pixara",
    "Rekka",  "Stabila", "Tulip",   "Unigram",   "Vicora", "Whispera", "Xgena",   "Yolova", "Zamboni", "Arctix"};
constexpr std::array<std::string_view, 8> kSizes{"0.5B", "1.5B", "3B", "7B", "8B", "14B", "32B", "70B"};
constexpr std::array<std::string_view, 24> kSyllables{"ka", "vo",  "ren", "mi",  "sha", "lo",  "tek", "ra",
                                                      "ni", "dor", "el",  "bar", "ux",  "pi",  "zen", "gal",
                                                      "ti", "mo",  "su",  "hek", "an",  "jor", "li",  "wex"};
constexpr std::array<std::string_view, 10> kQuantized{"-GGUF",        "-AWQ",      "-GPTQ-Int4", "-bnb-4bit",
                                                      "-mlx-4bit",    "-mlx-8bit", "-exl2-6bpw", "-i1-GGUF",
                                                      "-FP8-dynamic", "-onnx"};

/// One after the other, small numbers out of one draw.
class Dice {
 public:
  explicit Dice(std::uint64_t bits) : bits_(bits) {}
  std::uint32_t roll(std::uint32_t n) {
    const auto value = static_cast<std::uint32_t>(bits_ % n);
    bits_ /= n;
    return value;
  }
  template <class A>
  std::string_view of(const A& a) {
    return a[roll(static_cast<std::uint32_t>(a.size()))];
  }

 private:
  std::uint64_t bits_;
};

void append_token(std::string& out, std::uint64_t bits, int digits) {
  static constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (int i = 0; i < digits; ++i, bits /= 36) out += kDigits[bits % 36];
}
void append_number(std::string& out, std::uint32_t n) { out += std::to_string(n); }
void append_capital(std::string& out, std::string_view word) {
  out += static_cast<char>(word[0] - 'a' + 'A');
  out += word.substr(1);
}

void append_owner(std::string& out, const Naming& naming, std::uint64_t bits) {
  const double u = unit_of(bits);
  const auto k = static_cast<std::uint32_t>(u * u * naming.owners);
  Dice dice(mix(naming.seed + k * 0x9e3779b97f4a7c15U));
  const std::uint32_t style = dice.roll(5);
  if (style == 0) {  // an organisation
    append_capital(out, dice.of(kWords));
    static constexpr std::array<std::string_view, 6> kEnds{"AI", "Labs", "-research", "-org", "ML", "HQ"};
    out += dice.of(kEnds);
    if (k > 2000) append_number(out, k % 997);
    return;
  }
  const std::uint32_t syllables = 2 + dice.roll(3);
  const std::size_t begin = out.size();
  for (std::uint32_t i = 0; i < syllables; ++i) out += dice.of(kSyllables);
  if (style == 1) out[begin] = static_cast<char>(out[begin] - 'a' + 'A');
  if (style == 2) out += '-', out += dice.of(kWords);
  if (k > 500) append_number(out, dice.roll(style == 3 ? 10'000 : 100));
}

void append_family(std::string& out, std::uint16_t family) {
  const std::uint32_t f = family - 1U;
  out += kBrands[f % kBrands.size()];
  out += '-';
  append_number(out, 1 + f / static_cast<std::uint32_t>(kBrands.size()));
  out += f % 3 == 0 ? ".5-" : f % 3 == 1 ? ".1-" : "-";
  out += kSizes[mix(family) % kSizes.size()];
  if (f % 2 == 0) out += "-Instruct";
}

void append_derivative(std::string& out, const Repo& repo, Dice& dice, std::uint64_t token) {
  if (repo.relation == Relation::Merge) {
    append_capital(out, dice.of(kWords));
    out += '-';
    append_capital(out, dice.of(kWords));
    out += '-';
    out += kSizes[mix(repo.family) % kSizes.size()];
    out += dice.roll(2) == 0 ? "-slerp" : "-ties";
    if (dice.roll(2) == 0) out += '-', append_token(out, token, 3);
    return;
  }
  append_family(out, repo.family);
  out += '-';
  switch (repo.relation) {
    case Relation::Quantized:
      append_capital(out, dice.of(kWords));
      if (dice.roll(3) != 0) out += "-v", append_number(out, 1 + dice.roll(30));
      out += dice.of(kQuantized);
      break;
    case Relation::Adapter:
      out += dice.roll(3) == 0 ? "qlora-" : "lora-";
      out += dice.of(kThings);
      out += '-';
      append_token(out, token, 4);
      break;
    default:
      out += dice.of(kThings);
      out += dice.roll(2) == 0 ? "-sft-" : "-";
      append_token(out, token, dice.roll(2) == 0 ? 3 : 6);
  }
}

void append_independent_model(std::string& out, Dice& dice, std::uint64_t token) {
  switch (dice.roll(6)) {
    case 0:
      out += "bert-base-finetuned-", out += dice.of(kThings), out += '-', append_token(out, token, 4);
      break;
    case 1:
      out += "ppo-", append_capital(out, dice.of(kWords)), out += "-v", append_number(out, 1 + dice.roll(900));
      break;
    case 2:
      out += "my_awesome_", out += dice.of(kThings), out += "_model_", append_number(out, dice.roll(400));
      break;
    case 3:
      out += dice.of(kWords), out += '-', out += dice.of(kThings), out += "-lora-xl-", append_token(out, token, 3);
      break;
    case 4:
      append_capital(out, dice.of(kWords)), append_capital(out, dice.of(kThings)), out += '-', out += dice.of(kSizes);
      out += "-v", append_number(out, dice.roll(200));
      break;
    default:
      out += dice.of(kWords), out += '-', out += dice.of(kThings), out += '_', append_token(out, token, 6);
  }
}

void append_dataset(std::string& out, Dice& dice, std::uint64_t token) {
  out += dice.of(kWords);
  out += dice.roll(2) == 0 ? '_' : '-';
  out += dice.of(kThings);
  switch (dice.roll(4)) {
    case 0:
      out += '-', append_number(out, 1 + dice.roll(900)), out += 'k';
      break;
    case 1:
      out += "_details_", append_token(out, token, 6);
      break;
    default:
      out += "-raw-", append_token(out, token, 4);
  }
}

void append_space(std::string& out, Dice& dice, std::uint64_t token) {
  static constexpr std::array<std::string_view, 5> kEnds{"demo", "playground", "space", "app", "ui"};
  append_capital(out, dice.of(kThings));
  out += '-', out += dice.of(kWords), out += '-', out += dice.of(kEnds);
  if (dice.roll(3) != 0) out += '-', append_token(out, token, 4);
}
}  // namespace

Naming naming_of(const Scale& scale) {
  const std::uint64_t owners = (scale.models + scale.datasets + scale.spaces) / 9;
  return {scale.seed, static_cast<std::uint32_t>(std::max<std::uint64_t>(16, owners)), scale.planted};
}

void append_generated_name(std::string& out, const Naming& naming, std::uint32_t slot, const Repo& repo) {
  const Draw draw(naming.seed, slot);
  Dice dice(draw.bits(For::Words));
  const std::uint64_t token = draw.bits(For::Token);
  if (repo.legacy) {
    out += dice.of(kWords), out += '-', out += dice.of(kThings), out += "-base";
    if (dice.roll(3) == 0) out += '-', append_number(out, dice.roll(50));
    return;
  }
  const bool is_planted = naming.planted && repo.kind == RepoKind::Model;
  if (repo.root && !is_planted) {
    append_capital(out, kWords[(repo.family * 7U) % kWords.size()]);
    out += "AI/";
    append_family(out, repo.family);
    return;
  }
  if (is_planted)
    out += planted_owner_of(slot).name;
  else
    append_owner(out, naming, draw.bits(For::Owner));
  out += '/';
  if (repo.kind == RepoKind::Dataset)
    append_dataset(out, dice, token);
  else if (repo.kind == RepoKind::Space)
    append_space(out, dice, token);
  else if (repo.root)
    append_family(out, repo.family);
  else if (repo.family != 0)
    append_derivative(out, repo, dice, token);
  else
    append_independent_model(out, dice, token);
}
}  // namespace hm::test::scale
