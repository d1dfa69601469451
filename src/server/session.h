// One client: its socket, what it asked for and has no answer to yet, and what it holds. Its reservations and
// leases die with its process; the closed socket of a live process keeps what that may still touch (decision
// 4). On the server's thread, but for work that waits, which runs on a worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <terrace/store.h>

#include "server/peer.h"
#include "server/server.h"
#include "store/storage_manager.h"
#include "wire/frame_socket.h"
#include "wire/key_lists.h"

namespace terrace::server {

class Session;

// What sessions need of the server.
class Host {
 public:
  virtual ~Host() = default;
  virtual store::StorageManager& store() = 0;
  virtual boost::asio::io_context& io() = 0;
  // Sessions are bound to the namespaces they name.
  virtual bool binds_namespaces() const = 0;
  virtual const SessionLimits& limits() const = 0;
  virtual void limit_sessions(const SessionLimits& limits) = 0;
  virtual std::vector<SessionUsage> sessions() const = 0;
  // Runs `work` on a worker. What waits as long as a client says, and for others perhaps, has workers of its
  // own: nobody's removal is behind it.
  enum class Waits : uint8_t { kForTheStore, kAsTheClientSays };
  virtual void run_apart(Waits waits, std::function<void()> work) = 0;
  // Tells every session what memory was replaced.
  virtual void announce_replaced() = 0;
  // The session's socket has ended; its process may live.
  virtual void left(Session& session) = 0;
  // Nothing is left of the session that had this number; its process has ended, or lives on. Any thread.
  virtual void gone(uint32_t number, bool has_ended) = 0;
};

class Session final : public std::enable_shared_from_this<Session> {
 public:
  // `number` is what its memory is owned by (memory::SlotOwner), above 0.
  Session(Host& host, wire::FrameSocket socket, Peer peer, uint32_t number);
  ~Session();

  void start();
  // Ends what runs, aborts what is not committed, and leaves the leases: of a process that may read still.
  // The client sees the end when nothing touches its own memory any more.
  void close();
  void replaced(std::span<const uint64_t> memories);

  uint32_t number() const { return number_; }
  const Peer& peer() const { return peer_; }
  bool closed() const { return closed_; }
  uint64_t leases() const { return holds_.size(); }
  uint64_t reservations() const { return reservations_.size(); }
  SessionUsage usage() const;

 private:
  using Builder = flatbuffers::FlatBufferBuilder;
  using Offset = flatbuffers::Offset<void>;
  struct RunningInto {
    IntoOperation operation;
    bool answered = false;  // its memory is not released yet
    void cancel() { operation.cancel(); }
  };
  using Running = std::variant<GetOperation, LookupOperation, RunningInto>;
  using Hold = std::variant<Blocks, Pin, PrefetchTicket>;
  // Memory that an answer names and the client has not mapped yet.
  struct Introduced {
    std::vector<wire::Memory> memories;
    std::vector<int> descriptors;
  };
  // The store's events of one kind, read on the server's thread.
  struct Events {
    explicit Events(boost::asio::io_context& io) : readable(io) {}
    std::shared_ptr<CompletionQueue> queue;  // made when first needed
    boost::asio::posix::stream_descriptor readable;
  };

  // --- the socket (session.cc)
  void await_frames();
  void read_frames();
  void await_room();
  bool may_read() const;
  void go_on_reading();
  void send(uint64_t id, wire::Body type, Offset body, const Introduced& introduced = {});
  void send_done(uint64_t id) { send(id, wire::Body::Done, wire::CreateDone(builder_).Union()); }
  void send_built(std::span<const int> descriptors = {});
  void send_ahead(Introduced& introduced);
  void introduce(const memory::SharedMemory& memory, bool writable, Introduced& introduced);
  void refuse(uint64_t id, Code code, std::string_view message);
  void refuse(uint64_t id, const Error& error) { refuse(id, error.code, to_string(error)); }
  void refuse(uint64_t id, const Failure& failure) { refuse(id, failure.error.code, failure.message); }
  // False when there is no descriptor to be told by.
  bool watch(Events& events, void (Session::*came)());
  void await_events(Events& events, void (Session::*came)());
  void let_go();
  void stop_watching();
  void end_if_nothing_is_borrowed();

  // --- requests (requests.cc)
  void handle(wire::Received& received);
  void hello(uint64_t id, const wire::Hello& request);
  void open_namespace(uint64_t id, const wire::OpenNamespace& request);
  void cancel(const wire::Cancel& request);
  void release(const wire::Release& request);
  void remove(uint64_t id, const wire::Remove& request);
  void clear(uint64_t id, const wire::Clear& request);
  void unmapped(const wire::Unmapped& request);
  void removed(uint64_t id, const Result<uint64_t>& blocks);
  void sync(uint64_t id, const wire::Sync& request);
  void await_recovery(uint64_t id, const wire::AwaitRecovery& request);
  // Runs `work` apart and `then` with its result here, if the session is still there.
  template <class Work, class Then>
  void apart(Host::Waits waits, Work work, Then then);
  uint64_t hold(Hold held);  // its number
  bool has_too_many_holds(uint64_t id);
  void drop_reservation(uint64_t number);
  void drop_hold(uint64_t number);
  // The first of these blocks that the session may still reserve.
  size_t within_limit(std::span<const BlockSpec> blocks) const;
  bool may_lease() const;

