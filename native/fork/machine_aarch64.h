// What quiet code needs to know of 64-bit ARM, as far as it runs there: V8's heap is copied, threads aren't.
#ifndef TRUEFORK_FORK_MACHINE_AARCH64_H_
#define TRUEFORK_FORK_MACHINE_AARCH64_H_

namespace truefork::quiet {

// A system call, and nothing else: no errno, no cancellation point, no symbol of libc's. Returns what the kernel
// returned, a negative error number where it failed; syscall(2).
inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) noexcept {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
  return x0;
}

}  // namespace truefork::quiet

#endif  // TRUEFORK_FORK_MACHINE_AARCH64_H_
