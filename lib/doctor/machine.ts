// What this machine lets truefork do: tried, not guessed.
import { arch, platform, release } from 'node:os'
import { binding } from '../binding'
import { PosixError } from '../errors'

export interface Probe {
  name: string
  available: boolean
  /** The error's name where it isn't. */
  error: string | null
  /** What it is for. */
  use: string
}

export interface Machine {
  platform: string
  release: string
  arch: string
  node: string
  /** glibc's version; null: another C library. */
  glibc: string | null
  /** As in docs/platforms.md: 1 is run by the tests, 3 is compiled only. */
  tier: 1 | 2 | 3
  /** Whether fork() gives the child every thread. */
  allThreads: boolean
  /** What stands in its way, in words. */
  whyNotAllThreads: string | null
  probes: Probe[]
}

const uses: Readonly<Record<string, string>> = {
  '/proc/self/task': 'fork: finds the threads',
  '/proc/self/pagemap': 'fork: finds the pages where locks may be',
  PR_GET_TID_ADDRESS: 'fork: where a thread has its tid',
  memfd_create: 'diagnose: the record that a fork leaves',
  pidfd_open: 'truefork/promises: waits without looking again and again',
  clone3: 'the C library: posix_spawn, pthread_create',
  close_range: 'close_range, and children without descriptors too many',
  kcmp: 'promises: ends an aborted posix_spawn',
  process_vm_readv: 'debuggers: memory of other processes',
  userfaultfd: 'not needed',
  io_uring_setup: 'libuv since Node 22; a child gets a ring of its own',
}

export function describeMachine(): Machine {
  const whyNotAllThreads = binding.whyNotAllThreads()
  const report = process.report?.getReport() as unknown as { header: { glibcVersionRuntime?: string } } | undefined
  const glibc = report?.header.glibcVersionRuntime ?? null
  return {
    platform: platform(),
    release: release(),
    arch: arch(),
    node: process.version,
    glibc,
    tier: platform() === 'darwin' ? 3 : arch() === 'x64' && glibc !== null ? 1 : 2,
    allThreads: whyNotAllThreads === null,
    whyNotAllThreads,
    probes: binding.probes().map(([name, failure]) => ({
      name,
      available: failure === 0,
      error: failure === 0 ? null : new PosixError(failure, name).code,
      use: uses[name] ?? '',
    })),
  }
}
