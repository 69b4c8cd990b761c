// What quiet code needs to know of x86-64. Another architecture is another such file, and a threads_<arch>.S.
#ifndef TRUEFORK_FORK_MACHINE_X86_64_H_
#define TRUEFORK_FORK_MACHINE_X86_64_H_

#include <ucontext.h>

#include <cstdint>

namespace truefork::quiet {

constexpr uint64_t page_size = 4096;

// A system call, and nothing else: no errno, no cancellation point, no symbol of libc's. Returns what the kernel
// returned, a negative error number where it failed; syscall(2).
inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) noexcept {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

// The address of struct pthread, whose first word points to itself; x86-64 psABI, thread-local storage.
inline uint64_t thread_pointer() noexcept {
  uint64_t value;
  asm("movq %%fs:0, %0" : "=r"(value));
  return value;
}

constexpr unsigned long sa_restorer = 0x04000000;  // <asm/signal.h>
constexpr uint32_t rseq_signature = 0x53053053;    // glibc's RSEQ_SIG

inline uint64_t program_counter(const ucontext_t& context) noexcept {
  return static_cast<uint64_t>(context.uc_mcontext.gregs[REG_RIP]);
}

inline uint64_t stack_pointer(const ucontext_t& context) noexcept {
  return static_cast<uint64_t>(context.uc_mcontext.gregs[REG_RSP]);
}

// Whether the lower half of a general register holds `value`.
inline bool is_in_register(const ucontext_t& context, uint32_t value) noexcept {
  for (int i = REG_R8; i <= REG_RCX; ++i) {
    if (static_cast<uint32_t>(context.uc_mcontext.gregs[i]) == value) return true;
  }
  return false;
}

// The system call that a thread was in when the signal came, as far as its registers still tell.
struct interrupted_call {
  bool inside;        // whether it was in one
  long number;        // -1 where the kernel has put -EINTR over it
  uint64_t argument;  // the first
};

inline interrupted_call interrupted_system_call(const ucontext_t& context) noexcept {
  constexpr uint16_t syscall_instruction = 0x050f;
  const auto& registers = context.uc_mcontext.gregs;
  const uint64_t at = program_counter(context);
  const auto instruction_at = [](uint64_t address) {
    uint16_t instruction;
    __builtin_memcpy(&instruction, reinterpret_cast<const void*>(address), sizeof(instruction));
    return instruction;
  };
  const auto argument = static_cast<uint64_t>(registers[REG_RDI]);
  // To be restarted: the kernel has put the program counter back on the instruction, and the number into rax.
  if (instruction_at(at) == syscall_instruction) return {true, static_cast<long>(registers[REG_RAX]), argument};
  constexpr long interrupted = -4;  // -EINTR
  if (registers[REG_RAX] == interrupted && instruction_at(at - 2) == syscall_instruction) return {true, -1, argument};
  return {false, -1, 0};
}

}  // namespace truefork::quiet

#endif  // TRUEFORK_FORK_MACHINE_X86_64_H_
