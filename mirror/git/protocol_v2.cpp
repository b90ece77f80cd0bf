#include "mirror/git/protocol_v2.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "mirror/git/packed_refs.hpp"

namespace hm::mirror {
namespace {
constexpr std::string_view kAgent = "agent=hubmirror";
constexpr std::size_t kCapabilitiesMax = 256;  // of version 2; git sends about ten
constexpr std::size_t kQuotedBytesMax = 500;   // of a server's message
constexpr std::size_t kHexDigits = GitOid::kSize * 2;

std::string_view without_newline(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  return line;
}
std::string quoted(std::string_view text) { return "\"" + printable(trim(text).substr(0, kQuotedBytesMax)) + "\""; }

Error not_the_protocol(std::string_view line) {
  return {Errc::BadInput, "not an answer of a git server: " + quoted(line)};
}
Error server_gave_up(std::string_view message) { return {Errc::Unreachable, "git server says " + quoted(message)}; }

bool begins_with_any(std::string_view name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& p) { return name.starts_with(p); });
}

Result<> add_ref(RefMap& refs, std::string_view name, const GitOid& oid, std::uint64_t refs_max) {
  if (!is_valid_ref_name(name))
    return Error{Errc::Refused, "upstream has a ref with the forbidden name " + quoted(name)};
  if (refs.size() >= refs_max)
    return Error{Errc::Refused, "upstream has more than " + std::to_string(refs_max) + " refs"};
  const std::size_t before = refs.size();
  refs.emplace_hint(refs.end(), std::string(name), oid);
  if (refs.size() == before) return Error{Errc::BadInput, "upstream lists the ref " + std::string(name) + " twice"};
  return ok();
}

/// "<40 hex> <rest>"
Result<GitOid> take_oid(std::string_view& line) {
  const auto oid =
      line.size() > kHexDigits && line[kHexDigits] == ' ' ? GitOid::parse(line.substr(0, kHexDigits)) : std::nullopt;
  if (!oid) return not_the_protocol(line);
  line.remove_prefix(kHexDigits + 1);
  return *oid;
}
}  // namespace

AdvertisementReader::AdvertisementReader(std::vector<std::string> prefixes, std::uint64_t refs_max)
    : prefixes_(std::move(prefixes)), refs_max_(refs_max) {}

Result<> AdvertisementReader::feed(std::string_view bytes) {
  return reader_.feed(bytes, [this](const Pkt& pkt) { return packet(pkt); });
}

Result<> AdvertisementReader::finish() {
  if (!reader_.at_boundary() || !ended_) return Error{Errc::BadInput, "the list of refs ends in the middle"};
  return ok();
}

bool AdvertisementReader::has_capability(std::string_view name) const {
  return std::any_of(capabilities_v2_.begin(), capabilities_v2_.end(),
                     [&](std::string_view c) { return c.substr(0, c.find('=')) == name; });
}

Result<> AdvertisementReader::packet(const Pkt& pkt) {
  if (pkt.kind != PktKind::Data) {
    if (pkt.kind != PktKind::Flush) return not_the_protocol("a delimiter in the list of refs");
    if (service_open_)
      service_open_ = false;  // the flush that closes "# service"
    else
      ended_ = true;
    return ok();
  }
  if (ended_) return not_the_protocol("lines behind the end");
  const std::string_view line = without_newline(pkt.payload);
  if (line.starts_with("ERR ")) return server_gave_up(line.substr(4));
  if (version_ < 0) return first_line(line);
  return version_ == 2 ? capability_line(line) : ref_line(line);
}

Result<> AdvertisementReader::first_line(std::string_view line) {
  if (line.starts_with("# service=") && !service_seen_) {
    if (line != "# service=git-upload-pack") return not_the_protocol(line);
    service_seen_ = service_open_ = true;
    return ok();
  }
  if (line == "version 2") {
    version_ = 2;
    return ok();
  }
  version_ = line == "version 1" ? 1 : 0;
  return version_ == 1 ? Result<>(ok()) : ref_line(line);
}

Result<> AdvertisementReader::capability_line(std::string_view line) {
  if (line.starts_with("object-format=") && line != "object-format=sha1")
    return Error{Errc::BadInput, "repository uses " + printable(line) + "; only sha1 is supported"};
  if (capabilities_v2_.size() >= kCapabilitiesMax) return not_the_protocol("too many capabilities");
  capabilities_v2_.emplace_back(line);
  return ok();
}

Result<> AdvertisementReader::read_capabilities_v0(std::string_view text) {
  capabilities_ = text;
  for (const std::string_view word : split(text, ' ')) {
    if (word.starts_with("symref=HEAD:")) head_ = word.substr(12);
    if (word.starts_with("object-format=") && word != "object-format=sha1")
      return Error{Errc::BadInput, "repository uses " + printable(word) + "; only sha1 is supported"};
  }
  if (!head_.empty() && !is_valid_ref_name(head_))
    return Error{Errc::Refused, "upstream's HEAD points to the forbidden name " + quoted(head_)};
  return ok();
}

