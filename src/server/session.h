// One client: its socket, what it asked for and has no answer to yet, and what it holds. Its reservations and
// leases die with its process; the closed socket of a live process keeps what that may still touch (decision
// 4). On the server's thread, but for work that waits, which runs on a worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <terrace/store.h>

#include "server/peer.h"
#include "store/storage_manager.h"
#include "wire/frame_socket.h"

namespace terrace::server {

class Session;

// What sessions need of the server.
class Host {
 public:
  virtual ~Host() = default;
  virtual store::StorageManager& store() = 0;
  virtual boost::asio::io_context& io() = 0;
  // Runs `work` on a worker; it may wait.
  virtual void run_apart(std::function<void()> work) = 0;
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
  void close();
  void replaced(std::span<const uint64_t> memories);

  uint32_t number() const { return number_; }
  const Peer& peer() const { return peer_; }
  const std::string& client() const { return client_; }
  bool closed() const { return closed_; }
  uint64_t leases() const { return holds_.size(); }
  uint64_t reservations() const { return reservations_.size(); }

 private:
  using Builder = flatbuffers::FlatBufferBuilder;
  using Offset = flatbuffers::Offset<void>;
  // Memory that an answer names and the client has not mapped yet.
  struct Introduced {
    std::vector<wire::Memory> memories;
    std::vector<int> descriptors;
  };

  // --- the socket (session.cc)
  void await_frames();
  void read_frames();
  void await_room();
  bool may_read() const;
  void go_on_reading();
  void send(uint64_t id, wire::Body type, Offset body, const Introduced& introduced = {});
  void send_ahead(Introduced& introduced);
  void introduce(const memory::SharedMemory& memory, bool writable, Introduced& introduced);
  void refuse(uint64_t id, Code code, std::string_view message);
  void refuse(uint64_t id, const Error& error) { refuse(id, error.code, to_string(error)); }
  // False when there is no descriptor to be told by.
  bool watch(std::shared_ptr<CompletionQueue>& queue, boost::asio::posix::stream_descriptor& readable,
             void (Session::*came)());
  void await_events(CompletionQueue& queue, boost::asio::posix::stream_descriptor& readable,
                    void (Session::*came)());

  // --- requests (requests.cc)
  void handle(const wire::Message& message);
  void hello(uint64_t id, const wire::Hello& request);
  void open_namespace(uint64_t id, const wire::OpenNamespace& request);
  void reserve(uint64_t id, const wire::Reserve& request);
  void reserved(uint64_t id, Result<std::vector<ReserveAnswer>> answers);
  void commit(uint64_t id, const wire::Commit& request);
  void abort(const wire::Abort& request);
  void lookup(uint64_t id, const wire::Lookup& request);
  void get(uint64_t id, const wire::Get& request);
  void delivered(uint64_t id, Blocks blocks);
  void gets_ended();
  void writes_ended();
  void release(const wire::Release& request);
  void remove(uint64_t id, const wire::Remove& request);
  void clear(uint64_t id, const wire::Clear& request);
  void unmapped(const wire::Unmapped& request);
  void removed(uint64_t id, const Result<uint64_t>& blocks);
  // Runs `work` apart and `then` with its result here, if the session is still there.
  template <class Work, class Then>
  void apart(Work work, Then then);

  Host& host_;
  store::StorageManager& store_;
  wire::FrameSocket socket_;
  const Peer peer_;
  const uint32_t number_;
  std::string client_;
  bool greeted_ = false;
  bool closed_ = false;
  bool reading_ = false;      // waits for frames
  bool writing_ = false;      // waits for the socket's room
  bool last_answer_ = false;  // closes when it is sent
  Builder builder_;

  boost::asio::posix::stream_descriptor readiness_;
  std::shared_ptr<CompletionQueue> get_queue_, write_queue_;  // made when first needed
  boost::asio::posix::stream_descriptor get_events_, write_events_;

  boost::unordered_flat_set<uint64_t> known_;       // memory the client maps
  boost::unordered_flat_set<uint64_t> letting_go_;  // that it was told to unmap and has not yet
  boost::unordered_flat_map<uint64_t, Reservation> reservations_;
  boost::unordered_flat_map<uint64_t, GetOperation> gets_;  // by request
  boost::unordered_flat_map<uint64_t, std::variant<Blocks, Pin>> holds_;
  uint64_t last_reservation_ = 0, last_hold_ = 0;
  uint64_t apart_ = 0;  // requests that run there
};

}  // namespace terrace::server
