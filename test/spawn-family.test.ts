import { constants } from 'node:os'
import t from 'tap'
import {
  P_NOWAIT,
  P_WAIT,
  spawnl,
  spawnle,
  spawnlp,
  spawnlpe,
  spawnv,
  spawnve,
  spawnvp,
  spawnvpe,
  waitpid,
} from 'truefork'
import { isChildless } from './support/process-state'

const shell = '/bin/sh'
const exit = (code: string) => ['sh', '-c', `exit ${code}`] as const
const env = { CODE: '23' }

// Each member of the family as one that ends with 23.
const family: Record<string, (mode: number) => number> = {
  spawnv: (mode) => spawnv(mode, shell, exit('23')),
  spawnve: (mode) => spawnve(mode, shell, exit('$CODE'), env),
  spawnvp: (mode) => spawnvp(mode, 'sh', exit('23')),
  spawnvpe: (mode) => spawnvpe(mode, 'sh', exit('$CODE'), env),
  spawnl: (mode) => spawnl(mode, shell, ...exit('23')),
  spawnle: (mode) => spawnle(mode, shell, ...exit('$CODE'), env),
  spawnlp: (mode) => spawnlp(mode, 'sh', ...exit('23')),
  spawnlpe: (mode) => spawnlpe(mode, 'sh', ...exit('$CODE'), env),
}

for (const [name, call] of Object.entries(family)) {
  t.test(`${name} returns the exit code under P_WAIT and the pid under P_NOWAIT`, async (t) => {
    t.equal(call(P_WAIT), 23)
    t.ok(isChildless())
    const pid = call(P_NOWAIT)
    t.same(waitpid(pid), { pid, status: 23 << 8 })
  })

  t.test(`${name} refuses a mode that is neither`, async (t) => {
    for (const mode of ['P_WAIT', null, undefined]) {
      t.throws(() => call(mode as never), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    }
    for (const mode of [2, -1, 0.5, Number.NaN]) {
      t.throws(() => call(mode), { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
    }
    t.ok(isChildless())
  })
}

t.test('P_WAIT returns minus the number of the signal that ended the program', async (t) => {
  t.equal(spawnlp(P_WAIT, 'sh', 'sh', '-c', 'kill -TERM $$'), -constants.signals.SIGTERM)
  t.equal(spawnlp(P_WAIT, 'sh', 'sh', '-c', 'kill -KILL $$'), -constants.signals.SIGKILL)
})

t.test('without p there is no search', async (t) => {
  for (const call of [spawnv, spawnve] as ((...words: unknown[]) => number)[]) {
    t.throws(() => call(P_WAIT, 'sh', exit('0'), {}), { code: 'ENOENT', syscall: 'posix_spawn', path: 'sh' })
  }
  t.throws(() => spawnl(P_WAIT, 'sh', ...exit('0')), { code: 'ENOENT', path: 'sh' })
  t.throws(() => spawnle(P_WAIT, 'sh', ...exit('0'), {}), { code: 'ENOENT', path: 'sh' })
  t.ok(isChildless())
})

t.test('an environment that was left out is refused, not replaced', async (t) => {
  const missing: (() => number)[] = [
    () => spawnve(P_WAIT, shell, exit('0'), undefined as never),
    () => spawnvpe(P_WAIT, 'sh', exit('0'), undefined as never),
    () => spawnle(P_WAIT, shell, ...exit('0'), undefined as never),
    () => spawnlpe(P_WAIT, 'sh', ...(exit('0') as unknown as [string, never])),
  ]
  for (const call of missing) t.throws(call, { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
  t.ok(isChildless())
})

t.test('a missing program is thrown in either mode', async (t) => {
  for (const mode of [P_WAIT, P_NOWAIT]) {
    t.throws(() => spawnv(mode, '/nonexistent', ['x']), {
      code: 'ENOENT',
      syscall: 'posix_spawn',
      path: '/nonexistent',
    })
    t.ok(isChildless())
  }
}) // spawn-02
