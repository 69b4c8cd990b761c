// The addon that forks without truefork, built when first asked for.
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

/** @returns {{ bareFork(): [number, number] }} */
export function loadBareFork() {
  const addon = path('../native/build/Release/bare_fork.node')
  if (!existsSync(addon) || statSync(addon).mtimeMs < statSync(path('../native/bare_fork.c')).mtimeMs) {
    const nodeGyp = path('../../node_modules/node-gyp/bin/node-gyp.js')
    execFileSync(process.execPath, [nodeGyp, 'configure', 'build', '--loglevel=error'], {
      cwd: path('../native'),
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }
  return createRequire(import.meta.url)(addon)
}
