// Descriptors that tell of events, such as those of epoll, eventfd and inotify, are one object for parent and child, and
// each event goes to whoever reads first: the two steal each other's wake-ups. So fork gives the child objects of its own,
// in the state that they are in. It can't always: a file watcher that was started before truefork was loaded watches
// paths that nobody noted. forkHazards tells of it (unrebuilt-descriptor). Once with such a watcher, once with one that
// was started in time: 20 folders are made, and parent and child say of how many they heard.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, watch, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { say } from '../support/say'

const folderCount = 20

async function watchAndFork(isTooEarly: boolean): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'stolen-events-'))
  let heard = (): void => {}
  const start = (): void => {
    watch(directory, () => heard())
  }
  if (isTooEarly) start()
  const { fork, forkHazards, kill, pipe, waitpid } = await import('truefork')
  if (!isTooEarly) start()
  const isTold = forkHazards().hazards.some(({ id }) => id === 'unrebuilt-descriptor')
  say(
    `a watcher started ${isTooEarly ? 'too early' : 'in time'}: forkHazards ${isTold ? 'tells' : "doesn't tell"} of it`,
  )

  const [readEnd, writeEnd] = pipe()
  const pid = fork()
  if (pid === 0) {
    heard = () => writeSync(writeEnd, 'x')
    return
  }
  let [own, childs] = [0, 0]
  const look = (): void => {
    if (own + childs < (isTooEarly ? folderCount : 2 * folderCount)) return
    say(isTooEarly ? `both together heard of ${own + childs}` : `the parent heard of ${own}, the child of ${childs}`)
    kill(pid, 'SIGKILL')
    waitpid(pid)
    rmSync(directory, { recursive: true })
    process.exit()
  }
  heard = () => {
    own++
    look()
  }
  new Socket({ fd: readEnd }).on('data', (words) => {
    childs += words.length
    look()
  })
  for (let made = 0; made < folderCount; made++) mkdirSync(join(directory, String(made)))
}

const [, , when] = process.argv
if (when === undefined) {
  for (const each of ['too early', 'in time']) spawnSync(process.execPath, [__filename, each], { stdio: 'inherit' })
} else {
  void watchAndFork(when === 'too early')
}
