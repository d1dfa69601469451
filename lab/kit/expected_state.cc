#include "lab/kit/expected_state.h"

#include <cerrno>
#include <cstring>
#include <new>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace terrace::lab {
namespace {

std::unexpected<Failure> system_failure(const std::string& path, const char* what) {
  const int number = errno;
  return failure(Code::kIo, fmt::format("{}: {}: {}", path, what, std::strerror(number)), number);
}

}  // namespace

ExpectedState::ExpectedState(uint32_t keys) : owned_(new Entry[keys]()), entries_(owned_.get(), keys) {}

ExpectedState::ExpectedState(void* mapping, size_t bytes, uint32_t keys)
    : mapping_(mapping),
      mapping_bytes_(bytes),
      head_(static_cast<Head*>(mapping)),
      entries_(reinterpret_cast<Entry*>(static_cast<char*>(mapping) + sizeof(Head)), keys) {}

ExpectedState::~ExpectedState() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_bytes_);
}

Outcome<std::unique_ptr<ExpectedState>> ExpectedState::open(const std::string& path, uint32_t keys) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return system_failure(path, "cannot open");
  const size_t bytes = sizeof(Head) + size_t{keys} * sizeof(Entry);
  struct stat status{};
  const bool sized =
      ::fstat(fd, &status) == 0 && (status.st_size != 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) == 0);
  if (!sized) {
    auto error = system_failure(path, "cannot size");
    ::close(fd);
    return error;
  }
  if (status.st_size != 0 && static_cast<size_t>(status.st_size) != bytes) {
    ::close(fd);
    return failure(Code::kForeign,
                   fmt::format("{}: {} bytes, {} keys need {}", path, status.st_size, keys, bytes));
  }
  void* mapping = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapping == MAP_FAILED) return system_failure(path, "cannot map");
  Head* head = static_cast<Head*>(mapping);
  if (status.st_size == 0) (new (head) Head)->keys = keys;
  if (std::memcmp(head->magic, Head{}.magic, sizeof head->magic) != 0 || head->keys != keys) {
    ::munmap(mapping, bytes);
    return failure(Code::kForeign, fmt::format("{}: not an expected-state file of {} keys", path, keys));
  }
  return std::unique_ptr<ExpectedState>(new ExpectedState(mapping, bytes, keys));
}

KeyState ExpectedState::of(uint32_t key) const {
  const Entry& entry = entries_[key];
  // `removed` first and `begun` last: a reader beside the owner sees at most too much allowed, never too
  // little.
  KeyState state;
  state.removed = entry.removed.load(std::memory_order_acquire);
  state.durable = entry.durable.load(std::memory_order_acquire);
  state.removing = entry.removing.load(std::memory_order_acquire);
  state.begun = entry.begun.load(std::memory_order_acquire);
  return state;
}

Writer ExpectedState::begin_write(uint32_t key) {
  const Writer writer = entries_[key].begun.load(std::memory_order_relaxed) + 1;
  entries_[key].begun.store(writer, std::memory_order_release);
  return writer;
}

void ExpectedState::write_durable(uint32_t key, Writer writer) {
  Entry& entry = entries_[key];
  if (writer > entry.durable.load(std::memory_order_relaxed))
    entry.durable.store(writer, std::memory_order_release);
}

void ExpectedState::begin_remove(uint32_t key) {
  entries_[key].removing.store(entries_[key].begun.load(std::memory_order_relaxed),
                               std::memory_order_release);
}

void ExpectedState::end_remove(uint32_t key) {
  entries_[key].removed.store(entries_[key].removing.load(std::memory_order_relaxed),
                              std::memory_order_release);
}

void ExpectedState::forgive(uint32_t key, Writer removed) {
  Entry& entry = entries_[key];
  entry.durable.store(0, std::memory_order_release);
  if (removed < entry.removed.load(std::memory_order_relaxed))
    entry.removed.store(removed, std::memory_order_release);
}

void ExpectedState::settle(uint32_t key, Writer found) {
  Entry& entry = entries_[key];
  const Writer gone = found == 0 ? entry.begun.load(std::memory_order_relaxed)
                                 : entry.removed.load(std::memory_order_relaxed);
  entry.durable.store(found, std::memory_order_release);
  entry.removing.store(gone, std::memory_order_release);
  entry.removed.store(gone, std::memory_order_release);
}

}  // namespace terrace::lab
