// The public handles: each gives back what it holds when it goes.
#include <utility>

#include "store/flow_state.h"
#include "store/storage_manager.h"

namespace terrace {

// --- Reservation

Reservation::Reservation(Reservation&& other) noexcept
    : manager_(std::move(other.manager_)),
      buffer_(std::exchange(other.buffer_, nullptr)),
      key_(other.key_),
      bytes_(std::exchange(other.bytes_, {})) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  abort();
  manager_ = std::move(other.manager_);
  buffer_ = std::exchange(other.buffer_, nullptr);
  key_ = other.key_;
  bytes_ = std::exchange(other.bytes_, {});
  return *this;
}

Reservation::~Reservation() {
  abort();
}

void Reservation::abort() {
  if (buffer_ != nullptr) manager_->abort(std::exchange(buffer_, nullptr));
  bytes_ = {};
  manager_.reset();
}

// --- Pin

Pin::Pin(Pin&& other) noexcept
    : manager_(std::move(other.manager_)),
      held_(std::move(other.held_)),
      buffers_(std::move(other.buffers_)) {}

Pin& Pin::operator=(Pin&& other) noexcept {
  if (this == &other) return *this;
  release();
  manager_ = std::move(other.manager_);
  held_ = std::move(other.held_);
  buffers_ = std::move(other.buffers_);
  return *this;
}

Pin::~Pin() {
  release();
}

void Pin::release() {
  if (manager_ == nullptr) return;
  manager_->unpin(held_, buffers_);
  held_.clear();
  buffers_.clear();
  manager_.reset();
}

// --- Blocks

Blocks::Blocks(Blocks&& other) noexcept
    : manager_(std::move(other.manager_)),
      views_(std::move(other.views_)),
      buffers_(std::move(other.buffers_)),
      reasons_(std::move(other.reasons_)) {}

Blocks& Blocks::operator=(Blocks&& other) noexcept {
  if (this == &other) return *this;
  release();
  manager_ = std::move(other.manager_);
  views_ = std::move(other.views_);
  buffers_ = std::move(other.buffers_);
  reasons_ = std::move(other.reasons_);
  return *this;
}

Blocks::~Blocks() {
  release();
}

void Blocks::release() {
  if (manager_ == nullptr) return;
  if (!buffers_.empty()) manager_->release(buffers_);
  buffers_.clear();
  views_.clear();
  manager_.reset();
}

// --- LookupOperation

LookupOperation::LookupOperation(LookupOperation&& other) noexcept : state_(std::move(other.state_)) {}

LookupOperation& LookupOperation::operator=(LookupOperation&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

LookupOperation::~LookupOperation() {
  cancel();
}

bool LookupOperation::ready() const {
  return state_ != nullptr && state_->event.is_set();
}

std::optional<LookupResult> LookupOperation::take() {
  if (!ready()) return std::nullopt;
  return std::exchange(state_->result, std::nullopt);
}

void LookupOperation::cancel() {
  if (state_ != nullptr) state_->manager->cancel(state_);
}

// --- GetOperation

GetOperation::GetOperation(GetOperation&& other) noexcept : state_(std::move(other.state_)) {}

GetOperation& GetOperation::operator=(GetOperation&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

GetOperation::~GetOperation() {
  cancel();
}

bool GetOperation::ready() const {
  return state_ != nullptr && state_->event.is_set();
}

std::optional<Blocks> GetOperation::take() {
  if (!ready()) return std::nullopt;
  return state_->manager->take(state_);
}

void GetOperation::cancel() {
  if (state_ != nullptr) state_->manager->cancel(state_);
}

// --- IntoOperation

IntoOperation::IntoOperation(IntoOperation&& other) noexcept : state_(std::move(other.state_)) {}

IntoOperation& IntoOperation::operator=(IntoOperation&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

IntoOperation::~IntoOperation() {
  cancel();
}

bool IntoOperation::ready() const {
  return state_ != nullptr && state_->ready_event.is_set();
}
bool IntoOperation::released() const {
  return state_ != nullptr && state_->released_event.is_set();
}
IntoResult IntoOperation::result() const {
  return ready() ? state_->manager->result(*state_) : IntoResult{};
}

void IntoOperation::cancel() {
  if (state_ != nullptr) state_->manager->cancel(state_);
}

// --- PrefetchTicket

PrefetchTicket::PrefetchTicket(PrefetchTicket&& other) noexcept : state_(std::move(other.state_)) {}

PrefetchTicket& PrefetchTicket::operator=(PrefetchTicket&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

PrefetchTicket::~PrefetchTicket() {
  cancel();
}

PrefetchTicket::Progress PrefetchTicket::progress() const {
  return state_ == nullptr ? Progress{} : state_->manager->progress(*state_);
}

void PrefetchTicket::cancel() {
  if (state_ != nullptr) state_->manager->cancel(state_);
}

void PrefetchTicket::release() {
  if (state_ != nullptr) state_->manager->release(state_);
}

}  // namespace terrace
