#include "crawler/listers/lister.hpp"

#include <algorithm>

#include "base/canonical_json.hpp"
#include "base/check.hpp"
#include "base/crash_point.hpp"
#include "base/json_fields.hpp"
#include "base/log.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "provenance/listing.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::crawler {
using storage::Family;

namespace {
constexpr int kRestartsMax = 1;                      // of a sweep, without a page behind its first
constexpr std::size_t kBadItemsLogged = 3;           // of a page; the rest is counted
constexpr std::size_t kPageWithoutCursors = 10'000;  // rows of the only page of a Hub that has no cursors: some 10 MB
constexpr std::size_t kPageUsual = 1'000;            // what the Hub gives at most
constexpr int kBadRequest = 400, kUnprocessable = 422, kNotFound = 404;

bool refuses_the_question(const Error& error) {
  return error.http_status == kBadRequest || error.http_status == kUnprocessable;
}

/// What of a page can be stored; bad names are counted with the bad items.
std::vector<provenance::Listing> listings_of(hub::ListPage& page, RepoKind kind, const std::string& src,
                                             std::uint64_t& bad_items) {
  std::vector<provenance::Listing> out;
  out.reserve(page.items.size());
  for (hub::ListItem& info : page.items) {
    const RepoId repo{kind, info.id};
    if (!is_valid_repo_name(info.id)) {
      ++bad_items;
      continue;
    }
    out.push_back(
        provenance::read_listing(repo, info.rid ? *info.rid : derived_rid(src, repo), std::move(info.fields)));
  }
  return out;
}

void log_bad_items(const hub::ListPage& page, RepoKind kind) {
  for (std::size_t i = 0; i < std::min(page.bad_items.size(), kBadItemsLogged); ++i)
    log(LogLevel::Warning, "an item of a listing is left out",
        {{"kind", std::string(name_of(kind))}, {"why", page.bad_items[i].what}});
}
}  // namespace

ListingReport& ListingReport::operator+=(const ListingReport& more) {
  pages += more.pages;
  listed += more.listed;
  added += more.added;
  changed += more.changed;
  moved += more.moved;
  replaced += more.replaced;
  gone += more.gone;
  bad_items += more.bad_items;
  return *this;
}

Lister::Lister(ListerParts parts, RepoKind kind, ListerOptions options)
    : p_(parts), kind_(kind), o_(options), src_(parts.api.upstream().host_port()), traits_(usual_traits(kind)) {}

Result<> Lister::load() {
  HM_TRY(traits_, load_traits(p_.index, src_, kind_));
  HM_TRY(const auto tail, p_.index.get(Family::Meta, key("tail")));
  if (tail) watermark_ms_ = static_cast<std::int64_t>(storage::key::parse_u64(*tail).value_or(0));
  HM_TRY(const auto stored, p_.index.get(Family::Meta, key("sweep")));
  if (!stored) return ok();
  HM_TRY(const json::value value, parse_json(*stored));
  if (!value.is_object())
    return Error{Errc::Corrupt, "where the sweep of " + src_ + " is, is stored in a form that nobody writes"};
  const json::object& row = value.get_object();
  sweep_.number = static_cast<std::uint32_t>(number_of(row, "number"));
  sweep_.running = number_of(row, "running") != 0;
  sweep_.listed_all = number_of(row, "listed_all") != 0;
  sweep_.began_ms = number_of(row, "began");
  sweep_.ended_ms = number_of(row, "ended");
  sweep_.pages = static_cast<std::uint64_t>(number_of(row, "pages"));
  sweep_.listed = static_cast<std::uint64_t>(number_of(row, "listed"));
  sweep_.pages_before = static_cast<std::uint64_t>(number_of(row, "pages_before"));
  sweep_.cursor = text_of(row, "cursor");
  return ok();
}

