// The one thing of libuv that runtime_state.cc asks for. No test program has called uv_tty_set_mode(), so there is
// no mode to reset, and libuv's own function would find the same and return 0.
extern "C" int uv_tty_reset_mode(void) { return 0; }
