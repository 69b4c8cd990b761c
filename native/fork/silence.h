// A child that goes on with nothing of what its parent was at: the event loop forgets it, and nobody outside is told.
#ifndef TRUEFORK_FORK_SILENCE_H_
#define TRUEFORK_FORK_SILENCE_H_

#include <uv.h>

namespace truefork::fork {

// In the child: the handles that the event loop has from its parent tell of nothing any more, and don't keep it going.
// Sockets and pipes behind them are let go, without a word to their other ends; 0-2 and terminals stay open.
void silence(uv_loop_t* loop);

// To be called before the first of that, when the latest that the event loop has are the two ports of a MessageChannel:
// from now on the callback that they have in common is known. False if they have none.
bool know_message_ports(uv_loop_t* loop) noexcept;

// Node's timer, the one behind all that setTimeout makes, isn't run until it is resumed: Node would call again and
// again what can't run yet. Then it is due at once, and Node asks when the next one is.
void pause_timers(uv_loop_t* loop) noexcept;
void resume_timers() noexcept;

}  // namespace truefork::fork

#endif  // TRUEFORK_FORK_SILENCE_H_
