#include "lab/kit/recorder.h"

#include <utility>

namespace terrace::lab {

using Kind = DiskEvent::Kind;

size_t Recording::add(DiskEvent event) {
  event.when = clock_.now();
  events_.push_back(std::move(event));
  return events_.size() - 1;
}

void Recording::named(const std::string& path) {
  if (names_.contains(path)) return;
  names_[path] = ++last_node_;
  add({.kind = Kind::kCreate, .node = last_node_, .path = path});
}

void Recording::opened(const std::string& path, const io::File& file) {
  named(path);
  files_[&file] = names_.at(path);
}

void Recording::removed(const std::string& path) {
  if (names_.erase(path) > 0) add({.kind = Kind::kRemove, .path = path});
}

// --- the file system

Result<std::unique_ptr<io::File>> RecordingFileSystem::open(const std::string& path,
                                                            io::OpenOptions options) {
  auto file = files_.open(path, options);
  if (file) recording_.opened(path, **file);
  return file;
}

Result<void> RecordingFileSystem::allocate(io::File& file, uint64_t bytes) {
  auto done = files_.allocate(file, bytes);
  if (done) recording_.add({.kind = Kind::kAllocate, .node = recording_.node_of(file), .offset = bytes});
  return done;
}

Result<void> RecordingFileSystem::remove(const std::string& path) {
  auto done = files_.remove(path);
  if (done) recording_.removed(path);
  return done;
}

Result<void> RecordingFileSystem::sync_directory(const std::string& path) {
  auto done = files_.sync_directory(path);
  if (done) recording_.add({.kind = Kind::kDirectorySync, .path = path});
  return done;
}

Result<std::unique_ptr<io::FileLock>> RecordingFileSystem::lock(const std::string& path) {
  auto held = files_.lock(path);
  if (held) recording_.named(path);
  return held;
}

Result<void> RecordingFileSystem::write(io::File& file, uint64_t offset, std::span<const std::byte> from) {
  auto done = files_.write(file, offset, from);
  if (!done) return done;
  const size_t begun = recording_.add({.kind = Kind::kWriteBegins,
                                       .node = recording_.node_of(file),
                                       .offset = offset,
                                       .content = {from.begin(), from.end()}});
  recording_.add({.kind = Kind::kWriteEnds, .begun = begun});
  return done;
}

Result<void> RecordingFileSystem::sync(io::File& file) {
  auto done = files_.sync(file);
  if (!done) return done;
  const size_t begun = recording_.add({.kind = Kind::kSyncBegins, .node = recording_.node_of(file)});
  recording_.add({.kind = Kind::kSyncEnds, .begun = begun});
  return done;
}

// --- the engine

void RecordingEngine::submit(std::span<io::IoRequest> batch) {
  for (io::IoRequest& request : batch) {
    if (request.op == io::IoOp::kRead) continue;
    const bool write = request.op == io::IoOp::kWrite;
    DiskEvent event{.kind = write ? Kind::kWriteBegins : Kind::kSyncBegins,
                    .node = recording_.node_of(*request.file),
                    .offset = request.offset};
    for (const io::IoVec& vec : request.vec) {
      const auto* bytes = static_cast<const std::byte*>(vec.data);
      event.content.insert(event.content.end(), bytes, bytes + vec.bytes);
    }
    const size_t begun = recording_.add(std::move(event));
    request.done = [this, begun, write, done = std::move(request.done)](Result<void> result) mutable {
      if (result) recording_.add({.kind = write ? Kind::kWriteEnds : Kind::kSyncEnds, .begun = begun});
      done(result);
    };
  }
  engine_->submit(batch);
}

}  // namespace terrace::lab
