import { F_SETFD, FD_CLOEXEC } from '../constants'
import { fcntl } from '../descriptors'
import { type SocketPair, socketpair } from '../sockets'

/** A socketpair of which no program gets an end that it isn't handed. */
export function privateSocketpair(): SocketPair {
  const ends = socketpair()
  for (const fd of ends) fcntl(fd, F_SETFD, FD_CLOEXEC)
  return ends
}
