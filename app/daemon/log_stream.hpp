// app/daemon/log_stream.hpp: what a command of the daemon's own prints, as lines of the log. Layer 6.
// Threads: as std::ostream.
#pragma once
#include <ostream>
#include <stop_token>
#include <streambuf>
#include <string>

#include "base/log.hpp"

namespace hm::app {
class LogStream : public std::ostream {
 public:
  /// @param who stands before each line. @param hush fired: nothing more is worth a line
  LogStream(LogLevel level, std::string who, std::stop_token hush)
      : std::ostream(nullptr), lines_(level, std::move(who), std::move(hush)) {
    rdbuf(&lines_);
  }

 private:
  class Lines : public std::streambuf {
   public:
    Lines(LogLevel level, std::string who, std::stop_token hush)
        : level_(level), who_(std::move(who)), hush_(std::move(hush)) {}
    ~Lines() override { end_line(); }

   private:
    int_type overflow(int_type c) override {
      if (c == '\n')
        end_line();
      else if (c != traits_type::eof())
        line_ += static_cast<char>(c);
      return traits_type::not_eof(c);
    }
    void end_line() {
      if (!line_.empty() && !hush_.stop_requested()) log(level_, who_, {{"says", line_}});
      line_.clear();
    }
    const LogLevel level_;
    const std::string who_;
    const std::stop_token hush_;
    std::string line_;
  };
  Lines lines_;
};
}  // namespace hm::app
