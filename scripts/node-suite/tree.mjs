// Node's test suite, as Debian ships it with the source of its package: fetched once, never part of this project.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { changed } from '../support/files.mjs'
import { root, run } from '../support/run.mjs'

const version = '20.19.2'
const archive = `https://deb.debian.org/debian/pool/main/n/nodejs/nodejs_${version}+dfsg.orig.tar.xz`
const sha256 = '5e5559381ad031d245a8efa403458abbb73755f74c3e6380f185a4dd342b7949'

/** Fetches the tree unless it is here, and returns its folder. */
export async function nodeTree() {
  const folder = join('out', 'cache', `node-tree-${version}`)
  if (changed(folder) === 0) {
    const unfinished = join(root, `${folder}.${process.pid}`)
    mkdirSync(unfinished, { recursive: true })
    writeFileSync(join(unfinished, 'tree.tar.xz'), await download())
    run('sh', ['-c', 'tar -xJf tree.tar.xz --strip-components=1 && rm tree.tar.xz'], { cwd: unfinished })
    rmSync(join(root, folder), { recursive: true, force: true })
    renameSync(unfinished, join(root, folder))
  }
  return join(root, folder)
}

async function download() {
  const response = await fetch(archive)
  if (!response.ok) throw new Error(`${archive}: ${response.status} ${response.statusText}`)
  const bytes = Buffer.from(await response.arrayBuffer())
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found !== sha256) throw new Error(`${archive}: its SHA-256 is ${found}, not ${sha256}`)
  return bytes
}

/** The tests of a folder of test/: name, file, and the options of Node that each asks for in its first `// Flags:`. */
export function testsOf(tree, suite) {
  const folder = join(tree, 'test', suite)
  return readdirSync(folder)
    .filter((name) => /^test-.*\.m?js$/.test(name))
    .sort()
    .map((name) => {
      const file = join(folder, name)
      const [, flags = ''] = /\/\/\s+Flags:(.*)/.exec(readFileSync(file, 'utf8')) ?? []
      return { name, file, flags: flags.trim().split(/\s+/).filter(Boolean) }
    })
}
