// A snapshot in the background, as Redis' BGSAVE makes it: the child of a fork has all memory as it was at that moment,
// and writes it to a file at its leisure, while its parent goes on changing its own. No copy is made beforehand: the
// kernel copies a page when one of the two writes to it. Run it with the heap's size in megabytes.
import { closeSync, fsyncSync, mkdtempSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { _exit, describeStatus, fork } from 'truefork'
import { waitpid } from 'truefork/promises'
import { say } from './support/say'

const megabytes = Number(process.argv[2] ?? 500)
const recordSize = 8 // in the file: number and balance of an account

interface Account {
  number: number
  balance: number
  owner: string
}

const accounts: Account[] = []

/** Objects and strings, until the heap has its size. */
function fillHeap(): void {
  while (process.memoryUsage().heapUsed < megabytes * 1e6) {
    for (let count = 0; count < 10_000; count++) {
      const number = accounts.length
      accounts.push({ number, balance: 1000, owner: `owner ${number}`.padEnd(32, '.') })
    }
  }
}

let transfers = 0

/** What the program is there for: money moves, and none is lost. */
function transfer(): void {
  transfers++
  const from = accounts[Math.floor(Math.random() * accounts.length)] as Account
  const to = accounts[Math.floor(Math.random() * accounts.length)] as Account
  const amount = Math.floor(Math.random() * from.balance)
  from.balance -= amount
  to.balance += amount
}

/** A number that another order or another balance changes. */
function checksum(balances: Iterable<number>): number {
  let sum = 0
  for (const balance of balances) sum = (Math.imul(sum, 31) + balance) | 0
  return sum
}

/** In the child: all accounts, in pieces; then the file gets its name, so that nobody finds half of one. */
function save(path: string): void {
  const fd = openSync(`${path}.part`, 'w')
  const piece = Buffer.alloc(65_536 * recordSize)
  let length = 0
  const flush = (): void => {
    for (let offset = 0; offset < length; ) offset += writeSync(fd, piece, offset, length - offset)
    length = 0
  }
  for (const { number, balance } of accounts) {
    piece.writeUInt32LE(number, length)
    piece.writeUInt32LE(balance, length + 4)
    length += recordSize
    if (length === piece.length) flush()
  }
  flush()
  fsyncSync(fd)
  closeSync(fd)
  renameSync(`${path}.part`, path)
}

function* readBalances(path: string): Generator<number> {
  const fd = openSync(path, 'r')
  const piece = Buffer.alloc(65_536 * recordSize)
  for (;;) {
    const length = readSync(fd, piece)
    if (length === 0) break
    for (let offset = 0; offset < length; offset += recordSize) yield piece.readUInt32LE(offset + 4)
  }
  closeSync(fd)
}

async function main(directory: string): Promise<void> {
  fillHeap()
  for (let count = 0; count < 100_000; count++) transfer()
  const path = join(directory, 'accounts')
  const atFork = checksum(accounts.map(({ balance }) => balance))

  const start = performance.now()
  const pid = fork()
  if (pid === 0) {
    save(path)
    _exit(0)
  }
  const pause = performance.now() - start
  transfers = 0
  let isOver = false
  const end = waitpid(pid).finally(() => {
    isOver = true
  })
  while (!isOver) {
    for (let count = 0; count < 1000; count++) transfer()
    await setImmediate()
  }
  const { status } = await end

  say(
    `the heap had ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB, and the fork kept us ${pause.toFixed(1)} ms`,
  )
  say(`the child ended: ${JSON.stringify(describeStatus(status))}; meanwhile we made ${transfers} transfers`)
  say(`the file has ${statSync(path).size / recordSize} accounts of ${accounts.length}`)
  say(`its balances are those at the fork: ${checksum(readBalances(path)) === atFork}`)
  say(`and not ours any more: ${checksum(accounts.map(({ balance }) => balance)) !== atFork}`)
}

const directory = mkdtempSync(join(tmpdir(), 'truefork-snapshot-'))
main(directory).finally(() => rmSync(directory, { recursive: true }))
