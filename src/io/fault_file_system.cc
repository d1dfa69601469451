#include "io/fault_file_system.h"

#include <cerrno>

namespace terrace::io {
namespace {

std::unexpected<Error> injected() {
  return fail(Code::kIo, "injected error", EIO);
}

}  // namespace

Result<std::unique_ptr<File>> FaultFileSystem::open(const std::string& path, OpenOptions options) {
  if (plan_.hits(FaultKind::kOpenError)) return injected();
  return files_.open(path, options);
}

Result<std::vector<std::string>> FaultFileSystem::list(const std::string& directory) {
  if (plan_.hits(FaultKind::kListError)) return injected();
  return files_.list(directory);
}

Result<void> FaultFileSystem::allocate(File& file, uint64_t bytes) {
  if (plan_.hits(FaultKind::kAllocateError)) return injected();
  if (plan_.hits(FaultKind::kAllocateNoSpace)) return fail(Code::kNoSpace, "injected error", ENOSPC);
  return files_.allocate(file, bytes);
}

Result<void> FaultFileSystem::remove(const std::string& path) {
  if (plan_.hits(FaultKind::kRemoveError)) return injected();
  return files_.remove(path);
}

Result<void> FaultFileSystem::sync_directory(const std::string& path) {
  if (plan_.hits(FaultKind::kSyncError)) return injected();
  return files_.sync_directory(path);
}

Result<std::unique_ptr<FileLock>> FaultFileSystem::lock(const std::string& path) {
  if (plan_.hits(FaultKind::kLockError)) return injected();
  return files_.lock(path);
}

Result<void> FaultFileSystem::read(File& file, uint64_t offset, std::span<std::byte> to) {
  const Fault fault = plan_.decide(IoOp::kRead, file, offset, to.size());
  if (fault.kind == Fault::Kind::kError) return injected();
  const auto done = files_.read(file, fault.kind == Fault::Kind::kMove ? fault.at : offset, to);
  if (done && fault.kind == Fault::Kind::kFlip) to[fault.at / 8] ^= std::byte{1} << (fault.at % 8);
  return done;
}

Result<void> FaultFileSystem::write(File& file, uint64_t offset, std::span<const std::byte> from) {
  const Fault fault = plan_.decide(IoOp::kWrite, file, offset, from.size());
  if (fault.kind == Fault::Kind::kMove) return files_.write(file, fault.at, from);
  const bool cut = fault.kind == Fault::Kind::kError || fault.kind == Fault::Kind::kTruncate;
  if (cut) from = from.first(fault.at);
  if (!from.empty() || !cut) {
    if (auto done = files_.write(file, offset, from); !done) return done;
  }
  if (fault.kind == Fault::Kind::kError) return injected();
  return {};
}

Result<void> FaultFileSystem::sync(File& file) {
  if (plan_.decide(IoOp::kSync, file, 0, 0).kind == Fault::Kind::kError) return injected();
  return files_.sync(file);
}

}  // namespace terrace::io
