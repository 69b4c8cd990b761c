// A shell with job control. Each pipeline is a process group, and the terminal has one group in its foreground: only
// that reads it, and only that gets its Ctrl-C and Ctrl-Z. The shell brings a job there and takes its place again when
// the job has ended or stopped. It knows |, &, <, >, >>, quotes, and cd, exit, jobs, fg and bg.
import { closeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isatty } from 'node:tty'
import {
  describeStatus,
  F_GETFL,
  F_SETFL,
  type FileAction,
  fcntl,
  getpgrp,
  kill,
  killpg,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_NONBLOCK,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  pipe2,
  posix_spawnp,
  setpgid,
  tcgetpgrp,
  tcsetpgrp,
  WCONTINUED,
  WNOHANG,
  WUNTRACED,
  waitpid,
} from 'truefork'
import { prompt, say } from './support/say'

interface Command {
  argv: string[]
  redirections: FileAction[]
}

interface Job {
  id: number
  pgid: number
  text: string
  /** The processes that have not ended, and whether each is stopped. */
  processes: Map<number, 'running' | 'stopped'>
}

/** Without a terminal there is no foreground: jobs then stay in the shell's own group. */
const interactive = isatty(0)
const jobs = new Map<number, Job>()
let lastCode = 0

function takeTerminal(): void {
  // In the background already: stopped here until somebody brings us to the foreground.
  while (tcgetpgrp(0) !== getpgrp()) kill(0, 'SIGTTIN')
  // What the terminal sends to a whole group is meant for jobs. A handler, unlike SIG_IGN, is none in a new program.
  for (const signal of ['SIGQUIT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const) process.on(signal, () => {})
  process.on('SIGINT', () => prompt('\n$ '))
  if (getpgrp() !== process.pid) setpgid(0, 0)
  tcsetpgrp(0, getpgrp())
}

/** Words, quoted ones without their quotes, and operators. */
function tokensOf(line: string): { word: string; quoted: boolean }[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|>>|[|&<>]|[^\s|&<>'"]+/g)].map(([all, single, double]) => {
    return { word: single ?? double ?? all, quoted: single !== undefined || double !== undefined }
  })
}

function parse(line: string): { commands: Command[]; background: boolean } {
  const commands: Command[] = [{ argv: [], redirections: [] }]
  let background = false
  const tokens = tokensOf(line)
  for (let token = tokens.shift(); token !== undefined; token = tokens.shift()) {
    const { argv, redirections } = commands.at(-1) as Command
    const operator = token.quoted ? '' : token.word
    if (operator === '|') commands.push({ argv: [], redirections: [] })
    else if (operator === '&') background = true
    else if (['<', '>', '>>'].includes(operator)) redirections.push(redirection(operator, tokens.shift()?.word))
    else argv.push(token.word)
  }
  if (commands.some(({ argv }) => argv.length === 0)) throw new Error('a command is missing')
  return { commands, background }
}

function redirection(operator: string, path: string | undefined): FileAction {
  if (path === undefined) throw new Error(`no file after ${operator}`)
  if (operator === '<') return { action: 'open', fd: 0, path, flags: O_RDONLY }
  return { action: 'open', fd: 1, path, flags: O_WRONLY | O_CREAT | (operator === '>' ? O_TRUNC : O_APPEND) }
}

/** Starts one process for each command, all in one group, which the first one leads. */
function launch(commands: readonly Command[], text: string, foreground: boolean): Job {
  const job: Job = { id: Math.max(0, ...jobs.keys()) + 1, pgid: 0, text, processes: new Map() }
  let input = -1
  for (const [index, command] of commands.entries()) {
    const [readEnd, writeEnd] = index < commands.length - 1 ? pipe2(O_CLOEXEC) : [-1, -1]
    try {
      const pid = start(command, job, foreground, input, writeEnd)
      if (job.pgid === 0) job.pgid = pid
      job.processes.set(pid, 'running')
    } catch (error) {
      say(`${(error as Error).message}`) // the others of the pipeline run all the same
      lastCode = 127
    }
    for (const fd of [input, writeEnd]) if (fd !== -1) closeSync(fd)
    input = readEnd
  }
  return job
}

function start({ argv, redirections }: Command, job: Job, foreground: boolean, input: number, output: number): number {
  const wiring: FileAction[] = [
    ...(input === -1 ? [] : [{ action: 'dup2', fd: input, newFd: 0 } as const]),
    ...(output === -1 ? [] : [{ action: 'dup2', fd: output, newFd: 1 } as const]),
    ...redirections,
  ]
  const file = argv[0] as string
  if (!interactive) return posix_spawnp(file, argv, { fileActions: wiring })
  const options = { setpgroup: job.pgid }
  if (!foreground || job.pgid !== 0) return posix_spawnp(file, argv, { ...options, fileActions: wiring })
  try {
    // The leader goes to the foreground before it becomes the program, which may read at once.
    return posix_spawnp(file, argv, { ...options, fileActions: [{ action: 'tcsetpgrp', fd: 0 }, ...wiring] })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSYS') throw error
    const pid = posix_spawnp(file, argv, { ...options, fileActions: wiring })
    tcsetpgrp(0, pid)
    return pid
  }
}

/** Waits until the whole job has ended, or what is left of it has stopped. */
function waitInForeground(job: Job): void {
  while ([...job.processes.values()].includes('running')) {
    const { pid, status } = waitpid(interactive ? -job.pgid : firstOf(job), WUNTRACED)
    note(job, pid, status)
  }
  if (interactive) tcsetpgrp(0, getpgrp())
  if (job.processes.size === 0) {
    jobs.delete(job.id)
  } else {
    jobs.set(job.id, job)
    say(`\n[${job.id}] Stopped  ${job.text}`)
  }
}

const firstOf = (job: Job): number => [...job.processes.keys()][0] as number

function note(job: Job, pid: number, status: number): void {
  const change = describeStatus(status)
  if (change.kind === 'stopped') job.processes.set(pid, 'stopped')
  if (change.kind === 'continued') job.processes.set(pid, 'running')
  if (change.kind === 'exited' || change.kind === 'signaled') {
    job.processes.delete(pid)
    lastCode = change.kind === 'exited' ? change.code : 1
    if (change.kind === 'signaled') say(`\n${change.signal}`)
  }
}

/** What has become of the jobs in the background, without waiting for it. */
function lookAfterJobs(): void {
  for (const job of jobs.values()) {
    for (const pid of [...job.processes.keys()]) {
      const { pid: changed, status } = waitpid(pid, WNOHANG | WUNTRACED | WCONTINUED)
      if (changed !== 0) note(job, pid, status)
    }
    if (job.processes.size > 0) continue
    jobs.delete(job.id)
    say(`[${job.id}] Done  ${job.text}`)
  }
}

function jobNamed(word: string | undefined): Job {
  const id = word === undefined ? Math.max(...jobs.keys()) : Number(word.replace('%', ''))
  const job = jobs.get(id)
  if (job === undefined) throw new Error('no such job')
  return job
}

function goOn(job: Job, foreground: boolean): void {
  say(job.text)
  if (foreground) tcsetpgrp(0, job.pgid)
  for (const pid of job.processes.keys()) job.processes.set(pid, 'running')
  killpg(job.pgid, 'SIGCONT')
  if (foreground) waitInForeground(job)
}

function leave(code: number): never {
  // A stopped job would never hear of it.
  for (const { processes } of jobs.values()) {
    for (const pid of processes.keys()) for (const signal of ['SIGHUP', 'SIGCONT'] as const) kill(pid, signal)
  }
  process.exit(code)
}

const builtins: Readonly<Record<string, (word?: string) => void>> = {
  cd: (path = process.env['HOME'] ?? '/') => process.chdir(path),
  exit: (code) => leave(Number(code ?? lastCode)),
  jobs() {
    for (const { id, text, processes } of jobs.values()) {
      say(`[${id}] ${[...processes.values()].includes('running') ? 'Running' : 'Stopped'}  ${text}`)
    }
  },
  fg: (id) => goOn(jobNamed(id), true),
  bg: (id) => goOn(jobNamed(id), false),
}

function run(line: string): void {
  if (line.trim() === '') return
  const { commands, background } = parse(line)
  const [name = '', word] = commands[0]?.argv ?? []
  if (commands.length === 1 && Object.hasOwn(builtins, name)) {
    builtins[name]?.(word)
    return
  }
  const job = launch(commands, line.replace(/&\s*$/, '').trim(), !background)
  if (background && job.processes.size > 0) {
    jobs.set(job.id, job)
    say(`[${job.id}] ${job.pgid}`)
  } else if (!background) {
    waitInForeground(job) // even for nobody: a leader that failed to exec had been in the foreground by then
  }
}

if (interactive) takeTerminal()
const nextPrompt = (): void => {
  lookAfterJobs()
  if (interactive) prompt('$ ')
}

nextPrompt()
const lines = createInterface({ input: process.stdin, terminal: false })
// Node reads without blocking, which is a property of the open file and not of its descriptor: programs would have it.
fcntl(0, F_SETFL, fcntl(0, F_GETFL) & ~O_NONBLOCK)
lines
  .on('line', (line) => {
    try {
      run(line)
    } catch (error) {
      say(`${(error as Error).message}`)
      lastCode = 1
    }
    nextPrompt()
  })
  .on('close', () => leave(lastCode))
