// Compiled, never run: what must compile does, and what must not is marked so.
import {
  CLOSE_RANGE_CLOEXEC,
  close_range,
  closefrom,
  compareFdTables,
  type FdInfo,
  type FdTableDifference,
  fdTable,
  type ReceivedFds,
  recvFds,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  type SocketPair,
  sendFds,
  socketpair,
  umask,
} from 'truefork'

closefrom(3)
close_range(3, ~0)
close_range(3, ~0, CLOSE_RANGE_CLOEXEC)
const [one, other]: SocketPair = socketpair()
socketpair(SOCK_STREAM | (SOCK_CLOEXEC ?? 0))
sendFds(one, [0, 1]) satisfies number
const list: readonly number[] = [0]
sendFds(one, list, 'text')
sendFds(one, list, Buffer.from('bytes'))
sendFds(one, list, new Uint8Array(1))
const message: ReceivedFds = recvFds(other)
message.fds satisfies number[]
recvFds(other, 10).data satisfies Buffer
const table: FdInfo[] = fdTable()
table[0]?.offset satisfies number | null | undefined
table[0]?.peers satisfies number[] | undefined
table[0]?.socket?.remote satisfies string | null | undefined
const difference: FdTableDifference = compareFdTables(table, fdTable())
difference.changed[0]?.before.kind === 'pipe'
umask(0o022) satisfies number

// @ts-expect-error a number
closefrom('3')
// @ts-expect-error both ends of the range
close_range(3)
// @ts-expect-error a list
sendFds(one, 0)
// @ts-expect-error bytes or a string
sendFds(one, [0], [1])
// @ts-expect-error no array of descriptors
recvFds(other).length
// @ts-expect-error no such kind
table[0]?.kind === 'sokcet'
// @ts-expect-error two tables
compareFdTables(table)
// @ts-expect-error umask(2) always sets
umask()