  // --- of what is stored, and of whoever runs the server (control_requests.cc)
  void control(uint64_t id, const wire::Message& message);
  // Whoever runs the server: of its own user, and bound to no namespace.
  bool may_control() const;
  // May hear of a namespace's blocks; all zero: of every one's.
  bool may_see(const Key& root) const;
  // False: it was refused.
  bool may_control(uint64_t id);
  bool may_name(uint64_t id, const Key& root);
  void ask_tenants(uint64_t id);
  void set_limits(uint64_t id, const wire::SetLimits& request);
  void set_quota(uint64_t id, const wire::SetQuota& request);
  void set_mode(uint64_t id, const wire::SetMode& request);
  void drain_tier(uint64_t id, const wire::DrainTier& request);
  void resume_tier(uint64_t id, const wire::ResumeTier& request);
  void ask_sessions(uint64_t id);
  void ask_namespaces(uint64_t id);
  void list(uint64_t id, const wire::List& request);
  void ask_why(uint64_t id, const wire::AskWhy& request);
  void amount(uint64_t id, const Result<uint64_t>& result);

  // --- of what changes (changes.cc)
  void subscribe(uint64_t id);
  void await_changes();
  void tell_changes();

  // --- of stores (store_requests.cc)
  void reserve(uint64_t id, const wire::Reserve& request);
  void reserved(uint64_t id, size_t asked, Result<std::vector<ReserveAnswer>> answers);
  void commit(uint64_t id, const wire::Commit& request);
  void abort(const wire::Abort& request);
  void put(uint64_t id, const wire::Put& request);
  void register_region(uint64_t id, const wire::RegisterRegion& request, wire::Received& received);
  void unregister_region(uint64_t id, const wire::UnregisterRegion& request);
  Result<std::vector<RegionSlice>> slices_of(const flatbuffers::Vector<const wire::Slice*>* slices) const;
  void forward_events();

  // --- of retrieves (retrieve_requests.cc)
  void lookup(uint64_t id, const wire::Lookup& request);
  void found(uint64_t id, LookupResult result);
  void lookup_families(uint64_t id, const wire::LookupFamilies& request);
  void get(uint64_t id, const wire::Get& request);
  void delivered(uint64_t id, Blocks blocks);
  void delivered_nothing(uint64_t id, size_t keys);
  void get_into(uint64_t id, const wire::GetInto& request);
  void prefetch(uint64_t id, const wire::Prefetch& request);
  void ask_progress(uint64_t id, const wire::AskProgress& request);
  void take_results();
  void take_result(uint64_t id, Running& running);
  // The keys of a request, read before anything else of it. Nothing: it was refused.
  std::optional<std::span<const Key>> keys_of(uint64_t id, const wire::Keys* keys);
  // False: it was refused.
  bool read_options(uint64_t id, uint64_t timeout_ms, int8_t write_back, uint64_t prefetch,
                    GetOptions& options);
  bool may_begin(uint64_t id);

  Host& host_;
  store::StorageManager& store_;
  wire::FrameSocket socket_;
  const Peer peer_;
  const uint32_t number_;
  std::string client_;
  store::ScopePtr scope_;  // of a bound session
  size_t bound_to_ = 0;    // namespaces
  bool greeted_ = false;
  bool closed_ = false;
  bool left_ = false;         // the host was told
  bool reading_ = false;      // waits for frames
  bool writing_ = false;      // waits for the socket's room
  bool last_answer_ = false;  // closes when it is sent
  Builder builder_;
  wire::KeyListReader lists_;

  boost::asio::posix::stream_descriptor readiness_;
  Events results_;    // tags are requests
  Events forwarded_;  // tags are the client's
  std::shared_ptr<Subscription> subscription_;
  boost::asio::posix::stream_descriptor changes_;  // the subscription's
  bool has_untold_changes_ = false;                // until the client reads what was told

  boost::unordered_flat_set<uint64_t> known_;       // memory the client maps
  boost::unordered_flat_set<uint64_t> letting_go_;  // that it was told to unmap and has not yet
  boost::unordered_flat_map<uint64_t, Reservation> reservations_;
  boost::unordered_flat_map<uint64_t, Running> running_;  // by request
  boost::unordered_flat_map<uint64_t, Hold> holds_;
  boost::unordered_flat_set<RegionId> regions_;  // shared by this client
  uint64_t last_reservation_ = 0, last_hold_ = 0;
  uint64_t apart_ = 0;  // requests that run there
  uint64_t reserved_bytes_ = 0, leased_bytes_ = 0;
  uint64_t borrowed_ = 0;  // get_into requests and keys of puts that may touch the client's memory
};

}  // namespace terrace::server
