// What the documentation says is there, and what is there is in the documentation.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { root, runProgram } from './support/program'

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => join('docs', name))]
const read = (page: string): string => readFileSync(join(root, page), 'utf8')

const { hazardIds } = require(join(root, 'dist', 'safety', 'hazards.js')) as { hazardIds: readonly string[] }

/** Every name that the package exports, types included; the functions as `name(`. */
function exportedNames(entry: string): string[] {
  const file = join(root, 'dist', `${entry}.d.ts`)
  const program = ts.createProgram([file], { module: ts.ModuleKind.NodeNext, types: [] })
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const index = source && checker.getSymbolAtLocation(source)
  if (index === undefined) throw new Error(`${file} exports nothing`)
  const values = require(join(root, 'dist', `${entry}.js`)) as Record<string, unknown>
  return checker.getExportsOfModule(index).map(({ name }) => (isCall(values[name]) ? `${name}(` : name))
}

function isCall(value: unknown): boolean {
  return typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value))
}

/** The names that no code of the page has. */
function missingIn(page: string, names: readonly string[]): string[] {
  const code = codeOf(read(page))
  return names.filter(
    (name) => !new RegExp(`(?<!\\w)${name.replace('(', '\\(')}${name.endsWith('(') ? '' : '(?!\\w)'}`).test(code),
  )
}

/** The code of a page: its blocks and what is in backticks. */
function codeOf(text: string): string {
  return (text.match(/^```[\s\S]*?^```|`[^`\n]+`/gm) ?? []).join('\n')
}

/** What a heading's anchor is, by GitHub's rule. */
function anchorsOf(text: string): string[] {
  const headings = text.match(/^#+ .*$/gm) ?? []
  return headings.map((line) =>
    line
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

t.test('every export is in docs/api.md', async (t) => {
  const names = [...exportedNames('index'), ...exportedNames('promises')]
  t.ok(['fork(', 'WNOHANG', 'ForkOptions', 'Abortable'].every((name) => names.includes(name)))
  t.same(missingIn(join('docs', 'api.md'), names), [])
})

t.test('every export of truefork/multiprocessing is in docs/multiprocessing.md', async (t) => {
  const names = exportedNames('multiprocessing')
  t.ok(names.includes('cpuCount('))
  t.same(missingIn(join('docs', 'multiprocessing.md'), names), [])
})

t.test('every function that docs/api.md declares is exported', async (t) => {
  const declared = read(join('docs', 'api.md')).match(/^\w+(?=\(.*\): )/gm) ?? []
  t.ok(declared.length > 40)
  const values = require('truefork') as Record<string, unknown>
  t.same(
    declared.filter((name) => !isCall(values[name])),
    [],
  )
})

t.test('every hazard has its entry in docs/hazards.md and its row in the README', async (t) => {
  t.ok(hazardIds.length > 0)
  const anchors = anchorsOf(read(join('docs', 'hazards.md')))
  const rows = [...read('README.md').matchAll(/^\| \[`([\w-]+)`\]\(docs\/hazards\.md#([\w-]+)\)/gm)]
  t.same(
    hazardIds.filter((id) => !anchors.includes(id)),
    [],
  )
  t.same(
    rows.map(([, id, anchor]) => [id, anchor]),
    hazardIds.map((id) => [id, id]),
  )
})

t.test('every relative link leads somewhere', async (t) => {
  const links = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, file = '', anchor]) => {
      return { page, target: file === '' ? page : join(dirname(page), file), anchor }
    }),
  )
  t.ok(links.length > 20)
  for (const { page, target, anchor } of links) {
    t.ok(existsSync(join(root, target)), `${page} links to ${target}`)
    if (anchor !== undefined) t.ok(anchorsOf(read(target)).includes(anchor), `${target} has #${anchor}`)
  }
})

t.test("the README's first program prints what the README says", async (t) => {
  const [, program = '', output = ''] =
    /^```js\n([\s\S]*?)^```[\s\S]*?^```text\n([\s\S]*?)^```/m.exec(read('README.md')) ?? []
  t.ok(program.includes('fork('))
  const { code, stdout, stderr } = await runProgram(program)
  const withoutPid = (text: string): string => text.replace(/(?<=^hello from )\d+$/m, '<pid>')
  t.match(stdout, /^hello from \d+$/m)
  t.same({ code, stdout: withoutPid(stdout), stderr }, { code: 0, stdout: withoutPid(output), stderr: '' })
})
