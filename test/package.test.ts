// The package as a whole: what it exports, to whom, and what it says where it can't run.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root, runNode, runProgram } from './support/program'

const modules = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter((path) =>
  /\.m?js$/.test(path),
)

t.test('an ES module imports by name what CommonJS requires, and the very same', async (t) => {
  const source = `
    import { createRequire } from 'node:module'
    import { PosixError, fork } from 'truefork'
    import * as imported from 'truefork'
    const required = createRequire(process.cwd() + '/')('truefork')
    // CommonJS has a mark of its compiler's besides; newer releases of Node add their own.
    const names = (module) => Object.keys(module).filter((name) => !/^(__esModule|default|module\\.exports)$/.test(name)).sort()
    console.log(JSON.stringify({
      imported: names(imported),
      required: names(required),
      different: names(required).filter((name) => !Object.is(imported[name], required[name])),
      identical: PosixError === required.PosixError && fork === required.fork,
    }))`
  const { stdout, stderr } = await runNode(['--input-type=module', '-e', source])
  t.equal(stderr, '')
  const { imported, required, different, identical } = JSON.parse(stdout)
  t.ok(imported.includes('fork') && imported.includes('WNOHANG'))
  t.same(imported, required)
  t.same(different, [])
  t.equal(identical, true)
})

t.test('so it is with truefork/promises', async (t) => {
  const source = `
    import { createRequire } from 'node:module'
    import * as imported from 'truefork/promises'
    const required = createRequire(process.cwd() + '/')('truefork/promises')
    console.log(Object.keys(required).filter((name) => imported[name] === required[name]).sort().join())`
  const { stdout, stderr } = await runNode(['--input-type=module', '-e', source])
  t.equal(stderr, '')
  t.equal(stdout, 'posix_spawn,posix_spawnp,wait4,waitid,waitpid\n')
})

t.test('so it is with truefork/multiprocessing', async (t) => {
  const source = `
    import { createRequire } from 'node:module'
    import * as imported from 'truefork/multiprocessing'
    const required = createRequire(process.cwd() + '/')('truefork/multiprocessing')
    console.log(Object.keys(required).filter((name) => imported[name] !== required[name]).join())
    console.log(imported.cpuCount() > 0)`
  const { stdout, stderr } = await runNode(['--input-type=module', '-e', source])
  t.equal(stderr, '')
  t.equal(stdout, '\ntrue\n')
})

t.ok(modules.includes('index.js') && modules.includes(join('safety', 'hazards.js')))

for (const path of modules) {
  t.test(`${path} loads by itself`, async (t) => {
    const { code, stdout, stderr } = await runNode([
      '--input-type=module',
      '-e',
      `await import(${JSON.stringify(join(root, 'dist', path))})`,
    ])
    t.same({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' })
  })
}

t.test('another platform is told in one sentence that it lacks these calls, and what to use', async (t) => {
  const { stdout, stderr } = await runProgram(`
    require('node:os').platform = () => 'win32'
    try {
      require('truefork')
    } catch (error) {
      console.log(error.name + ': ' + error.message)
    }`)
  t.equal(stderr, '')
  t.equal(
    stdout,
    'Error: truefork makes the system calls fork, exec and wait of Linux and macOS; win32 has none of them. Use node:child_process there.\n',
  )
})