void Lister::put_sweep(storage::Batch& batch) const {
  auto text = canonical_json(json::object{{"number", sweep_.number},
                                          {"running", sweep_.running ? 1 : 0},
                                          {"listed_all", sweep_.listed_all ? 1 : 0},
                                          {"cursor", sweep_.cursor},
                                          {"began", sweep_.began_ms},
                                          {"ended", sweep_.ended_ms},
                                          {"pages", sweep_.pages},
                                          {"listed", sweep_.listed},
                                          {"pages_before", sweep_.pages_before}});
  HM_CHECK(text.has_value());  // a URL that was parsed is ASCII; the rest are integers
  batch.put(Family::Meta, key("sweep"), std::move(text).assume_value());
}

awaitable<Result<hub::ListPage>> Lister::first_page(Order order) {
  auto page = co_await p_.api.list(kind_, listing_query(traits_, order), "");
  if (page || !refuses_the_question(page.assume_error()) || order > Order::Modified) co_return page;
  HM_CO_TRY(co_await probe());
  co_return co_await p_.api.list(kind_, listing_query(traits_, order), "");
}

/// True: it answers; false: it refuses the question as such.
awaitable<Result<bool>> Lister::answers(std::string query) {
  auto page = co_await p_.api.list(kind_, "limit=1" + query, "");
  if (page) co_return true;
  if (refuses_the_question(page.assume_error())) co_return false;
  co_return page.error();
}

/// One question for each thing that a Hub may not know; once in the life of a store.
awaitable<Result<>> Lister::probe() {
  HM_CO_TRY(const bool lists, co_await answers(""));
  if (!lists)
    co_return Error(Errc::BadInput, src_ + " refuses to list " + std::string(api_segment(kind_)) +
                                        " at all; is it a Hub? Look at upstream.url");
  ListingTraits found = usual_traits(kind_);
  std::vector<std::string> known;
  for (const std::string& field : found.expand) {
    HM_CO_TRY(const bool knows, co_await answers("&expand=" + field));
    if (knows) known.push_back(field);
  }
  found.expand = std::move(known);
  HM_CO_TRY(found.sorts_by_created, co_await answers("&sort=createdAt"));
  HM_CO_TRY(found.sorts_by_modified, co_await answers("&sort=lastModified"));
  HM_CO_TRY(found.direction, co_await answers("&sort=createdAt&direction=1"));
  storage::Batch batch;
  save_traits(batch, src_, kind_, found);
  traits_ = std::move(found);
  log(LogLevel::Info, "learnt what the listings can do",
      {{"kind", std::string(name_of(kind_))}, {"query", listing_query(traits_, Order::Created)}});
  co_return co_await run_on(p_.disk, [&] { return p_.index.commit(batch); });
}

/// A full page that names no next one is the last of a Hub with cursors, and the only one of a Hub without.
awaitable<Result<bool>> Lister::finds_out_no_cursors(std::size_t rows) {
  if (!traits_.cursors || rows < traits_.page) co_return false;
  HM_CO_TRY(const auto one, co_await p_.api.list(kind_, "limit=1", ""));
  if (!one.next.empty() || one.items.size() != 1) co_return false;
  traits_.cursors = false;
  traits_.page = kPageWithoutCursors;
  log(LogLevel::Warning, "this Hub pages without cursors: what is behind one page cannot be listed",
      {{"kind", std::string(name_of(kind_))}, {"page", std::to_string(traits_.page)}});
  storage::Batch batch;
  save_traits(batch, src_, kind_, traits_);
  HM_CO_TRY(co_await run_on(p_.disk, [&] { return p_.index.commit(batch); }));
  co_return true;
}

awaitable<Result<ListingReport>> Lister::store(hub::ListPage page, std::optional<std::uint32_t> sweep,
                                               storage::Batch state) {
  ListingReport report;
  report.pages = 1;
  report.bad_items = page.bad_items.size();
  log_bad_items(page, kind_);
  auto write = [&]() -> Result<provenance::ListingOutcome> {
    const auto items = listings_of(page, kind_, src_, report.bad_items);
    return p_.recorder.record_listing(src_, items, sweep, std::move(state));
  };
  HM_CO_TRY(const auto outcome, co_await run_on(p_.disk, write));
  report.listed = outcome.listed;
  report.added = outcome.added;
  report.changed = outcome.changed;
  report.moved = outcome.moved;
  report.replaced = outcome.replaced;
  co_return report;
}

