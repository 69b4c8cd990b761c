// truefork/promises: the calls that may take long, as promises.
export type { Abortable } from './abort'
export { posix_spawn, posix_spawnp } from './spawn-promises'
export { wait4, waitid, waitpid } from './wait-promises'
