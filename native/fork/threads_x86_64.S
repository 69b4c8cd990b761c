// What a stopped thread needs to come back: see threads.h for the layout of thread_registers.
    .text

// int truefork_save_registers(thread_registers*): 0 now; 1 when a new thread goes on from here in the child.
    .globl truefork_save_registers
    .hidden truefork_save_registers
    .type truefork_save_registers, @function
truefork_save_registers:
    .cfi_startproc
    endbr64
    movq %rbx, 0(%rdi)
    movq %rbp, 8(%rdi)
    movq %r12, 16(%rdi)
    movq %r13, 24(%rdi)
    movq %r14, 32(%rdi)
    movq %r15, 40(%rdi)
    leaq 8(%rsp), %rdx          // the stack as the caller has it after our return
    movq %rdx, 48(%rdi)
    movq (%rsp), %rdx           // where we return to
    movq %rdx, 56(%rdi)
    xorl %eax, %eax
    ret
    .cfi_endproc
    .size truefork_save_registers, . - truefork_save_registers

// long truefork_clone_thread(flags, int* parent_tid, int* child_tid, tls, const thread_registers*)
// clone(2) of a thread that goes on where `registers` were saved, on that stack. Returns the tid or -errno.
    .globl truefork_clone_thread
    .hidden truefork_clone_thread
    .type truefork_clone_thread, @function
truefork_clone_thread:
    .cfi_startproc
    endbr64
    movq %r8, %r9               // registers: kept by the system call, and seen by the new thread
    movq %rdx, %r10             // child_tid
    movq %rsi, %rdx             // parent_tid
    movq %rcx, %r8              // tls
    movq 48(%r9), %rsi          // stack
    movl $56, %eax              // SYS_clone
    syscall
    testq %rax, %rax
    jz 1f
    ret
1:  .cfi_undefined rip
    movq 0(%r9), %rbx
    movq 8(%r9), %rbp
    movq 16(%r9), %r12
    movq 24(%r9), %r13
    movq 32(%r9), %r14
    movq 40(%r9), %r15
    movl $1, %eax
    jmpq *56(%r9)
    .cfi_endproc
    .size truefork_clone_thread, . - truefork_clone_thread

// The way out of a signal handler that was set by the system call itself; sigreturn(2).
    .globl truefork_restore_signal
    .hidden truefork_restore_signal
    .type truefork_restore_signal, @function
truefork_restore_signal:
    movl $15, %eax              // SYS_rt_sigreturn
    syscall
    .size truefork_restore_signal, . - truefork_restore_signal

    .section .note.GNU-stack, "", @progbits