awaitable<Result<hub::ListPage>> Lister::next_of_sweep() {
  if (sweep_.cursor.empty()) co_return co_await first_page(Order::Created);
  auto page = co_await p_.api.list(kind_, "", sweep_.cursor);
  const bool expired =
      !page && (refuses_the_question(page.assume_error()) || page.assume_error().code == Errc::NotFound);
  if (page) restarts_ = 0;
  if (!expired) co_return page;
  if (++restarts_ > kRestartsMax) {  // an expired cursor is no news; one that is refused at once never helps
    restarts_ = 0;
    co_return Error(Errc::Refused, "the upstream refuses the page that its own listing names as the next one: " +
                                       page.assume_error().what);
  }
  sweep_.pages = sweep_.listed = 0;
  log(LogLevel::Warning, "the upstream no longer knows where the sweep was; it begins again",
      {{"kind", std::string(name_of(kind_))}, {"why", page.assume_error().what}});
  co_return co_await first_page(Order::Created);
}

awaitable<Result<ListingReport>> Lister::sweep_page() {
  if (sweep_.running && sweep_.listed_all) co_return co_await end_sweep();
  SweepState before = sweep_;
  if (!sweep_.running) {
    ++sweep_.number;
    sweep_.running = true;
    sweep_.cursor.clear();
    sweep_.began_ms = p_.clock.unix_ms();
    sweep_.pages = sweep_.listed = 0;
  }
  auto page = co_await next_of_sweep();
  if (page && page.assume_value().next.empty()) {
    const std::size_t rows = page.assume_value().items.size() + page.assume_value().bad_items.size();
    HM_CO_TRY(const bool learnt, co_await finds_out_no_cursors(rows));
    if (learnt) page = co_await first_page(Order::Created);
  }
  if (!page) {
    sweep_ = std::move(before);
    co_return page.error();
  }
  ++sweep_.pages;
  sweep_.listed += page.assume_value().items.size();
  sweep_.cursor = page.assume_value().next;
  sweep_.listed_all = sweep_.cursor.empty();
  storage::Batch state;
  put_sweep(state);
  HM_CRASH_POINT("lister.sweep_page");
  auto report = co_await store(std::move(page).assume_value(), sweep_.number, std::move(state));
  if (!report) {
    sweep_ = std::move(before);
    co_return report;
  }
  if (!sweep_.listed_all) co_return report;
  HM_CO_TRY(const auto end, co_await end_sweep());
  report.assume_value() += end;
  co_return report;
}

awaitable<Result<ListingReport>> Lister::end_sweep() {
  SweepState ended = sweep_;
  ended.running = ended.listed_all = false;
  ended.ended_ms = p_.clock.unix_ms();
  ended.pages_before = sweep_.pages;
  std::swap(ended, sweep_);
  storage::Batch state;
  put_sweep(state);
  HM_CRASH_POINT("lister.sweep_ends");
  // One page that may have been cut tells of nothing that is missing.
  const bool whole = traits_.cursors || sweep_.listed < kPageUsual;
  auto finish = [&]() -> Result<std::vector<RepoKey>> {
    if (whole)
      return p_.recorder.finish_sweep(src_, kind_, sweep_.number, sweep_.began_ms, o_.missing_patience_ms,
                                      std::move(state));
    HM_TRY(p_.index.commit(state));
    return std::vector<RepoKey>();
  };
  auto missing = co_await run_on(p_.disk, finish);
  if (!missing) {
    sweep_ = std::move(ended);
    co_return missing.error();
  }
  missing_ = std::move(missing).assume_value();
  co_return ListingReport();
}

awaitable<Result<ListingReport>> Lister::ask_for_missing() {
  ListingReport report;
  if (missing_.empty()) co_return report;
  HM_CO_TRY(const bool gone, co_await confirm_gone(missing_.back()));
  if (gone) ++report.gone;
  missing_.pop_back();
  co_return report;
}

