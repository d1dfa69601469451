// Frames between a client and a server: the input is what comes over the socket, in pieces.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "base/assert.h"
#include "fuzz/kit/input.h"
#include "fuzz/kit/target.h"
#include "wire/control_fields.h"
#include "wire/fields.h"
#include "wire/frame_socket.h"
#include "wire/key_lists.h"

namespace terrace::fuzz {
namespace {

constexpr size_t kPiece = 4096;  // far below what a socket takes at once

// Reads all that a message says, as a server or a client does.
uint64_t read_all(std::span<const Key> keys) {
  uint64_t sum = 0;
  for (const Key& key : keys) sum += key.word(0);
  return sum;
}
template <class T>
uint64_t read_all(std::span<const T> values) {
  uint64_t sum = 0;
  for (const T value : values) sum += value;
  return sum;
}
uint64_t read_all(const flatbuffers::String* text) {
  return text == nullptr ? 0 : text->str().size();
}

uint64_t read_all(const wire::Keys* keys, wire::KeyListReader& lists) {
  const auto read = lists.read(keys);
  return read ? read_all(*read) : 0;
}
uint64_t read_slices(const flatbuffers::Vector<const wire::Slice*>* slices) {
  uint64_t sum = 0;
  for (size_t i = 0; slices != nullptr && i < slices->size(); ++i)
    sum += slices->Get(static_cast<flatbuffers::uoffset_t>(i))->bytes();
  return sum;
}

// What whoever runs the server asks and is told.
uint64_t read_control(const wire::Message& message) {
  uint64_t sum = 0;
  if (const auto* quota = message.body_as_SetQuota()) sum += wire::quota_of(*quota).tiers.size();
  if (const auto* tenants = message.body_as_Tenants()) sum += wire::tenants_of(*tenants).size();
  if (const auto* sessions = message.body_as_Sessions()) sum += wire::sessions_of(*sessions).sessions.size();
  if (const auto* known = message.body_as_Namespaces()) sum += wire::namespaces_of(*known).size();
  if (const auto* blocks = message.body_as_StoredBlocks()) sum += wire::stored_of(*blocks).size();
  if (const auto* story = message.body_as_Story()) sum += wire::story_of(*story).places.size();
  if (const auto* told = message.body_as_Changes()) {
    for (const Change& change : wire::changes_of(*told)) sum += change.key.word(0) + change.lost;
  }
  if (const auto* stats = message.body_as_Stats()) sum += wire::stats_of(*stats).tiers.size();
  if (const auto* drain = message.body_as_DrainTier()) sum += read_all(drain->tier());
  if (const auto* resume = message.body_as_ResumeTier()) sum += read_all(resume->tier());
  return sum;
}

uint64_t read_all(const wire::Message& message, wire::KeyListReader& lists) {
  uint64_t sum = read_all(wire::values_of(message.replaced()));
  if (message.memories() != nullptr) {
    for (const wire::Memory* memory : *message.memories()) sum += memory->id() + memory->bytes();
  }
  if (const auto* hello = message.body_as_Hello()) sum += hello->major() + read_all(hello->client());
  if (const auto* fields = message.body_as_OpenNamespace())
    sum += read_all(fields->model_id()) + read_all(fields->tenant_salt()) + fields->groups().value_or(0);
  if (const auto* reserve = message.body_as_Reserve(); reserve != nullptr && reserve->blocks() != nullptr) {
    for (const wire::Block* block : *reserve->blocks())
      sum += block->bytes() + wire::key_of(block->key()).word(0);
    sum += wire::key_of(reserve->root()).word(0);
  }
  if (const auto* commit = message.body_as_Commit()) sum += read_all(wire::values_of(commit->reservations()));
  if (const auto* abort = message.body_as_Abort()) sum += read_all(wire::values_of(abort->reservations()));
  if (const auto* lookup = message.body_as_Lookup()) sum += read_all(lookup->keys(), lists);
  if (const auto* lookup = message.body_as_LookupFamilies()) sum += read_all(lookup->families(), lists);
  if (const auto* get = message.body_as_Get()) sum += read_all(get->keys(), lists) + get->timeout_ms();
  if (const auto* get = message.body_as_GetInto(); get != nullptr) {
    sum += read_all(get->keys(), lists);
    sum += read_slices(get->to());
  }
  if (const auto* put = message.body_as_Put()) sum += read_slices(put->from());
  if (const auto* prefetch = message.body_as_Prefetch()) sum += read_all(prefetch->keys(), lists);
  if (const auto* cancel = message.body_as_Cancel()) sum += read_all(wire::values_of(cancel->requests()));
  if (const auto* stats = message.body_as_Stats(); stats != nullptr && stats->tiers() != nullptr) {
    for (const wire::TierFigures* tier : *stats->tiers())
      sum += read_all(tier->name()) + read_all(wire::values_of(tier->misses()));
  }
  if (const auto* release = message.body_as_Release()) sum += read_all(wire::values_of(release->holds()));
  if (const auto* remove = message.body_as_Remove()) sum += read_all(wire::keys_of(remove->keys()));
  if (const auto* clear = message.body_as_Clear()) sum += read_all(clear->tenant_salt());
  if (const auto* reserved = message.body_as_Reserved();
      reserved != nullptr && reserved->buffers() != nullptr) {
    for (const wire::Buffer* buffer : *reserved->buffers())
      sum += buffer->reservation() + buffer->place().offset();
    sum += read_all(wire::values_of(reserved->outcomes()));
  }
  if (const auto* found = message.body_as_Found())
    sum += read_all(wire::values_of(found->where())) + read_all(wire::values_of(found->reasons()));
  if (const auto* delivered = message.body_as_Delivered();
      delivered != nullptr && delivered->places() != nullptr) {
    for (const wire::Place* place : *delivered->places()) sum += place->memory() + place->bytes();
  }
  if (const auto* failed = message.body_as_Failed()) sum += failed->code() + read_all(failed->message());
  if (const auto* event = message.body_as_Event()) sum += event->tag() + wire::key_of(event->key()).word(0);
  return sum + read_control(message);
}

void run(std::span<const std::byte> input) {
  std::array<int, 2> pair{};
  TERRACE_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  const io::Descriptor far(pair[0]);
  wire::FrameSocket socket{io::Descriptor(pair[1])};
  wire::KeyListReader lists;
  Input bytes(input);
  volatile uint64_t seen = 0;
  while (!bytes.empty()) {
    const auto piece = bytes.take(kPiece);
    TERRACE_ASSERT(::write(far.get(), piece.data(), piece.size()) == static_cast<ssize_t>(piece.size()));
    for (;;) {
      const auto received = socket.receive();
      if (!received) return;
      if (!*received) break;
      TERRACE_ASSERT((*received)->descriptors.empty());
      seen = seen + read_all(*(*received)->message, lists);
    }
  }
}

// The magic, and the length of what there is.
void mend(std::span<std::byte> input, base::Random&) {
  if (input.size() < wire::kHeaderBytes) return;
  const auto length = static_cast<uint32_t>((input.size() - wire::kHeaderBytes) / 8 * 8);
  const auto header = wire::encode({length, 0});
  std::memcpy(input.data(), header.data(), header.size());
}

template <class Make>
Seed seed(const std::string& name, wire::Body type, Make make) {
  flatbuffers::FlatBufferBuilder builder;
  const auto body = make(builder);
  wire::finish(builder, 7, type, body.Union());
  return {name, wire::frame_of(builder)};
}

std::vector<Seed> seeds() {
  using Builder = flatbuffers::FlatBufferBuilder;
  const std::vector<wire::Key> keys(3);
  const std::vector<Key> names(12);  // enough to be remembered
  wire::KeyListWriter lists;
  const std::vector<uint64_t> numbers{1, 2, 3};
  return {
      seed("hello", wire::Body::Hello,
           [](Builder& builder) {
             return wire::CreateHelloDirect(builder, wire::kMajor, wire::kMinor, "engine");
           }),
      seed("lookup", wire::Body::Lookup,
           [&](Builder& builder) { return wire::CreateLookup(builder, lists.write(builder, names), true); }),
      seed("reserve", wire::Body::Reserve,
           [&](Builder& builder) {
             const std::vector<wire::Block> blocks(2);
             return wire::CreateReserve(builder, keys.data(), nullptr, builder.CreateVectorOfStructs(blocks),
                                        9);
           }),
      seed("commit", wire::Body::Commit,
           [&](Builder& builder) { return wire::CreateCommit(builder, builder.CreateVector(numbers), 5); }),
      seed("get", wire::Body::Get,
           [&](Builder& builder) { return wire::CreateGet(builder, lists.write(builder, names), 100); }),
      seed("delivered", wire::Body::Delivered,
           [&](Builder& builder) {
             const std::vector<wire::Place> places(2);
             return wire::CreateDelivered(builder, 4, builder.CreateVectorOfStructs(places));
           }),
      seed("failed", wire::Body::Failed,
           [](Builder& builder) { return wire::CreateFailedDirect(builder, 1, "no such thing"); }),
  };
}

const Registered kRegistered({.name = "frame", .run = run, .mend = mend, .seeds = seeds});

}  // namespace
}  // namespace terrace::fuzz
