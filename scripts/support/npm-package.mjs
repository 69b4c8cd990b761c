// Packages too large to be installed with the others: unpacked once, when they are needed.
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { changed } from './files.mjs'
import { root, run } from './run.mjs'

/** Fetches a package and returns its folder. Its install scripts don't run. */
export function npmPackage(name, version) {
  const folder = join('out', 'cache', `${name.replace(/\W+/g, '-')}-${version}`)
  if (changed(folder) === 0) {
    const unfinished = join(root, `${folder}.${process.pid}`)
    mkdirSync(unfinished, { recursive: true })
    run('npm', ['pack', '--silent', '--pack-destination', unfinished, `${name}@${version}`], { stdio: 'ignore' })
    run('sh', ['-c', 'tar -xzf *.tgz --strip-components=1 && rm *.tgz'], { cwd: unfinished })
    rmSync(join(root, folder), { recursive: true, force: true })
    renameSync(unfinished, join(root, folder))
  }
  return join(root, folder)
}