/// Asks for one repository by its name. What cannot be told now is asked again after the next sweep.
awaitable<Result<bool>> Lister::confirm_gone(RepoKey missing) {
  HM_CO_TRY(const auto row, co_await run_on(p_.disk, [&] { return storage::find_listing(p_.index, missing); }));
  if (!row) co_return false;
  RepoId name{kind_, row->name};  // a temporary would be destroyed twice by g++ 12
  const auto info = co_await p_.api.repo_info(std::move(name), std::nullopt);
  int gone_status = 0;
  if (!info) {
    const Error& error = info.assume_error();
    if (error.code == Errc::Cancelled || error.code == Errc::RateLimited) co_return error;
    if (error.code != Errc::NotFound) co_return false;
    gone_status = error.http_status != 0 ? error.http_status : kNotFound;
  } else if (info.assume_value().rid && *info.assume_value().rid != missing.rid) {
    gone_status = kNotFound;  // its name is another's now
  }
  if (gone_status != 0) {
    HM_CO_TRY(co_await run_on(p_.disk, [&] { return p_.recorder.record_listing_gone(missing, gone_status); }));
    co_return true;
  }
  auto still_there = [&]() -> Result<> {  // not listed, and there: private to others, or disabled
    HM_TRY(json::value facts, parse_json(row->facts));
    if (!facts.is_object())
      return Error{Errc::Corrupt, "the facts of listing row " + missing.text() + " are no object"};
    facts.get_object()["private"] = info.assume_value().is_private;
    facts.get_object()["disabled"] = info.assume_value().disabled;
    provenance::Listing seen =
        provenance::read_listing({kind_, info.assume_value().id}, missing.rid, std::move(facts.get_object()));
    seen.popularity.reset();  // the row has none
    HM_TRY(p_.recorder.record_listing(src_, {seen}, std::nullopt, {}));
    return ok();
  };
  HM_CO_TRY(co_await run_on(p_.disk, still_there));
  co_return false;
}

std::int64_t Lister::time_of(const hub::ListItem& item) const {
  return (traits_.sorts_by_modified ? item.last_modified_ms : item.created_ms).value_or(0);
}

awaitable<Result<ListingReport>> Lister::tail() {
  HM_CO_TRY(auto page, co_await first_page(Order::Modified));
  // A commit may bear a date in the future: that must not lift the mark over what comes before it.
  std::int64_t newest_ms = page.items.empty() ? watermark_ms_ : time_of(page.items.front());
  newest_ms = std::min(newest_ms, p_.clock.unix_ms());
  const std::int64_t until_ms = watermark_ms_ - o_.tail_overlap_ms;
  ListingReport report;
  for (;;) {
    const std::int64_t oldest_ms = page.items.empty() ? 0 : time_of(page.items.back());
    std::string next = std::move(page.next);
    HM_CO_TRY(const auto one, co_await store(std::move(page), std::nullopt, {}));
    report += one;
    if (watermark_ms_ == 0 || next.empty() || oldest_ms < until_ms || report.pages >= o_.tail_pages_max) break;
    HM_CO_TRY(page, co_await p_.api.list(kind_, "", std::move(next)));
  }
  if (newest_ms == watermark_ms_) co_return report;
  storage::Batch state;
  state.put(Family::Meta, key("tail"), storage::key::u64(static_cast<std::uint64_t>(newest_ms)));
  HM_CRASH_POINT("lister.tail_ends");
  HM_CO_TRY(co_await run_on(p_.disk, [&] { return p_.index.commit(state); }));
  watermark_ms_ = newest_ms;
  co_return report;
}

awaitable<Result<ListingReport>> Lister::hot() {
  ListingReport report;
  for (const Order order : {Order::Downloads, Order::Trending}) {
    auto page = co_await first_page(order);
    if (!page && refuses_the_question(page.assume_error())) continue;  // it helps to choose; nothing depends on it
    if (!page) co_return page.error();
    HM_CO_TRY(const auto one, co_await store(std::move(page).assume_value(), std::nullopt, {}));
    report += one;
  }
  co_return report;
}
}  // namespace hm::crawler
