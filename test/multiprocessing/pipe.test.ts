// Values, bytes and descriptors through a Pipe.
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { F_GETFD, F_GETFL, FD_CLOEXEC, fcntl, fdTable, O_NONBLOCK } from 'truefork'
import { type Connection, EOFError, Pipe } from 'truefork/multiprocessing'
import { linesOf, withoutAllThreads } from '../support/fork'
import { runProgram } from '../support/program'

function pair(t: Test, duplex?: boolean): [Connection, Connection] {
  const ends = Pipe(duplex)
  t.teardown(() => {
    for (const end of ends) end.close()
  })
  return ends
}

const openSockets = () => fdTable().filter(({ kind }) => kind === 'socket').length

t.test('values arrive whole, in order, both ways', async (t) => {
  const [one, other] = pair(t)
  const values = [undefined, null, 0, '', 'ü', [1, [2]], { a: new Date(0) }, new Map([[1, new Set([2])]]), 12n, /a/g]
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    for (const value of values) await from.send(value)
    for (const value of values) t.same(await to.recv(), value)
  }
})

t.test("a typed array and a Buffer arrive as such, and are the receiver's own", async (t) => {
  const [one, other] = pair(t)
  await one.send([Float64Array.of(1.5, -0), Buffer.from('bytes')])
  const [numbers, bytes] = (await other.recv()) as [Float64Array, Buffer]
  t.ok(Object.is(numbers[1], -0))
  t.equal(bytes.toString(), 'bytes')
  await one.send(Buffer.from('other'))
  await other.recv()
  t.equal(bytes.toString(), 'bytes')
})

t.test('messages of any size arrive', async (t) => {
  const [one, other] = pair(t)
  for (const size of [0, 1, 65_534, 65_535, 65_536, 65_537, 10_000_000]) {
    const bytes = Buffer.alloc(size, 'abc')
    await one.sendBytes(bytes)
    t.ok((await other.recvBytes()).equals(bytes), `${size}`)
  }
})

t.test('a value is copied before send returns', async (t) => {
  const [one, other] = pair(t)
  const value = { state: 'before' }
  const sent = one.send(value)
  value.state = 'after'
  await sent
  t.same(await other.recv(), { state: 'before' })
})

t.test('what there is no room for waits, in order', async (t) => {
  const [one, other] = pair(t)
  const count = 2000
  let sent = 0
  const sends = Array.from({ length: count }, async (_, index) => {
    await one.send({ index, filling: 'x'.repeat(1000) })
    sent++
  })
  await new Promise(setImmediate)
  t.ok(sent < count, 'the kernel takes a part of it')
  let inOrder = 0
  while (inOrder < count && ((await other.recv()) as { index: number }).index === inOrder) inOrder++
  t.equal(inOrder, count)
  await Promise.all(sends)
})

t.test('several receivers get a message each, the first first', async (t) => {
  const [one, other] = pair(t)
  const received = [other.recv(), other.recv(), other.recv()]
  for (const value of ['a', 'b', 'c']) await one.send(value)
  t.same(await Promise.all(received), ['a', 'b', 'c'])
})

t.test("the other end's close is an EOFError, after all that was sent", async (t) => {
  const [one, other] = pair(t)
  await other.send('never read')
  await one.send('last')
  const waiting = other.recv().then(() => other.recv())
  one.close()
  await t.rejects(waiting, { name: 'EOFError', code: 'EOF' })
  await t.rejects(other.recv(), EOFError)
  t.throws(() => other.recvSync(), EOFError)
  t.equal(await other.poll(), true)
  await t.rejects(other.send(1), { name: 'PosixError', code: 'EPIPE', syscall: 'sendmsg' })
  t.throws(() => other.sendSync(1), { code: 'EPIPE' })
})

t.test('for await ends with the other end', async (t) => {
  const [one, other] = pair(t)
  for (const value of [1, 2, 3]) await one.send(value)
  one.close()
  const values: unknown[] = []
  for await (const value of other) values.push(value)
  t.same(values, [1, 2, 3])
})

t.test('without duplex the first end receives and the second sends', async (t) => {
  const [receiver, sender] = pair(t, false)
  t.same([receiver.readable, receiver.writable, sender.readable, sender.writable], [true, false, false, true])
  await sender.send('one way')
  t.equal(await receiver.recv(), 'one way')
  for (const refused of [receiver.send(1), receiver.sendBytes('a'), sender.recv(), sender.recvBytes(), sender.poll()]) {
    await t.rejects(refused, { code: 'ERR_INVALID_STATE' })
  }
  t.throws(() => receiver.sendSync(1), { code: 'ERR_INVALID_STATE' })
  t.throws(() => sender.recvSync(), { code: 'ERR_INVALID_STATE' })
})

