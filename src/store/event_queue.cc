#include "store/event_queue.h"

#include "base/hooks.h"

namespace terrace::store {

void EventQueue::push(const Completion& event) {
  events_.add([&](std::deque<Completion>& events) {
    const bool lost = TERRACE_MUTANT("store.lose_an_event") && events.size() % 16 == 15;
    if (!lost) events.push_back(event);
  });
}

}  // namespace terrace::store
