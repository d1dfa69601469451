#include "io/sim/sim_disk.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "base/checksum.h"
#include "io/os_error.h"

namespace terrace::io {
namespace {

std::string clean(const std::string& path) {
  std::string cleaned;
  for (const char c : path) {
    if (c != '/' || cleaned.empty() || cleaned.back() != '/') cleaned.push_back(c);
  }
  if (cleaned.size() > 1 && cleaned.back() == '/') cleaned.pop_back();
  return cleaned;
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void fill_random(base::Random& random, std::span<uint8_t> to) {
  for (uint8_t& byte : to) byte = static_cast<uint8_t>(random.next());
}

}  // namespace

SimDisk::SimDisk(SimDiskOptions options)
    : options_(options), random_(options.seed), capacity_(options.capacity), directories_{".", "/"} {
  fill_random(random_, boot_id_);
}

// --- the end of a life

std::vector<SimDisk::Device*> SimDisk::devices() const {
  base::Lock lock(mutex_);
  return devices_;
}

void SimDisk::kill() {
  base::Random random(0);
  {
    base::Lock lock(mutex_);
    random = base::Random(random_.next());
  }
  for (Device* device : devices()) device->life_ends(random);
  base::Lock lock(mutex_);
  end_life();
  forget_unused();
}

void SimDisk::crash(base::Random& random) {
  for (Device* device : devices()) device->life_ends(random);
  base::Lock lock(mutex_);
  end_life();
  fill_random(random_, boot_id_);
  settle_names(random);
  forget_unused();
  // Devices that lose all or nothing are among the crashes too.
  const uint64_t kind = random.below(8);
  const double keep = kind == 0 ? 0 : kind == 1 ? 1 : random.unit();
  used_ = 0;
  for (auto& [id, entry] : nodes_) {
    entry.node.settle(random, keep);
    used_ += entry.node.allocated_bytes();
  }
}

void SimDisk::end_life() {
  ++life_;
  locks_.clear();
  for (auto& [id, entry] : nodes_) entry.opens = 0;
}

void SimDisk::settle_names(base::Random& random) {
  std::map<std::string, NodeId> settled;
  for (const auto* names : {&names_, &durable_names_}) {
    for (const auto& [path, node] : *names) settled[path] = 0;
  }
  for (auto at = settled.begin(); at != settled.end();) {
    const auto now = names_.find(at->first), durable = durable_names_.find(at->first);
    const NodeId now_node = now == names_.end() ? 0 : now->second;
    const NodeId durable_node = durable == durable_names_.end() ? 0 : durable->second;
    at->second = now_node == durable_node || random.one_in(2) ? now_node : durable_node;
    at = at->second == 0 ? settled.erase(at) : std::next(at);
  }
  names_ = settled;
  durable_names_ = std::move(settled);
}

bool SimDisk::is_named(NodeId node) const {
  const auto names_it = [node](const auto& name) { return name.second == node; };
  return std::ranges::any_of(names_, names_it);
}

// A removed file takes space until its last user closes it; its bytes stay until the directory is synced,
// since a crash may bring it back.
void SimDisk::forget_unused() {
  std::set<NodeId> named, kept;
  for (const auto& [path, node] : names_) named.insert(node);
  for (const auto& [path, node] : durable_names_) kept.insert(node);
  used_ = 0;
  for (auto at = nodes_.begin(); at != nodes_.end();) {
    const bool takes_space = named.contains(at->first) || at->second.opens > 0;
    if (takes_space) used_ += at->second.node.allocated_bytes();
    at = takes_space || kept.contains(at->first) ? std::next(at) : nodes_.erase(at);
  }
}

// --- what the simulation asks and does

void SimDisk::set_capacity(uint64_t bytes) {
  base::Lock lock(mutex_);
  capacity_ = bytes;
}

uint64_t SimDisk::written_bytes() const {
  base::Lock lock(mutex_);
  return written_;
}

uint64_t SimDisk::used_bytes() const {
  base::Lock lock(mutex_);
  return used_;
}

uint64_t SimDisk::pending_pages() const {
  base::Lock lock(mutex_);
  uint64_t pending = 0;
  for (const auto& [id, entry] : nodes_) pending += entry.node.pending_pages();
  return pending;
}

uint64_t SimDisk::lives() const {
  base::Lock lock(mutex_);
  return life_;
}

uint64_t SimDisk::hash() const {
  base::Lock lock(mutex_);
  uint64_t hash = 0;
  const auto add = [&hash](std::span<const std::byte> bytes) { hash = base::xxh3_64(bytes, hash); };
  std::array<std::byte, base::kPage> page{};
  for (const auto& [path, id] : names_) {
    const SimNode& node = nodes_.at(id).node;
    const uint64_t bytes = node.bytes();
    add(std::as_bytes(std::span(path)));
    add(std::as_bytes(std::span(&bytes, 1)));
    for (uint64_t at = 0; at < bytes; at += page.size()) {
      const auto piece = std::span(page).first(std::min<uint64_t>(page.size(), bytes - at));
      node.read(at, piece);
      add(piece);
    }
  }
  return hash;
}

Result<void> SimDisk::flip_bit(const std::string& path, uint64_t bit) {
  base::Lock lock(mutex_);
  const auto entry = find(path);
  if (!entry) return std::unexpected(entry.error());
  SimNode& node = (*entry)->node;
  if (bit / 8 >= node.bytes()) return fail(Code::kInvalidArgument, "past the end of the file");
  std::byte byte{};
  node.read(bit / 8, std::span(&byte, 1));
  byte ^= std::byte{1} << (bit % 8);
  node.damage(bit / 8, std::span(&byte, 1));
  return {};
}

Result<void> SimDisk::fill(const std::string& path, uint64_t offset, uint64_t bytes, std::byte value) {
  base::Lock lock(mutex_);
  const auto entry = find(path);
  if (!entry) return std::unexpected(entry.error());
  if (offset + bytes > (*entry)->node.bytes())
    return fail(Code::kInvalidArgument, "past the end of the file");
  (*entry)->node.damage(offset, std::vector<std::byte>(bytes, value));
  return {};
}

Result<void> SimDisk::swap_pages(const std::string& path, uint64_t page, uint64_t other) {
  base::Lock lock(mutex_);
  const auto entry = find(path);
  if (!entry) return std::unexpected(entry.error());
  SimNode& node = (*entry)->node;
  if ((std::max(page, other) + 1) * base::kPage > node.bytes()) {
    return fail(Code::kInvalidArgument, "past the end of the file");
  }
  std::array<std::byte, base::kPage> first{}, second{};
  node.read(page * base::kPage, first);
  node.read(other * base::kPage, second);
  node.damage(page * base::kPage, second);
  node.damage(other * base::kPage, first);
  return {};
}

Result<std::vector<std::byte>> SimDisk::contents(const std::string& path) const {
  base::Lock lock(mutex_);
  const auto name = names_.find(clean(path));
  if (name == names_.end()) return os_error(ENOENT, "no such file");
  const SimNode& node = nodes_.at(name->second).node;
  std::vector<std::byte> bytes(node.bytes());
  node.read(0, bytes);
  return bytes;
}

Result<void> SimDisk::replace(const std::string& path, std::span<const std::byte> bytes) {
  base::Lock lock(mutex_);
  const std::string name = clean(path);
  if (!directories_.contains(parent_of(name))) return os_error(ENOENT, "no such directory");
  const auto named = names_.find(name);
  const NodeId id = named == names_.end() ? create(name) : named->second;
  durable_names_[name] = id;
  SimNode& node = nodes_[id].node;
  node.allocate(bytes.size());
  node.damage(0, bytes);
  node.sync();
  forget_unused();
  return {};
}

void SimDisk::attach(Device& device) {
  base::Lock lock(mutex_);
  devices_.push_back(&device);
}

void SimDisk::detach(Device& device) {
  base::Lock lock(mutex_);
  std::erase(devices_, &device);
}

// --- files

Result<void> SimDisk::check_life(uint64_t life) const {
  if (life != life_) return fail(Code::kClosed, "the simulated process is dead");
  return {};
}

Result<SimDisk::Entry*> SimDisk::find(Handle handle) {
  if (auto alive = check_life(handle.life); !alive) return std::unexpected(alive.error());
  return &nodes_.at(handle.node);
}

Result<SimDisk::Entry*> SimDisk::find(const std::string& path) {
  const auto name = names_.find(clean(path));
  if (name == names_.end()) return os_error(ENOENT, "no such file");
  return &nodes_.at(name->second);
}

SimDisk::NodeId SimDisk::create(const std::string& path) {
  const NodeId id = ++last_node_;
  nodes_[id];
  names_[path] = id;
  return id;
}

Result<SimDisk::Handle> SimDisk::open(const std::string& path, OpenOptions options, uint64_t life) {
  base::Lock lock(mutex_);
  if (auto alive = check_life(life); !alive) return std::unexpected(alive.error());
  const std::string name = clean(path);
  if (directories_.contains(name)) return os_error(EISDIR, "cannot open the file");
  const auto found = names_.find(name);
  NodeId id = 0;
  if (found != names_.end()) {
    if (options.create && options.exclusive) return os_error(EEXIST, "cannot open the file");
    id = found->second;
  } else {
    if (!options.create || !directories_.contains(parent_of(name)))
      return os_error(ENOENT, "cannot open the file");
    id = create(name);
  }
  ++nodes_[id].opens;
  return Handle{id, life};
}

void SimDisk::close(Handle handle) {
  base::Lock lock(mutex_);
  if (handle.life != life_) return;
  --nodes_.at(handle.node).opens;
  if (nodes_.at(handle.node).opens == 0 && !is_named(handle.node)) forget_unused();
}

Result<FileStat> SimDisk::stat(const std::string& path) const {
  base::Lock lock(mutex_);
  const std::string name = clean(path);
  if (directories_.contains(name)) return FileStat{.is_directory = true};
  const auto found = names_.find(name);
  if (found == names_.end()) return os_error(ENOENT, "cannot stat the path");
  const SimNode& node = nodes_.at(found->second).node;
  return FileStat{false, node.bytes(), node.allocated_bytes()};
}

Result<std::vector<std::string>> SimDisk::list(const std::string& directory) const {
  base::Lock lock(mutex_);
  const std::string parent = clean(directory);
  if (!directories_.contains(parent)) return os_error(ENOENT, "cannot open the directory");
  std::vector<std::string> names;
  const auto add = [&](const std::string& path) {
    if (path != parent && path != "." && parent_of(path) == parent)
      names.push_back(path.substr(path.rfind('/') + 1));
  };
  for (const auto& [path, node] : names_) add(path);
  for (const auto& path : directories_) add(path);
  std::ranges::sort(names);
  return names;
}

Result<void> SimDisk::make_directory(const std::string& path, uint64_t life) {
  base::Lock lock(mutex_);
  if (auto alive = check_life(life); !alive) return alive;
  const std::string name = clean(path);
  for (size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string prefix = name.substr(0, end);
    if (names_.contains(prefix)) return os_error(ENOTDIR, "the path is not a directory");
    directories_.insert(prefix);
    if (end == std::string::npos) return {};
  }
}

Result<void> SimDisk::resize(SimNode& node, uint64_t allocated) {
  const uint64_t used = used_ - node.allocated_bytes() + allocated;
  if (allocated > node.allocated_bytes() && used > capacity_) return os_error(ENOSPC, "the disk is full");
  used_ = used;
  return {};
}

Result<void> SimDisk::allocate(Handle handle, uint64_t bytes) {
  base::Lock lock(mutex_);
  const auto entry = find(handle);
  if (!entry) return std::unexpected(entry.error());
  SimNode& node = (*entry)->node;
  if (auto sized = resize(node, node.allocated_after_allocate(bytes)); !sized) return sized;
  node.allocate(bytes);
  return {};
}

Result<void> SimDisk::remove(const std::string& path, uint64_t life) {
  base::Lock lock(mutex_);
  if (auto alive = check_life(life); !alive) return alive;
  if (directories_.contains(clean(path))) return os_error(EISDIR, "cannot remove the file");
  if (names_.erase(clean(path)) == 0) return os_error(ENOENT, "cannot remove the file");
  forget_unused();
  return {};
}

Result<void> SimDisk::sync_directory(const std::string& path, uint64_t life) {
  base::Lock lock(mutex_);
  if (auto alive = check_life(life); !alive) return alive;
  const std::string directory = clean(path);
  if (!directories_.contains(directory)) return os_error(ENOENT, "cannot open the directory");
  std::erase_if(durable_names_, [&](const auto& name) { return parent_of(name.first) == directory; });
  for (const auto& [name, node] : names_) {
    if (parent_of(name) == directory) durable_names_[name] = node;
  }
  forget_unused();
  return {};
}

Result<void> SimDisk::read(Handle handle, uint64_t offset, std::span<std::byte> to) const {
  base::Lock lock(mutex_);
  if (auto alive = check_life(handle.life); !alive) return alive;
  const SimNode& node = nodes_.at(handle.node).node;
  if (offset + to.size() > node.bytes()) return fail(Code::kCorrupt, "the file ends before the record");
  node.read(offset, to);
  return {};
}

Result<void> SimDisk::write(Handle handle, uint64_t offset, std::span<const std::byte> from) {
  base::Lock lock(mutex_);
  const auto entry = find(handle);
  if (!entry) return std::unexpected(entry.error());
  SimNode& node = (*entry)->node;
  if (auto sized = resize(node, node.allocated_after_write(offset, from.size())); !sized) return sized;
  // What is less than a page waits for others in the page cache, until the sync.
  const bool whole_pages = offset % base::kPage == 0 && from.size() % base::kPage == 0;
  written_ += whole_pages ? from.size() : node.clean_pages(offset, from.size()) * base::kPage;
  if (!from.empty()) node.write(offset, from);
  return {};
}

Result<void> SimDisk::sync(Handle handle) {
  base::Lock lock(mutex_);
  const auto entry = find(handle);
  if (!entry) return std::unexpected(entry.error());
  (*entry)->node.sync();
  return {};
}

Result<void> SimDisk::lock(const std::string& path, uint64_t life) {
  base::Lock lock(mutex_);
  if (auto alive = check_life(life); !alive) return alive;
  const std::string name = clean(path);
  if (directories_.contains(name)) return os_error(EISDIR, "cannot open the file");
  if (!directories_.contains(parent_of(name))) return os_error(ENOENT, "cannot open the file");
  if (!locks_.emplace(name, life).second)
    return fail(Code::kInUse, "another process holds the lock", EWOULDBLOCK);
  if (!names_.contains(name)) create(name);
  return {};
}

void SimDisk::unlock(const std::string& path, uint64_t life) {
  base::Lock lock(mutex_);
  if (life == life_) locks_.erase(clean(path));
}

Result<int64_t> SimDisk::lock_owner(const std::string& path) const {
  base::Lock lock(mutex_);
  const auto held = locks_.find(clean(path));
  if (held == locks_.end()) return fail(Code::kNotFound, "the lock file names no process");
  return static_cast<int64_t>(held->second) + 1;
}

std::array<uint8_t, 16> SimDisk::boot_id() const {
  base::Lock lock(mutex_);
  return boot_id_;
}

void SimDisk::random_bytes(std::span<uint8_t> to) {
  base::Lock lock(mutex_);
  fill_random(random_, to);
}

}  // namespace terrace::io
