// getpid(2), getppid(2), gettid(2).
import { binding } from './binding'

/** This process's id, from the kernel: process.pid is a property that was read once. Source: getpid(2). */
export function getpid(): number {
  return binding.getpid()
}

/** The parent's id; another process's once the parent has ended. Source: getppid(2). */
export function getppid(): number {
  return binding.getppid()
}

/**
 * The calling thread's id: on Linux the kernel's tid, equal to the pid in the main thread; on macOS
 * pthread_threadid_np's. Source: gettid(2).
 */
export function gettid(): number {
  return binding.gettid()
}
