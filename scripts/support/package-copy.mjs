// A copy of the package to run the tests in, with an addon of its own.
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

const leftOut = ['.git', '.tap', 'build', 'node_modules', 'out', 'prebuilds']

/** Makes the copy below out/ and returns its folder. `addons` maps paths in the copy to files or folders here. */
export function packageCopy(name, addons) {
  const folder = join(root, 'out', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const copy = (from, to) => cpSync(join(root, from), join(folder, to), { recursive: true })
  for (const entry of readdirSync(root)) if (!leftOut.includes(entry)) copy(entry, entry)
  for (const compiled of ['out/test', 'out/examples']) copy(compiled, compiled)
  for (const [to, from] of Object.entries(addons)) copy(from, to)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}
