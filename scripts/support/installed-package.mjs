// The package as its users get it: packed, unpacked and installed elsewhere.
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

/** Installs the packed package without running its scripts, and returns the folder: the caller removes it. */
export function installedPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'truefork-'))
  const packed = join(folder, 'packed')
  mkdirSync(packed)
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', packed], { stdio: 'ignore' })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  const [tarball] = readdirSync(packed)
  run('npm', ['install', '--silent', '--ignore-scripts', join(packed, tarball)], { cwd: folder })
  return folder
}
