// What the reader makes of bytes, however they were cut up on their way.
#include "server/http/request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace hm::server {
namespace {
using State = RequestReader::State;

/// All that a reader says of some bytes, as text that can be compared.
struct Outcome {
  State state = State::Head;
  int status = 0;
  std::string told;  ///< method, target, fields, body
  std::string rest;  ///< what it left, for the next request
  bool operator==(const Outcome&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Outcome& o) {
  return out << "state " << static_cast<int>(o.state) << ", status " << o.status << ", " << o.told << ", rest \""
             << o.rest << '"';
}

constexpr std::uint64_t kBodyMax = 1000;

/// `cuts`: where the bytes are cut; each piece is fed until it is taken, as a connection does.
Outcome read(std::string_view bytes, const std::vector<std::size_t>& cuts = {}, ReadLimits limits = {},
             std::uint64_t body_max = kBodyMax) {
  RequestReader reader(limits);
  std::vector<std::size_t> ends = cuts;
  ends.push_back(bytes.size());
  std::size_t at = 0;
  for (const std::size_t end : ends)
    while (at < end && reader.state() != State::Done && reader.state() != State::Bad) {
      at += reader.feed(bytes.substr(at, end - at));
      if (reader.state() == State::Body && reader.head().body.empty()) {
        static_cast<void>(reader.wants_continue());
        reader.accept_body(body_max);
      }
    }
  Outcome out;
  out.state = reader.state();
  if (out.state == State::Bad) out.status = reader.problem().status;
  if (out.state == State::Done) {
    const Request request = reader.take();
    out.told = std::string(name_of(request.method)) + " " + request.target + (request.http10 ? " 1.0" : " 1.1") +
               (request.keep_alive ? " keep" : " close") + " host=" + std::string(request.header("hOST")) +
               " x=" + std::string(request.header("X")) + " body=" + request.body;
    out.rest = bytes.substr(at);
  }
  return out;
}
int status_of(std::string_view bytes) { return read(bytes).status; }
std::string get(std::string_view fields = "", std::string_view target = "/") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: m\r\n" + std::string(fields) + "\r\n";
}
std::string post(std::string_view fields, std::string_view body) {
  return "POST /p HTTP/1.1\r\nHost: m\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
const std::string kChunked = "Transfer-Encoding: chunked\r\n";

TEST(RequestTest, EverySplitGivesWhatTheWholeGives) {
  const std::vector<std::string> inputs{
      get(),
      get("X: a value\r\nAccept: */*\r\n", "/a%20b?c=d&e"),
      get("Connection: close\r\n") + get(),
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: h\r\n\r\n",
      post("Content-Length: 11\r\n", "hello world") + get(),
      post("Content-Length: 0\r\n", "") + "GET",
      post(kChunked, "5\r\nhello\r\n6;ext=\"q\"\r\n world\r\n0\r\n\r\n") + get(),
      post(kChunked, "1\r\na\r\n1\r\nb\r\n000\r\nTrailer: t\r\nX: late\r\n\r\n") + "next",
      post(kChunked + "Expect: 100-continue\r\n", "A\r\n0123456789\r\n0\r\n\r\n"),
      // and what is refused
      post(kChunked, "5\r\nhelloX\r\n0\r\n\r\n"),
      post(kChunked, "zz\r\n\r\n"),
      post(kChunked, "3e9\r\n"),
      post("Content-Length: 1001\r\n", "x"),
      "GET /\n\n",
      get("X: a\r\n folded\r\n"),
      get("X : a\r\n"),
      "\x16\x03\x01\x02",
      std::string("GET / HTTP/1.1\r\nHost: m\r\nX: a\0b\r\n\r\n", 36),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const std::string& input : inputs) {
    const Outcome whole = read(input);
    std::vector<std::size_t> each;
    for (std::size_t i = 1; i < input.size(); ++i) {
      each.push_back(i);
      EXPECT_EQ(read(input, {i}), whole) << "cut at " << i << " of " << input;
      for (std::size_t j = i + 1; j < input.size(); j += 3)
        ASSERT_EQ(read(input, {i, j}), whole) << "cut at " << i << " and " << j << " of " << input;
    }
    EXPECT_EQ(read(input, each), whole) << "byte by byte: " << input;
  }
}

TEST(RequestTest, AGoodRequestIsReadWithItsFieldsAndBody) {
  EXPECT_EQ(read(get("X: one\r\nX: two\r\n", "/a?b")).told, "GET /a?b 1.1 keep host=m x=one body=");
  EXPECT_EQ(read(post("Content-Length: 2\r\n", "hi")).told, "POST /p 1.1 keep host=m x= body=hi");
  EXPECT_EQ(read(post(kChunked, "2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n")).told, "POST /p 1.1 keep host=m x= body=hi!");
  EXPECT_EQ(read("GET / HTTP/1.0\r\n\r\n").told, "GET / 1.0 close host= x= body=");
}

TEST(RequestTest, AFieldInATrailerIsNoFieldOfTheRequest) {
  EXPECT_EQ(read(post(kChunked, "0\r\nX: late\r\nHost: other\r\n\r\n")).told, "POST /p 1.1 keep host=m x= body=");
}

TEST(RequestTest, BytesBehindARequestAreLeftForTheNext) {
  const std::string second = get("X: second\r\n");
  EXPECT_EQ(read(get() + second).rest, second);
  EXPECT_EQ(read(post("Content-Length: 2\r\n", "hi") + second).rest, second);
  EXPECT_EQ(read(post(kChunked, "2\r\nhi\r\n0\r\n\r\n") + second).rest, second);
}

TEST(RequestTest, AHeadStopsTheReaderUntilTheBodyIsAccepted) {
  RequestReader reader({});
  const std::string head = post("Content-Length: 5\r\nExpect: 100-Continue\r\n", "");
  EXPECT_EQ(reader.feed(head + "hello"), head.size());
  ASSERT_EQ(reader.state(), State::Body);
  EXPECT_TRUE(reader.wants_continue());
  EXPECT_EQ(reader.head().path(), "/p");
  reader.accept_body(5);
  EXPECT_EQ(reader.feed("hello!"), 5U);
  EXPECT_EQ(reader.state(), State::Done);
  EXPECT_EQ(reader.take().body, "hello");
}

TEST(RequestTest, AnOldClientIsNotToldToContinue) {
  RequestReader reader({});
  reader.feed("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  ASSERT_EQ(reader.state(), State::Body);
  EXPECT_FALSE(reader.wants_continue());
}

TEST(RequestTest, ABodyMayBeAsLongAsTheRouteTakes) {
  const std::string body(kBodyMax, 'b');
  EXPECT_EQ(read(post("Content-Length: 1000\r\n", body)).state, State::Done);
  EXPECT_EQ(status_of(post("Content-Length: 1001\r\n", body + "b")), 413);
  EXPECT_EQ(read(post(kChunked, "3e8\r\n" + body + "\r\n0\r\n\r\n")).state, State::Done);
  EXPECT_EQ(status_of(post(kChunked, "3e8\r\n" + body + "\r\n1\r\nb\r\n0\r\n\r\n")), 413);
  EXPECT_EQ(status_of(post(kChunked, "ffffffffffffffff\r\n")), 413);
  EXPECT_EQ(status_of(post(kChunked, "10000000000000000\r\n")), 400);
}

TEST(RequestTest, ChunksThatAreMostlyExtensionsAreRefused) {
  std::string body;
  const std::string chunk = "1;" + std::string(2000, 'e') + "\r\nb\r\n";
  for (int i = 0; i < 60; ++i) body += chunk;
  EXPECT_EQ(status_of(post(kChunked, body + "0\r\n\r\n")), 413);
  RequestReader reader({});
  reader.feed(post(kChunked, ""));
  reader.accept_body(kBodyMax);
  const std::string piece(1000, 'e');
  reader.feed("1;");
  for (int i = 0; i < 70 && reader.state() == State::Body; ++i) reader.feed(piece);
  EXPECT_EQ(reader.problem().status, 413) << "a line of the coding that never ends is not kept for ever";
}

TEST(RequestTest, AHundredFieldsAreEnough) {
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "F" + std::to_string(i) + ": v\r\n";
  EXPECT_EQ(read(get(fields)).state, State::Done);
  EXPECT_EQ(status_of(get(fields + "One: more\r\n")), 431);
}

TEST(RequestTest, AHeadHas64KibiBytesAtMost) {
  const std::size_t around = get("X: \r\n").size(), most = 64U << 10;
  EXPECT_EQ(read(get("X: " + std::string(most - around, 'x') + "\r\n")).state, State::Done);
  EXPECT_EQ(status_of(get("X: " + std::string(most - around + 1, 'x') + "\r\n")), 431);
  EXPECT_EQ(status_of(std::string(most + 1, 'x')), 431) << "a head that never ends";
}

TEST(RequestTest, AnAddressHas16KibiBytesAtMost) {
  EXPECT_EQ(read(get("", "/" + std::string((16U << 10) - 1, 'a'))).state, State::Done);
  EXPECT_EQ(status_of(get("", "/" + std::string(16U << 10, 'a'))), 414);
}

TEST(RequestTest, WhatProxiesReadDifferentlyIsRefused) {
  const std::vector<std::string> bad{
      get("X: a\r\n b\r\n"),                                          // a folded field
      get("X: a\r\n\tb\r\n"),                                         //
      "GET / HTTP/1.1\nHost: m\n\n",                                  // lines without CR
      "GET / HTTP/1.1\r\nHost: m\r\nX: a\nY: b\r\n\r\n",              //
      "GET / HTTP/1.1\r\nHost: m\r\nX: a\rY: b\r\n\r\n",              // a CR alone
      "GET / HTTP/1.1\r\nHost: m\r\n\n",                              //
      std::string("GET /\0 HTTP/1.1\r\nHost: m\r\n\r\n", 29),         // NUL
      get("Host: m\r\n"),                                             // two of them
      "GET / HTTP/1.1\r\n\r\n",                                       // none
      "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",                          //
      "GET / HTTP/1.1\r\nHost:\r\n\r\n",                              //
      "GET / HTTP/1.1\r\nHost: m/../x\r\n\r\n",                       //
      post("Content-Length: 3\r\n" + kChunked, "0\r\n\r\n"),          // two kinds of length
      post(kChunked + "Content-Length: 3\r\n", "0\r\n\r\n"),          //
      post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),      //
      post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"),      //
      post("Content-Length: 3, 3\r\n", "abc"),                        //
      post("Content-Length: +3\r\n", "abc"),                          //
      post("Content-Length: -3\r\n", "abc"),                          //
      post("Content-Length: 0x3\r\n", "abc"),                         //
      post("Content-Length: 99999999999999999999\r\n", "abc"),        //
      post("Content-Length: \r\n", "abc"),                            //
      post(kChunked + kChunked, "0\r\n\r\n"),                         //
      "POST / HTTP/1.0\r\nHost: m\r\n" + kChunked + "\r\n0\r\n\r\n",  // of a version that has no chunks
      get("X : a\r\n"),                                               // a blank before the colon
      get(" X: a\r\n"),                                               //
      get("X Y: a\r\n"),                                              //
      get(": a\r\n"),                                                 // no name
      get("X\r\n"),                                                   // no colon
      get("X\xc3\xa4: a\r\n"),                                        //
      get("", "*"),
      get("", "example.com:80"),
      get("", "a/b"),  // no paths
      get("", "http:///x"),
      get("", "/\x7f"),
      get("", "/\xc3\xa4"),                                   //
      "CONNECT example.com:443 HTTP/1.1\r\nHost: m\r\n\r\n",  //
      "GET  / HTTP/1.1\r\nHost: m\r\n\r\n",                   //
      "GET /\tHTTP/1.1\r\nHost: m\r\n\r\n",
      " GET / HTTP/1.1\r\nHost: m\r\n\r\n",  //
      "\r\n" + get(),
      "GET\r\n\r\n",
      "GET /\r\n\r\n",
      "G@T / HTTP/1.1\r\nHost: m\r\n\r\n",  //
      post(kChunked, "5;a\nb\r\nhello\r\n0\r\n\r\n"),
      post(kChunked, "5\nhello\r\n0\r\n\r\n"),  // chunks of odd form
      post(kChunked, "0x5\r\nhello\r\n0\r\n\r\n"),
      post(kChunked, "-5\r\nhello\r\n0\r\n\r\n"),  //
      post(kChunked, " 5\r\nhello\r\n0\r\n\r\n"),
      post(kChunked, "5\r\nhello0\r\n\r\n"),  //
      post(kChunked, "\r\n0\r\n\r\n"),
      post(kChunked, "5\r\nhello\n0\r\n\r\n"),  //
  };
  for (const std::string& input : bad) EXPECT_EQ(status_of(input), 400) << input;
}

TEST(RequestTest, CodingsOfABodyOtherThanChunkedAreNotKnown) {
  for (const char* coding :
       {"gzip, chunked", "xchunked", "identity", "chunked, chunked", "chunked;q=1", "\"chunked\""}) {
    const int status = status_of(post("Transfer-Encoding: " + std::string(coding) + "\r\n", "0\r\n\r\n"));
    EXPECT_TRUE(status == 501 || status == 400) << coding << ": " << status;
  }
  EXPECT_EQ(read(post("Transfer-Encoding: CHUNKED\r\n", "0\r\n\r\n")).state, State::Done);
}

TEST(RequestTest, OtherVersionsAreNamedAsSuch) {
  for (const char* version :
       {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/11", "HTTP/1.1 ", "HTTP/1.1\t", "HTTP/1.10"})
    EXPECT_EQ(status_of("GET / " + std::string(version) + "\r\nHost: m\r\n\r\n"), 505) << version;
}

TEST(RequestTest, AnAddressWithItsHostIsTheSameAsItsPath) {
  EXPECT_THAT(read(get("", "http://example.com/a?b")).told, testing::StartsWith("GET /a?b "));
  EXPECT_THAT(read(get("", "https://example.com")).told, testing::StartsWith("GET / "));
  EXPECT_THAT(read(get("", "http://example.com?q")).told, testing::StartsWith("GET /?q "));
  EXPECT_THAT(read("OPTIONS * HTTP/1.1\r\nHost: m\r\n\r\n").told, testing::StartsWith("OPTIONS / "));
}

TEST(RequestTest, UnknownMethodsAreReadAsSuch) {
  EXPECT_THAT(read("BREW / HTTP/1.1\r\nHost: m\r\n\r\n").told, testing::StartsWith("OTHER / "));
  EXPECT_THAT(read("get / HTTP/1.1\r\nHost: m\r\n\r\n").told, testing::StartsWith("OTHER / "));
}

TEST(RequestTest, AFormIsReadAsFarAsItsBound) {
  std::string many;
  for (int i = 0; i < 100'000; ++i) many += "&a=1";
  EXPECT_EQ(parse_form(many, 7).size(), 7U);
  EXPECT_TRUE(parse_form(std::string(1'000'000, '&')).empty());
  const auto form = parse_form("a+b=c%2Bd&=&e&%zz=%");
  ASSERT_EQ(form.size(), 4U);
  EXPECT_EQ(form[0].name, "a b");
  EXPECT_EQ(form[0].value, "c+d");
  EXPECT_EQ(form[2].name, "e");
  EXPECT_EQ(form[3].name, "%zz");
}
}  // namespace
}  // namespace hm::server
