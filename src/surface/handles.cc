// The public handles: each gives back what it holds when it goes.
#include <utility>

#include "surface/backend.h"
#include "surface/operations.h"

namespace terrace {

// --- Reservation

Reservation::Reservation(Reservation&& other) noexcept
    : backend_(std::move(other.backend_)),
      token_(std::exchange(other.token_, 0)),
      key_(other.key_),
      bytes_(std::exchange(other.bytes_, {})) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this == &other) return *this;
  abort();
  backend_ = std::move(other.backend_);
  token_ = std::exchange(other.token_, 0);
  key_ = other.key_;
  bytes_ = std::exchange(other.bytes_, {});
  return *this;
}

Reservation::~Reservation() {
  abort();
}

void Reservation::abort() {
  if (token_ != 0) backend_->abort(std::exchange(token_, 0));
  bytes_ = {};
  backend_.reset();
}

// --- Pin

Pin::Pin(Pin&& other) noexcept = default;
Pin& Pin::operator=(Pin&& other) noexcept = default;
Pin::~Pin() = default;

void Pin::release() {
  held_.reset();
}

// --- Blocks

Blocks::Blocks(Blocks&& other) noexcept = default;
Blocks& Blocks::operator=(Blocks&& other) noexcept = default;
Blocks::~Blocks() = default;

void Blocks::release() {
  views_.clear();
  lease_.reset();
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
  return state_ != nullptr && state_->ready();
}

std::optional<LookupResult> LookupOperation::take() {
  return state_ == nullptr ? std::nullopt : state_->take();
}

void LookupOperation::cancel() {
  if (state_ != nullptr) state_->cancel();
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
  return state_ != nullptr && state_->ready();
}

std::optional<Blocks> GetOperation::take() {
  return state_ == nullptr ? std::nullopt : state_->take();
}

void GetOperation::cancel() {
  if (state_ != nullptr) state_->cancel();
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
  return state_ != nullptr && state_->ready();
}
bool IntoOperation::released() const {
  return state_ != nullptr && state_->released();
}
IntoResult IntoOperation::result() const {
  return ready() ? state_->result() : IntoResult{};
}

void IntoOperation::cancel() {
  if (state_ != nullptr) state_->cancel();
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
  return state_ == nullptr ? Progress{} : state_->progress();
}

void PrefetchTicket::cancel() {
  if (state_ != nullptr) state_->cancel();
}

void PrefetchTicket::release() {
  if (state_ != nullptr) state_->release();
}

}  // namespace terrace
