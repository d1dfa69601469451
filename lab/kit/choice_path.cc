#include "lab/kit/interleave.h"

namespace terrace::lab {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";

}  // namespace

ChoicePath::ChoicePath(std::string_view text) {
  for (const char digit : text) {
    const size_t taken = kDigits.find(digit);
    choices_.push_back({taken == std::string_view::npos ? 0 : taken, 0});
  }
}

size_t ChoicePath::choose(size_t options) {
  if (position_ == choices_.size()) choices_.push_back({0, options});
  Choice& choice = choices_[position_++];
  if (choice.options == 0) choice.options = options;
  if (choice.options != options || choice.taken >= options) {
    diverged_ = true;
    return 0;
  }
  return choice.taken;
}

bool ChoicePath::advance() {
  choices_.resize(position_);  // what the run did not come to
  position_ = 0;
  while (!choices_.empty()) {
    if (++choices_.back().taken < choices_.back().options) return true;
    choices_.pop_back();
  }
  return false;
}

std::string ChoicePath::text() const {
  std::string text;
  for (const Choice& choice : choices_) text += kDigits[choice.taken % kDigits.size()];
  text.resize(text.find_last_not_of('0') + 1);
  return text;
}

}  // namespace terrace::lab
