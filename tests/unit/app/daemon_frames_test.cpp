// What goes through the daemon's socket, byte by byte, and from whom it is not taken.
#include "app/daemon/frames.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/daemon/socket.hpp"

namespace hm::app {
namespace {
TEST(Frames, ComeBackWholeHoweverTheBytesArrive) {
  const std::string bytes = pack_frame(FrameKind::Out, std::string("a\0\xff", 3)) +
                            pack_frame(FrameKind::WantInput, "") + pack_frame(FrameKind::Exit, "3");
  EXPECT_EQ(bytes.substr(0, 8), std::string("\0\0\0\3oa\0\xff", 8));
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    FrameReader reader;
    std::string kinds, payloads;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.add(std::string_view(bytes).substr(at, step));
      for (auto frame = reader.next(); frame.value(); frame = reader.next()) {
        kinds += static_cast<char>(frame.value()->kind);
        payloads += frame.value()->payload;
      }
    }
    EXPECT_EQ(kinds, "owx");
    EXPECT_EQ(payloads, std::string("a\0\xff"
                                    "3",
                                    4));
  }
}

TEST(Frames, WhatIsNoneIsRefused) {
  for (const std::string& bytes :
       {std::string("\0\0\0\0?", 5), std::string("\xff\xff\xff\xffo"), std::string("GET / HTTP/1.1")}) {
    FrameReader reader;
    reader.add(bytes);
    EXPECT_FALSE(reader.next()) << bytes;
  }
}

TEST(Frames, RequestsComeBackWhole) {
  DaemonRequest request;
  request.arguments = {"hubmirror", "mirror", "org/näme", ""};
  request.directory = "/home/someone";
  request.input_name = "list.txt";
  request.err_is_terminal = true;
  const auto back = unpack_request_frame(pack_request(request));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back.value().what, "command");
  EXPECT_EQ(back.value().arguments, request.arguments);
  EXPECT_EQ(back.value().directory, request.directory);
  EXPECT_EQ(back.value().input_name, request.input_name);
  EXPECT_TRUE(back.value().err_is_terminal);
  EXPECT_FALSE(back.value().in_is_terminal);
  for (const char* bad : {"", "[]", "{}", R"({"arguments":[1]})"}) EXPECT_FALSE(unpack_request_frame(bad)) << bad;
}

TEST(Socket, IsForItsOwnerAndTakesThePlaceOfADeadOne) {
  const std::string folder = testing::TempDir() + std::string(150, 'd') + std::to_string(::getpid());
  ASSERT_EQ(::mkdir(folder.c_str(), 0755), 0);
  EXPECT_FALSE(connect_in(folder));
  {
    ASSERT_TRUE(listen_in(folder));
  }
  EXPECT_FALSE(connect_in(folder)) << "nobody listens there any more";
  const auto listening = listen_in(folder);
  ASSERT_TRUE(listening) << listening.error().what;
  struct stat st{};
  ASSERT_EQ(::stat(daemon_socket_path(folder).c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600U);
  auto client = connect_in(folder);
  ASSERT_TRUE(client);
  auto accepted = accept_from(listening.value());
  ASSERT_TRUE(accepted);
  Conversation talk(std::move(*accepted));
  EXPECT_FALSE(talk.stopped().stop_requested());
  client.reset();
  EXPECT_FALSE(talk.request({})) << "it went away without a word";
  EXPECT_TRUE(talk.stopped().stop_requested());
  EXPECT_EQ(talk.input(), "");
  ::unlink(daemon_socket_path(folder).c_str());
  ::rmdir(folder.c_str());
}
}  // namespace
}  // namespace hm::app
