// The arguments of posix_spawn, checked, as the native side takes them.
import type { RawSpawnOptions, RawSpawnResult } from './binding'
import { invalidArgType, invalidArgValue, PosixError, toText } from './errors'
import { failedAction } from './failed-action'
import type { FileAction } from './spawn'
import { type Bytes, toArgv, toBoolean, toBytes, toEnv, toInt32, toOptions, toPath, toSignals } from './validate'

/** What the native side takes. */
export interface SpawnRequest {
  path: Bytes
  argv: Bytes[]
  env: Bytes[] | null
  search: boolean
  options: RawSpawnOptions
}

/** Arguments of posix_spawn and posix_spawnp, checked. */
export function toSpawnRequest(
  path: unknown,
  name: string,
  argv: unknown,
  options: unknown,
  search: boolean,
): SpawnRequest {
  const file = toPath(path, name)
  const words = toArgv(argv, 'argv')
  const record = toOptions(options, 'options')
  const env = toEnv(record['env'], 'options.env')
  return { path: file, argv: words, env, search, options: toRawOptions(record) }
}

/** The child, or the error of what failed. */
export function pidOf(request: SpawnRequest, [outcome, refusedAction, refusedBy]: RawSpawnResult): number {
  if (outcome >= 0) return outcome
  if (refusedBy !== null) throw new PosixError(outcome, refusedBy)
  const { fileActions } = request.options
  const culprit = fileActions[refusedAction] ?? failedAction(fileActions, outcome)
  if (culprit === undefined) throw new PosixError(outcome, 'posix_spawn', toText(request.path))
  throw new PosixError(outcome, culprit.action, 'path' in culprit ? toText(culprit.path) : undefined)
}

function optional<Value>(
  record: Record<string, unknown>,
  key: string,
  convert: (value: unknown, name: string) => Value,
): Value | undefined {
  return record[key] === undefined ? undefined : convert(record[key], `options.${key}`)
}

function toRawOptions(record: Record<string, unknown>): RawSpawnOptions {
  return {
    fileActions: optional(record, 'fileActions', toFileActions) ?? [],
    setpgroup: optional(record, 'setpgroup', toInt32),
    setsid: optional(record, 'setsid', toBoolean),
    resetids: optional(record, 'resetids', toBoolean),
    setsigmask: optional(record, 'setsigmask', toSignals),
    setsigdef: optional(record, 'setsigdef', toSignals),
    scheduler: optional(record, 'scheduler', toScheduler),
    cgroup: optional(record, 'cgroup', toInt32),
    cloexecDefault: optional(record, 'cloexecDefault', toBoolean),
    startSuspended: optional(record, 'startSuspended', toBoolean),
    setexec: optional(record, 'setexec', toBoolean),
  }
}

function toScheduler(value: unknown, name: string): { policy?: number; priority: number } {
  if (typeof value !== 'object' || value === null) throw invalidArgType(name, 'of type object', value)
  const { policy, priority } = value as Record<string, unknown>
  const scheduler = { priority: toInt32(priority, `${name}.priority`) }
  return policy === undefined ? scheduler : { ...scheduler, policy: toInt32(policy, `${name}.policy`) }
}

const toMode = (value: unknown, name: string): number => (value === undefined ? 0o666 : toInt32(value, name))

// The fields of each action, and what they have to be.
const actionFields: Record<FileAction['action'], Record<string, (value: unknown, name: string) => unknown>> = {
  open: { fd: toInt32, path: toBytes, flags: toInt32, mode: toMode },
  close: { fd: toInt32 },
  dup2: { fd: toInt32, newFd: toInt32 },
  chdir: { path: toBytes },
  fchdir: { fd: toInt32 },
  closefrom: { fd: toInt32 },
  tcsetpgrp: { fd: toInt32 },
  inherit: { fd: toInt32 },
}

function toFileActions(value: unknown, name: string): FileAction[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an instance of Array', value)
  return Array.from(value as unknown[], (item, index) => toFileAction(item, `${name}[${index}]`))
}

function toFileAction(value: unknown, name: string): FileAction {
  if (typeof value !== 'object' || value === null) throw invalidArgType(name, 'of type object', value)
  const { action, ...given } = value as Record<string, unknown>
  if (typeof action !== 'string') throw invalidArgType(`${name}.action`, 'of type string', action)
  if (!Object.hasOwn(actionFields, action)) {
    throw invalidArgValue(`${name}.action`, action, `must be one of ${Object.keys(actionFields).join(', ')}`)
  }
  const fields = actionFields[action as FileAction['action']]
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(fields, key))
  if (unknown !== undefined) throw invalidArgValue(name, value, `has no field '${unknown}' for '${action}'`)
  const checkedFields = Object.entries(fields).map(([key, convert]) => [key, convert(given[key], `${name}.${key}`)])
  return { action, ...Object.fromEntries(checkedFields) } as FileAction
}
