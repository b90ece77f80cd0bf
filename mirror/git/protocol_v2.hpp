// mirror/git/protocol_v2.hpp: what is said to and heard from a git server over smart HTTP: requests as bytes, answers
// as readers that take any split. Layer 4; values, no I/O. Version 2 in full; of versions 0 and 1 the advertisement
// (fetching there is smart_transport.hpp's).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "mirror/git/fetch.hpp"
#include "mirror/git/pkt_line.hpp"

namespace hm::mirror {
/// Most "have" lines of a request: the old tips of changed refs come first, and a few hundred commits in common are as
/// good as all.
inline constexpr std::size_t kHavesMax = 256;

/// The answer to GET info/refs?service=git-upload-pack, with or without the "# service" lines, in version 0, 1 or 2.
class AdvertisementReader {
 public:
  /// @param prefixes refs that begin with one of them are kept (versions 0 and 1).
  AdvertisementReader(std::vector<std::string> prefixes, std::uint64_t refs_max);
  /// @returns BadInput: not this protocol, SHA-256 repository, refs twice. Refused: more refs than refs_max, invalid
  /// ref name.
  Result<> feed(std::string_view bytes);
  /// Ends the answer; BadInput when it stops in the middle.
  Result<> finish();
  bool protocol_v2() const { return version_ == 2; }
  bool has_capability(std::string_view name) const;  ///< of version 2, up to '='
  RefMap& refs() { return refs_; }
  const std::string& head() const { return head_; }
  const std::string& capabilities() const { return capabilities_; }  ///< of versions 0 and 1

 private:
  Result<> packet(const Pkt& pkt);
  Result<> first_line(std::string_view line);
  Result<> ref_line(std::string_view line);
  Result<> capability_line(std::string_view line);
  Result<> read_capabilities_v0(std::string_view text);

  const std::vector<std::string> prefixes_;
  const std::uint64_t refs_max_;
  PktLineReader reader_;
  bool service_seen_ = false, service_open_ = false, ended_ = false, first_ref_seen_ = false;
  int version_ = -1;
  std::vector<std::string> capabilities_v2_;
  std::string capabilities_, head_;
  RefMap refs_;
};

/// The answer to ls-refs.
class LsRefsReader {
 public:
  LsRefsReader(std::vector<std::string> prefixes, std::uint64_t refs_max);
  Result<> feed(std::string_view bytes);
  Result<> finish();
  RefMap& refs() { return refs_; }
  const std::string& head() const { return head_; }

 private:
  Result<> packet(const Pkt& pkt);
  const std::vector<std::string> prefixes_;
  const std::uint64_t refs_max_;
  PktLineReader reader_;
  bool ended_ = false;
  RefMap refs_;
  std::string head_;
};

/// The answer to fetch: sections, then the pack in sideband 1.
class FetchResponseReader {
 public:
  using PackSink = std::function<Result<>(std::string_view pack_bytes)>;
  /// @returns Unreachable: the server gave up (ERR line or sideband 3, its words quoted). BadInput: other bytes than
  /// the protocol's.
  Result<> feed(std::string_view bytes, const PackSink& sink);
  /// Ends the answer; Unreachable when it stops before its end.
  Result<> finish();

 private:
  Result<> packet(const Pkt& pkt, const PackSink& sink);
  PktLineReader reader_;
  bool in_pack_ = false, ended_ = false;
};

std::string ls_refs_request(const std::vector<std::string>& prefixes);
/// One round: wants, haves, done. Haves that the server does not know are ignored by it.
std::string fetch_request(const std::vector<GitOid>& wants, const std::vector<GitOid>& haves);
}  // namespace hm::mirror
