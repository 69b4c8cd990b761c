// Many pseudo-terminals leave nothing behind.
import { closeSync } from 'node:fs'
import t from 'tap'
import { openpty } from 'truefork'
import { linesOf } from './support/fork'
import { closing } from './support/shell'

const notLinux = process.platform !== 'linux' && 'only Linux has /proc'

t.setTimeout(300_000) // two thousand processes on a busy machine

t.test(
  'two thousand pseudo-terminals in a row leave no descriptor, no zombie and no terminal',
  { skip: notLinux },
  async (t) => {
    const lines = await linesOf(
      `
    const { forkpty, openpty } = require('truefork')
    const state = () => [fs.readdirSync('/proc/self/fd').length, fs.readFileSync('/proc/sys/kernel/pty/nr', 'utf8').trim()]
    const [descriptors] = state()
    const names = new Set()
    for (let i = 0; i < 2000; i++) {
      const { pid, fd } = forkpty()
      if (pid === 0) _exit(9)
      assert.strictEqual(ending(pid), 9)
      fs.closeSync(fd)
    }
    console.log(state()[0] === descriptors)
    try { wait() } catch ({ code }) { console.log(code) }
    const { master, slave, name } = openpty()
    console.log(name)`,
      { timeoutMs: 200_000 },
    )
    t.same(lines.slice(0, 2), [true, 'ECHILD'])
    const { master, slave, name } = openpty()
    closing(t, master, slave)
    t.match(name, /^\/dev\/pts\/\d+$/)
    // Numbers are given from the lowest: none of the two thousand is in use.
    t.ok(Number(/\d+$/.exec(String(lines[2]))) < 1000)
    closeSync(master)
  },
)
