// Tables of declared bases: how many derive, from which models, from whose.
#include <algorithm>

#include "provenance/report/ecosystem_tables.hpp"

namespace hm::provenance::report {
namespace {
constexpr std::array<std::string_view, 5> kRelations{"not said", "finetune", "adapter", "quantized",
                                                     "merge"};  // by BaseRelation
const char* const kClosure =
    "public models that declare it as a base, or a model that descends from it, at any distance; each counted once";

std::vector<Gap> gaps_of(const Families& f) {
  return {{"no base is listed", f.of_none_listed,
           "the bases they declare are known by an id that no listing has; where they descend from is not known"},
          {"only themselves", f.of_themselves,
           "the only base they declare is themselves; they count as models without a base"},
          {"no root", f.rootless, "their bases lead in a circle or end at one that is not listed"}};
}
Share judged_of(const Families& f) {
  return {f.declared - f.of_none_listed - f.of_themselves - f.rootless, f.declared};
}
std::string jurisdiction_of(const Origin* origin) {
  return origin == nullptr ? "unknown" : std::string(shown_jurisdiction(*origin));
}
}  // namespace

FigureTable derivatives_table(const Population& p, const Families& f) {
  FigureTable table;
  table.id = "derivatives";
  table.title = "Models that declare a base";
  table.population =
      "public models; a base counts when their listing names it by its id, whatever else they or their files say";
  table.columns = {{"relation", "as declared, or as the Hub fills it in"},
                   {"models", "that declare a base in this relation"},
                   {"share_of_models", "of the public models"},
                   {"share_of_declared", "of the models that declare a base"}};
  const std::uint64_t models = p.count(RepoKind::Model);
  for (std::size_t i = 0; i < kRelations.size(); ++i)
    table.rows.push_back({std::string(kRelations[i]), f.by_relation[i], Share{f.by_relation[i], models},
                          Share{f.by_relation[i], f.declared}});
  table.rows.push_back({std::string("any"), f.declared, Share{f.declared, models}, Share{f.declared, f.declared}});
  table.judged = {f.declared, models};
  table.gaps = {{"no base declared", models - f.declared, "they descend from nothing, or do not say from what"}};
  return table;
}

Result<FigureTable> families_table(const Population& p, const Families& f) {
  FigureTable table;
  table.id = "families";
  table.title = "Models with the most descendants";
  table.population =
      "roots: models that declare no base and are declared as one; the first 50 of " + std::to_string(f.roots.size());
  table.columns = {{"root", "the model, which may be gone or private by now"},
                   {"jurisdiction", "of its owner by the table of origins"},
                   {"direct", "public models that declare it as a base"},
                   {"descendants", kClosure},
                   {"share_of_models", "descendants, of the public models"}};
  for (std::size_t i = 0; i < f.roots.size() && i < kListedMax; ++i) {
    const Root& root = f.roots[i];
    HM_TRY(std::string name, p.name(root.ordinal));
    table.rows.push_back({std::move(name), jurisdiction_of(p.origin(root.ordinal)), root.direct, root.descendants,
                          Share{root.descendants, p.count(RepoKind::Model)}});
  }
  table.judged = judged_of(f);
  table.gaps = gaps_of(f);
  if (f.not_counted_roots != 0)
    table.gaps.push_back({"roots not followed", f.not_counted_roots,
                          "the bound on work was reached; those with the most direct derivatives came first"});
  return table;
}

Result<FigureTable> owners_families_table(const Population& p, const Families& f) {
  FigureTable table;
  table.id = "families_by_owner";
  table.title = "Owners whose models have the most descendants";
  table.population = "owners of models that are declared as a base; the first 50 of " + std::to_string(f.owners.size());
  table.columns = {
      {"owner", "namespace on the Hub"},
      {"jurisdiction", "of the owner by the table of origins"},
      {"bases", "models of the owner that are declared as a base"},
      {"direct", "public models that declare one of these"},
      {"descendants", "public models that descend from any model of the owner, at any distance; each counted once"},
      {"by_others", "of the descendants those of other owners"},
      {"share_of_models", "descendants, of the public models"}};
  for (std::size_t i = 0; i < f.owners.size() && i < kListedMax; ++i) {
    const OwnersFamily& family = f.owners[i];
    HM_TRY(std::string name, p.owner_name(family.owner));
    table.rows.push_back({std::move(name), jurisdiction_of(p.owners()[family.owner].origin), family.bases,
                          family.direct, family.descendants, family.by_others,
                          Share{family.descendants, p.count(RepoKind::Model)}});
  }
  table.judged = {f.declared - f.of_none_listed - f.of_themselves, f.declared};
  table.gaps = gaps_of(f);
  table.gaps.pop_back();  // without a root they still descend from an owner's models
  if (f.not_counted_owners != 0)
    table.gaps.push_back({"owners not followed", f.not_counted_owners,
                          "the bound on work was reached; those with the most direct derivatives came first"});
  return table;
}
}  // namespace hm::provenance::report
