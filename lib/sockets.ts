// socketpair(2), and descriptors sent from process to process: unix(7), SCM_RIGHTS.
import { binding } from './binding'
import { SOCK_STREAM } from './constants'
import { checked, invalidArgValue, outOfRange } from './errors'
import { toData, toFds, toInt32 } from './validate'

/** The ends of a socketpair, each to read and to write. */
export type SocketPair = [one: number, other: number]

/** What came by one message. */
export interface ReceivedFds {
  /** New descriptors of this process, all FD_CLOEXEC, to be closed by the caller. */
  fds: number[]
  /** What was sent with them. Empty: the other end is closed. */
  data: Buffer
}

/** The kernel's SCM_MAX_FD; unix(7). */
const mostFds = 253

/**
 * Makes two UNIX sockets that are connected to each other, and that a child inherits, through fork as through exec.
 *
 * @param type SOCK_STREAM (default), SOCK_DGRAM or SOCK_SEQPACKET, or'ed with SOCK_CLOEXEC, SOCK_NONBLOCK
 * @returns the descriptors of its two ends
 * @throws PosixError EMFILE, ENFILE: no descriptor free; EINVAL, ESOCKTNOSUPPORT: unknown type or flags;
 *   EPROTONOSUPPORT: SOCK_SEQPACKET on macOS. Source: socketpair(2), POSIX; the flags are Linux's.
 */
export function socketpair(type: number = SOCK_STREAM): SocketPair {
  const [failure, one, other] = binding.socketpair(toInt32(type, 'type'))
  checked(failure, 'socketpair')
  return [one, other]
}

/**
 * Sends open files to whoever holds the other end of a UNIX socket. They arrive as descriptors of its own, by other
 * numbers, and share offset and flags with these, as after dup(2). These stay open.
 *
 * @param socket a connected UNIX socket (int32)
 * @param fds at most 253 descriptors (int32); none: only the data is sent
 * @param data at least one byte to go with them, a string as UTF-8; default: one null byte
 * @returns how many bytes of data were sent: all, or fewer on a stream that is O_NONBLOCK and full. The descriptors went
 *   with the first, so the rest is to be written without them.
 * @throws PosixError EBADF: a descriptor isn't open; EAGAIN: full, and O_NONBLOCK; EPIPE, ECONNRESET: nobody will
 *   receive it (SIGPIPE isn't raised); EMSGSIZE: more than a datagram can hold; ETOOMANYREFS: too many are under way;
 *   ENOTSOCK, ENOTCONN, EINVAL: no such socket
 * @throws ERR_OUT_OF_RANGE: more than 253; ERR_INVALID_ARG_VALUE: no data
 * Hazard: blocks this thread while the socket is full. Source: sendmsg(2), unix(7).
 */
export function sendFds(socket: number, fds: readonly number[], data: string | Uint8Array = '\0'): number {
  const to = toInt32(socket, 'socket')
  const list = toFds(fds, 'fds', mostFds)
  const bytes = toData(data, 'data')
  // A stream would take no bytes, and no descriptors with them, without a word.
  if (bytes.length === 0) throw invalidArgValue('data', data, 'must not be empty')
  return checked(binding.sendDescriptors(to, list, bytes), 'sendmsg')
}

/**
 * Receives one message of {@link sendFds}. A stream keeps no borders: bytes that were sent without descriptors before
 * may come in one piece with it, those that were sent after it don't.
 *
 * @param socket a UNIX socket (int32)
 * @param maxBytes as many bytes of data at most; the rest of a stream comes by the next call; default 65536
 * @returns descriptors and data; no descriptors and no data at the end of file
 * @throws PosixError EAGAIN: nothing there yet, and O_NONBLOCK; EMFILE: this process's table is full; EMSGSIZE: a datagram
 *   is larger than `maxBytes`. After these two the message is lost, and no descriptor of it stays open. ECONNRESET: the
 *   other end was closed with something unread; EBADF, ENOTSOCK, EINVAL: no such socket
 * Hazard: blocks this thread until something comes. Source: recvmsg(2), unix(7).
 */
export function recvFds(socket: number, maxBytes = 65_536): ReceivedFds {
  const from = toInt32(socket, 'socket')
  if (toInt32(maxBytes, 'maxBytes') < 1) throw outOfRange('maxBytes', '>= 1', maxBytes)
  const buffer = Buffer.alloc(maxBytes)
  const [size, ...fds] = binding.receiveDescriptors(from, buffer)
  checked(size, 'recvmsg')
  return { fds, data: Buffer.from(buffer.subarray(0, size)) }
}
