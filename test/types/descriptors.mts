// Compiled as an ES module, never run: what must compile does, and what must not is marked so.
import { compareFdTables, constants, type FdInfo, fdTable, recvFds, sendFds, socketpair } from 'truefork'

const [one, other] = socketpair(constants.SOCK_DGRAM)
sendFds(one, [0]) satisfies number
recvFds(other).fds satisfies number[]
const open: readonly FdInfo[] = fdTable()
compareFdTables(open, open).text satisfies string

// @ts-expect-error sendFds is synchronous
sendFds(one, [0]).then(() => {})
