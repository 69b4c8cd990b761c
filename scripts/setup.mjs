// Makes a checkout ready to run: installs, builds and compiles what is missing or older than its sources.
import { chmodSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { changed, filesBelow } from './support/files.mjs'
import { root, run, tool } from './support/run.mjs'

const addon = 'build/Release/truefork.node'

function installPackages() {
  if (changed('node_modules/.package-lock.json') >= changed('package-lock.json')) return
  // The addon is built below: once, and with its errors in sight.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
}

function buildAddon() {
  const newest = Math.max(...['binding.gyp', ...filesBelow('native')].map(changed))
  if (changed(addon) >= newest) return
  run(process.execPath, [tool('node-gyp/bin/node-gyp.js'), 'configure', 'build', '--loglevel=error'])
  const now = new Date()
  utimesSync(join(root, addon), now, now) // make leaves it alone when what has changed is another platform's
}

function compile() {
  run(process.execPath, [tool('typescript/bin/tsc'), '--build'])
  chmodSync(join(root, 'dist', 'cli.js'), 0o755) // package.json's bin
}

installPackages()
buildAddon()
compile()
