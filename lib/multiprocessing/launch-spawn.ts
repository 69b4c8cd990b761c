// The start method 'spawn': a fresh Node, which imports the module of its target and nothing else of the program.

import { randomUUID } from 'node:crypto'
import { closeSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inheritedExecArgv, spawnNode } from './clean-node'
import type { Job, Launcher } from './launcher'
import { packJob } from './spawn-job'

export const spawnLauncher: Launcher = {
  method: 'spawn',
  start(job: Job) {
    const { bytes, fds } = packJob(job, 'spawn')
    const file = fileWith(bytes)
    try {
      const pid = spawnNode({
        script: join(__dirname, 'spawn-main.js'),
        args: process.argv.slice(2),
        fds: [file, ...fds],
        execArgv: inheritedExecArgv(),
      })
      return { pid }
    } finally {
      closeSync(file)
    }
  },
}

/** A nameless file: a pipe would hold so much, and its writer back until the child reads. */
function fileWith(bytes: Uint8Array): number {
  const path = join(tmpdir(), `truefork-${randomUUID()}`)
  const fd = openSync(path, 'wx+', 0o600)
  try {
    unlinkSync(path)
    writeFileSync(fd, bytes)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}
