// tests/support/memory_index.hpp: an Index on maps, whose bytes survive the object: for tests that kill and reopen many
// thousand times. Threads: safe, by one mutex.
#pragma once
#include <memory>

#include "storage/index.hpp"

namespace hm::test {
/// What is durable. Held by the test; every index that is opened on it sees what the ones before committed.
class MemoryDisk;
std::shared_ptr<MemoryDisk> make_memory_disk();

/// For a writer. A batch is visible and durable when commit() returns, and whole or not there at all.
std::unique_ptr<storage::Index> open_memory_index(std::shared_ptr<MemoryDisk> disk);
}  // namespace hm::test
