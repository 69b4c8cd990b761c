// What process 1 of a container has to do: start services, start them again when they end, and wait the longer the
// faster they do; pass signals on; reap every orphan, though it never made it; and stop cleanly: SIGTERM first, SIGKILL
// for what is left after a time of grace, and nobody stays behind. Run it with a shell command for each service.
import { readFileSync } from 'node:fs'
import { describeStatus, kill, killpg, posix_spawn, prctl, type Signal, WNOHANG, waitpid } from 'truefork'
import { say } from './support/say'

const shortestPause = 50 // milliseconds
const longestPause = 10_000
const steadyAfter = 5_000 // a service that has run for so long has not failed at its start
const grace = Number(process.env['GRACE_MS'] ?? 5_000)

interface Service {
  name: string
  command: string
  pid: number
  startedAt: number
  pause: number
  restart?: NodeJS.Timeout
}

const services: Service[] = process.argv.slice(2).map((command, index) => {
  return { name: `service ${index + 1}`, command, pid: 0, startedAt: 0, pause: shortestPause }
})
/** The signal that everybody is ended by, once it is time. */
let ending: Signal | undefined
const told = new Map<number, Signal>()

function start(service: Service): void {
  service.startedAt = performance.now()
  // A group of its own: signals reach what the service has started, too, and the terminal's Ctrl-C doesn't.
  service.pid = posix_spawn('/bin/sh', ['sh', '-c', service.command], { setpgroup: 0 })
  say(`${service.name} started as ${service.pid}`)
}

/** Several ends may come as one SIGCHLD: all who have ended are asked for. */
function reapAll(): void {
  try {
    for (;;) {
      const { pid, status } = waitpid(-1, WNOHANG)
      if (pid === 0) break
      told.delete(pid)
      onEnd(pid, JSON.stringify(describeStatus(status)))
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECHILD') throw error
    if (ending !== undefined) leave()
  }
  if (ending !== undefined) endAll(ending) // those who have only now become our children
}

function onEnd(pid: number, status: string): void {
  const service = services.find((candidate) => candidate.pid === pid)
  if (service === undefined) {
    say(`orphan ${pid} reaped: ${status}`)
    return
  }
  service.pid = 0
  if (ending !== undefined) {
    say(`${service.name} ended: ${status}`)
    return
  }
  if (performance.now() - service.startedAt > steadyAfter) service.pause = shortestPause
  say(`${service.name} ended: ${status}, starts again in ${service.pause} ms`)
  service.restart = setTimeout(start, service.pause, service)
  service.pause = Math.min(service.pause * 2, longestPause)
}

function passOn(signal: NodeJS.Signals): void {
  say(`${signal} passed on`)
  for (const { pid } of services) if (pid !== 0) killpg(pid, signal)
}

/** Everybody whose parent this process is, adopted ones included; proc_pid_task(5). */
function children(): number[] {
  const list = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
  return list.split(' ').filter(Boolean).map(Number)
}

function endAll(signal: Signal): void {
  ending = signal
  for (const pid of children()) {
    if (told.get(pid) === signal) continue
    told.set(pid, signal)
    kill(pid, signal) // a zombie takes it as well
  }
}

function stop(signal: NodeJS.Signals): void {
  if (ending !== undefined) return
  say(`${signal}: stopping`)
  for (const { restart } of services) clearTimeout(restart)
  for (const { pid } of services) if (pid !== 0) killpg(pid, 'SIGTERM')
  endAll('SIGTERM')
  setTimeout(() => {
    say(`still there after ${grace} ms: ${children().length}`)
    endAll('SIGKILL')
  }, grace)
  reapAll() // there may be nobody to wait for
}

function leave(): never {
  say('nobody is left')
  process.exit(0)
}

// Before the first child: none may end unnoticed.
process.on('SIGCHLD', reapAll)
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, passOn)
if (process.pid !== 1) prctl.setChildSubreaper(true)
say(`supervisor ${process.pid}`)
for (const service of services) start(service)
setInterval(() => {}, 60_000) // until it is told to stop