t.test('poll waits for as long as it is told, and takes nothing', async (t) => {
  const [one, other] = pair(t)
  t.equal(await other.poll(), false)
  t.equal(await other.poll(5), false)
  const news = other.poll(Number.POSITIVE_INFINITY)
  await one.send('news')
  t.equal(await news, true)
  t.equal(await other.poll(), true)
  t.equal(await other.recv(), 'news')
  t.equal(await other.poll(0), false)
})

t.test('sendSync and recvSync need no event loop', async (t) => {
  const [one, other] = pair(t)
  one.sendSync({ a: 1 })
  t.same(other.recvSync(), { a: 1 })
})

t.test('an aborted recv has taken nothing', async (t) => {
  const [one, other] = pair(t)
  const controller = new AbortController()
  const aborted = other.recv({ signal: controller.signal })
  const next = other.recv()
  controller.abort('enough')
  await t.rejects(aborted, { name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' })
  await one.send('kept')
  t.equal(await next, 'kept')
  await t.rejects(other.recv({ signal: controller.signal }), { code: 'ABORT_ERR' })
})

t.test('an aborted send has sent nothing', async (t) => {
  const [one, other] = pair(t)
  const controller = new AbortController()
  const filling = 'x'.repeat(60_000)
  const sends = Array.from({ length: 10 }, (_, index) =>
    one.send([index, filling], index === 9 ? { signal: controller.signal } : {}),
  )
  const last = sends.pop() as Promise<void>
  controller.abort()
  await t.rejects(last, { code: 'ABORT_ERR' })
  for (let index = 0; index < 9; index++) t.equal(((await other.recv()) as unknown[])[0], index)
  await Promise.all(sends)
  t.equal(await other.poll(), false)
})

t.test('descriptors go along with a value', async (t) => {
  const [one, other] = pair(t)
  const file = openSync(__filename, 'r')
  for (const filling of ['', 'x'.repeat(200_000)]) {
    await one.send({ filling }, { fds: [file, file] })
    const { value, fds } = await other.recvWithFds()
    t.same(value, { filling })
    t.equal(fds.length, 2)
    for (const fd of fds) {
      t.equal(fstatSync(fd).ino, fstatSync(file).ino)
      t.equal(fcntl(fd, F_GETFD), FD_CLOEXEC)
      closeSync(fd)
    }
  }
  await one.send('without', {})
  t.same(await other.recvWithFds(), { value: 'without', fds: [] })
  const before = fdTable().length
  await one.send('unasked', { fds: [file] })
  t.equal(await other.recv(), 'unasked')
  t.equal(fdTable().length, before, 'those that nobody asked for are closed')
  closeSync(file)
  await t.rejects(one.send(1, { fds: [file] }), { code: 'EBADF', syscall: 'sendmsg' })
})

t.test("what can't be cloned is named, and nothing is sent", async (t) => {
  const [one, other] = pair(t)
  await t.rejects(one.send({ callback: () => {} }), {
    code: 'ERR_INVALID_ARG_VALUE',
    message: /callback|could not be cloned/,
  })
  t.throws(() => one.sendSync(Symbol('a')), { code: 'ERR_INVALID_ARG_VALUE' })
  t.equal(await other.poll(), false)
})

t.test('an end that goes to a child as an argument works there, whatever the start method', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'truefork-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const module = join(folder, 'answer.js')
  writeFileSync(
    module,
    'exports.answer = async (end) => { await end.send([await end.recv(), process.pid]); end.close() }',
  )
  const [answer, isOther, code, refused] = await linesOf(`
    const { getContext, Pipe, Queue } = require('truefork/multiprocessing')
    const { Process } = getContext('spawn')
    const { answer } = require(${JSON.stringify(module)})
    const [mine, theirs] = Pipe()
    const child = new Process({ target: answer, args: [theirs] })
    child.start()
    theirs.close()
    ;(async () => {
      await mine.send('question')
      const [value, pid] = await mine.recv()
      console.log(JSON.stringify(value))
      console.log(pid === child.pid)
      await child.join()
      console.log(child.exitCode)
      const errorOf = (promise) => promise.then(() => 'none', (error) => error.code)
      const queue = new Queue()
      const refusals = [await errorOf(mine.send({ end: mine })), await errorOf(queue.put([queue]))]
      mine.close()
      const started = (async () => new Process({ target: answer, args: [mine] }).start())()
      console.log(JSON.stringify([...refusals, await errorOf(started)]))
    })()`)
  t.same([answer, isOther, code], ['question', true, 0])
  t.same(refused, ['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_VALUE', 'ERR_INVALID_STATE'])
})

t.test('wrong arguments are refused before anything happens', async (t) => {
  const before = openSockets()
  for (const wrong of [null, 1, 'yes', {}]) t.throws(() => Pipe(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
  t.equal(openSockets(), before)
  const [one, other] = pair(t)
  for (const fds of [1, 'ab', {}, null]) {
    await t.rejects(one.send(1, { fds: fds as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  await t.rejects(one.send(1, { fds: [1.5] }), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(one.send(1, { fds: new Array(253).fill(0) }), { code: 'ERR_OUT_OF_RANGE' })
  await t.rejects(one.send(1, { signal: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.rejects(one.send(1, 1 as never), { code: 'ERR_INVALID_ARG_TYPE' })
  await t.rejects(one.sendBytes({} as never), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const wrong of ['1', null, {}]) await t.rejects(other.poll(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' })
  for (const wrong of [-1, Number.NaN]) await t.rejects(other.poll(wrong), { code: 'ERR_OUT_OF_RANGE' })
  t.equal(await other.poll(), false)
})

t.test('a closed connection says so, and its descriptor is gone', async (t) => {
  const before = openSockets()
  const [one, other] = Pipe()
  t.equal(fcntl(one.fileno(), F_GETFD), FD_CLOEXEC)
  t.equal(fcntl(one.fileno(), F_GETFL) & O_NONBLOCK, O_NONBLOCK)
  const waiting = [other.recv(), other.poll(1000)]
  other.close()
  other.close()
  for (const each of waiting) await t.rejects(each, { code: 'ERR_INVALID_STATE' })
  t.equal(other.closed, true)
  for (const refused of [other.recv(), other.send(1), other.poll()]) {
    await t.rejects(refused, { code: 'ERR_INVALID_STATE' })
  }
  for (const refused of [() => other.fileno(), () => other.recvSync(), () => other.sendSync(1)]) {
    t.throws(refused, { code: 'ERR_INVALID_STATE' })
  }
  one.close()
  t.equal(openSockets(), before)
})

t.test('a program ends though a connection is open, but not while somebody waits by it', async (t) => {
  const program = (wait: string) => `
    const { Pipe } = require('truefork/multiprocessing')
    const [one, other] = Pipe()
    ${wait}
    setTimeout(() => one.send('sent'), 50).unref()
    process.on('exit', () => console.log('exit'))`
  t.equal((await runProgram(program(''))).stdout, 'exit\n')
  t.equal((await runProgram(program('other.recv().then(console.log)'))).code, 0)
  const kept = `setTimeout(() => one.send('sent'), 20); other.recv().then(console.log)`
  t.equal((await runProgram(program(kept))).stdout, 'sent\nexit\n')
})

t.test('both sides of a fork talk by it', { skip: withoutAllThreads }, async (t) => {
  t.same(
    await linesOf(`
      const { Pipe } = require('truefork/multiprocessing')
      const [one, other] = Pipe()
      const pid = fork()
      const mine = pid === 0 ? one : other
      ;(pid === 0 ? other : one).close()
      async function child() {
        for await (const value of mine) await mine.send([value, process.pid])
        _exit(0)
      }
      async function parent() {
        for (const value of ['a', 'b'.repeat(300000)]) {
          await mine.send(value)
          const [back, by] = await mine.recv()
          console.log(JSON.stringify(back === value && by === pid))
        }
        mine.close()
        console.log(JSON.stringify(ending(pid)))
      }
      pid === 0 ? child() : parent()`),
    [true, true, 0],
  )
})

t.test(
  'of many processes that share an end each message comes to one, whole',
  { skip: withoutAllThreads },
  async (t) => {
    const [got, endings] = (await linesOf(`
    const { Pipe } = require('truefork/multiprocessing')
    const count = 3000
    const [receiver, sender] = Pipe(false)
    const [results, teller] = Pipe(false)
    async function child() {
      sender.close()
      results.close()
      for await (const [number, filling] of receiver) await teller.send(filling.length === 100 ? number : 'torn')
      _exit(0)
    }
    async function parent(pids) {
      receiver.close()
      teller.close()
      const seen = []
      const reading = (async () => { for await (const number of results) seen.push(number) })()
      for (let number = 0; number < count; number++) {
        await sender.send([number, 'x'.repeat(100)])
        if (number === 500) process.kill(pids[0], 'SIGKILL')
      }
      sender.close()
      await reading
      const distinct = new Set(seen)
      console.log(JSON.stringify([distinct.size, seen.length - distinct.size, seen.includes('torn')]))
      console.log(JSON.stringify(pids.map(ending)))
    }
    const pids = []
    while (pids.length < 3 && !pids.includes(0)) pids.push(fork())
    pids.includes(0) ? child() : parent(pids)`)) as [[number, number, boolean], unknown[]]
    const [distinct, doubled, isTorn] = got
    t.ok(distinct >= 2999 && distinct <= 3000, `${distinct}: all but the one that the killed process had`)
    t.same([doubled, isTorn], [0, false])
    t.same(endings, ['SIGKILL', 0, 0])
  },
)