Result<> AdvertisementReader::ref_line(std::string_view line) {
  if (line.starts_with("shallow "))
    return ok();  // upstream itself is a shallow clone; connectivity decides whether that is a problem
  if (!first_ref_seen_) {
    first_ref_seen_ = true;
    const auto nul = line.find('\0');
    if (nul == std::string_view::npos) return not_the_protocol(line);
    HM_TRY(read_capabilities_v0(line.substr(nul + 1)));
    line = line.substr(0, nul);
    if (line.ends_with(" capabilities^{}")) return ok();  // an empty repository
  }
  HM_TRY(const GitOid oid, take_oid(line));
  if (line.ends_with("^{}") || !begins_with_any(line, prefixes_)) return ok();
  return add_ref(refs_, line, oid, refs_max_);
}

LsRefsReader::LsRefsReader(std::vector<std::string> prefixes, std::uint64_t refs_max)
    : prefixes_(std::move(prefixes)), refs_max_(refs_max) {}

Result<> LsRefsReader::feed(std::string_view bytes) {
  return reader_.feed(bytes, [this](const Pkt& pkt) { return packet(pkt); });
}

Result<> LsRefsReader::finish() {
  if (!reader_.at_boundary() || !ended_) return Error{Errc::BadInput, "the list of refs ends in the middle"};
  return ok();
}

Result<> LsRefsReader::packet(const Pkt& pkt) {
  if (pkt.kind == PktKind::Flush) ended_ = true;
  if (pkt.kind == PktKind::Flush || pkt.kind == PktKind::ResponseEnd) return ok();
  if (pkt.kind != PktKind::Data || ended_) return not_the_protocol("a delimiter, or lines behind the end");
  std::string_view line = without_newline(pkt.payload);
  if (line.starts_with("ERR ")) return server_gave_up(line.substr(4));
  if (line.starts_with("unborn ")) return ok();
  HM_TRY(const GitOid oid, take_oid(line));
  const auto words = split(line, ' ');
  if (words[0] == "HEAD") {
    for (const std::string_view attribute : words) {
      if (attribute.starts_with("symref-target:")) head_ = attribute.substr(14);
    }
    if (!head_.empty() && !is_valid_ref_name(head_))
      return Error{Errc::Refused, "upstream's HEAD points to the forbidden name " + quoted(head_)};
    return ok();
  }
  if (!begins_with_any(words[0], prefixes_)) return ok();  // a server may send more than it was asked for
  return add_ref(refs_, words[0], oid, refs_max_);
}

Result<> FetchResponseReader::feed(std::string_view bytes, const PackSink& sink) {
  return reader_.feed(bytes, [&](const Pkt& pkt) { return packet(pkt, sink); });
}

Result<> FetchResponseReader::finish() {
  if (!reader_.at_boundary() || !ended_)
    return Error{Errc::Unreachable, "upstream's pack ends in the middle of the transfer"};
  return ok();
}

Result<> FetchResponseReader::packet(const Pkt& pkt, const PackSink& sink) {
  if (pkt.kind == PktKind::Flush) ended_ = true;
  if (pkt.kind != PktKind::Data) return ok();  // delimiters between sections
  if (ended_) return not_the_protocol("lines behind the end");
  if (!in_pack_) {
    const std::string_view line = without_newline(pkt.payload);
    if (line.starts_with("ERR ")) return server_gave_up(line.substr(4));
    in_pack_ = line == "packfile";  // other sections: acknowledgments, shallow-info
    return ok();
  }
  if (pkt.payload.empty()) return ok();
  const std::string_view rest = pkt.payload.substr(1);
  switch (pkt.payload[0]) {
    case 1:
      return sink(rest);
    case 2:
      return ok();  // progress for people
    case 3:
      return server_gave_up(rest);
    default:
      if (pkt.payload.starts_with("ERR ")) return server_gave_up(pkt.payload.substr(4));
      return not_the_protocol("unknown sideband");
  }
}

std::string ls_refs_request(const std::vector<std::string>& prefixes) {
  std::string out;
  append_pkt(out, "command=ls-refs\n");
  append_pkt(out, std::string(kAgent) + "\n");
  out += kDelimiterPkt;
  append_pkt(out, "symrefs\n");
  append_pkt(out, "ref-prefix HEAD\n");
  for (const std::string& prefix : prefixes) append_pkt(out, "ref-prefix " + prefix + "\n");
  out += kFlushPkt;
  return out;
}

std::string fetch_request(const std::vector<GitOid>& wants, const std::vector<GitOid>& haves) {
  constexpr std::size_t kLineBytes = 4 + 5 + kHexDigits + 1;
  std::string out;
  out.reserve(256 + (wants.size() + haves.size()) * kLineBytes);
  append_pkt(out, "command=fetch\n");
  append_pkt(out, std::string(kAgent) + "\n");
  out += kDelimiterPkt;
  for (const char* argument : {"thin-pack\n", "ofs-delta\n", "no-progress\n"}) append_pkt(out, argument);
  for (const GitOid& want : wants) append_pkt(out, "want " + want.hex() + "\n");
  for (const GitOid& have : haves) append_pkt(out, "have " + have.hex() + "\n");
  append_pkt(out, "done\n");
  out += kFlushPkt;
  return out;
}
}  // namespace hm::mirror
