// What a fork server and its workers can be told, checked.
import { resolve } from 'node:path'
import { binding } from '../binding'
import { invalidArgType, invalidArgValue, outOfRange, toText } from '../errors'
import { type Env, toBoolean, toBytes, toEnv, toInt32, toOptions } from '../validate'
import { inheritedExecArgv } from './clean-node'
import type { Order, StdioSource, WorkerRequest } from './fork-server-protocol'
import { pack } from './transfer'

export interface ForkServerOptions {
  /** Modules that the server imports once, in this order: URLs, paths, names of packages. Default: none. */
  preload?: readonly string[] | undefined
  /** Options for the server's Node; default: this Node's own, without what is for one program or one port. */
  execArgv?: readonly string[] | undefined
  /** The server's environment, which preloaded modules see; default: process.env. */
  env?: Env | undefined
}

/** A worker's stdin, stdout or stderr: that of the server, which has the owner's; /dev/null; or a descriptor. */
export type WorkerStdio = 'inherit' | 'ignore' | number

export interface ForkedWorkerOptions {
  /** A URL, a path from the owner's directory on, or a package's name. */
  module: string | URL
  /** The function that the worker calls; default: 'default'. */
  export?: string | undefined
  /** Its arguments, sent by structured clone. */
  args?: readonly unknown[] | undefined
  /** Open files for it (int32). Their numbers there are the function's last argument, a list. */
  fds?: readonly number[] | undefined
  /** The worker's environment; default: the owner's as it is now. */
  env?: Env | undefined
  /** The worker's directory; default: the owner's as it is now. */
  cwd?: string | undefined
  /** 0, 1 and 2 of the worker; default: all 'inherit'. */
  stdio?: readonly (WorkerStdio | undefined)[] | undefined
  /** True: it is killed when the server ends, however that comes, and so when the owner does. Default: true. */
  daemon?: boolean | undefined
}

const mostFds = 250 // unix(7) lets 253 go by one message, and the connection is among them
const defaultGraceMs = 1000

/** The modules, and how the server's Node is started. */
export function toServerOptions(options: unknown): { preload: string[]; execArgv: string[]; env: Env | undefined } {
  const { preload = [], execArgv = inheritedExecArgv(), env } = toOptions(options, 'options')
  const modules = toStrings(preload, 'options.preload')
  const flags = toStrings(execArgv, 'options.execArgv')
  toEnv(env, 'options.env')
  // A child that has only its forking thread is sound if its parent needed no other.
  const needed = binding.whyNotAllThreads() === null ? [] : ['--single-threaded', '--v8-pool-size=0']
  return { preload: modules, execArgv: [...needed, ...flags], env: env as Env | undefined }
}

export function toOrder(options: unknown): Order {
  const given = toOptions(options ?? null, 'options')
  const directory = process.cwd()
  const { stdio, fds: forStdio } = toStdio(given['stdio'])
  const forFunction = given['fds'] === undefined ? undefined : toFds(given['fds'], 'options.fds')
  const { data, fds: forArgs } = pack(toList(given['args'] ?? [], 'options.args'), 'options.args', 'forkserver')
  const fds = [...forStdio, ...(forFunction ?? []), ...forArgs]
  const rest = mostFds - forStdio.length - forArgs.length
  if (fds.length > mostFds) throw outOfRange('options.fds.length', `<= ${rest}`, forFunction?.length ?? 0)
  const request: WorkerRequest = {
    module: toModule(given['module']),
    export: given['export'] === undefined ? 'default' : toWord(given['export'], 'options.export'),
    directory,
    args: data,
    env: toRecord(given['env']),
    cwd: given['cwd'] === undefined ? directory : resolve(directory, toWord(given['cwd'], 'options.cwd')),
    stdio,
    fdCounts: { stdio: forStdio.length, target: forFunction?.length },
  }
  return { request, fds, daemon: given['daemon'] === undefined || toBoolean(given['daemon'], 'options.daemon') }
}

export function toGrace(options: unknown): number {
  const { graceMs = defaultGraceMs } = toOptions(options, 'options')
  if (toInt32(graceMs, 'options.graceMs') < 0) throw outOfRange('options.graceMs', '>= 0', graceMs)
  return graceMs as number
}

function toWord(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value)
  if (value === '') throw invalidArgValue(name, value, 'must not be empty')
  return toBytes(value, name) as string
}

function toList(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value)
  return value
}

export function toStrings(value: unknown, name: string): string[] {
  return Array.from(toList(value, name), (item, index) => toWord(item, `${name}[${index}]`))
}

function toModule(value: unknown): string {
  if (value instanceof URL) return value.href
  if (typeof value !== 'string') throw invalidArgType('options.module', 'of type string or an instance of URL', value)
  return toWord(value, 'options.module')
}

function toFds(value: unknown, name: string): number[] {
  return Array.from(toList(value, name), (fd, index) => toInt32(fd, `${name}[${index}]`))
}

/** Sources for 0, 1 and 2, and the descriptors among them. */
function toStdio(value: unknown): { stdio: StdioSource[]; fds: number[] } {
  const name = 'options.stdio'
  const list = value === undefined ? [] : toList(value, name)
  if (list.length > 3) throw outOfRange(`${name}.length`, '<= 3', list.length)
  const fds: number[] = []
  const stdio = Array.from(list, (item = 'inherit', index): StdioSource => {
    if (item === 'inherit' || item === 'ignore') return item
    if (typeof item === 'string')
      throw invalidArgValue(`${name}[${index}]`, item, "must be 'inherit', 'ignore' or a descriptor")
    return fds.push(toInt32(item, `${name}[${index}]`)) - 1
  })
  return { stdio, fds }
}

function toRecord(env: unknown): Record<string, string> {
  const list = toEnv(env, 'options.env')
  if (list === null) return { ...process.env } as Record<string, string>
  return Object.fromEntries(
    list.map((assignment) => {
      const text = toText(assignment)
      const end = text.indexOf('=')
      return [text.slice(0, end), text.slice(end + 1)]
    }),
  )
}
