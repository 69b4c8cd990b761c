// The small files by which Linux tells of a process and its limits.
import { readFileSync } from 'node:fs'

/** The whole of it, or nothing: what can't be read isn't found. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** The number after `name:` at the start of a line, or undefined. */
export function numberIn(text: string, name: string): number | undefined {
  const [, digits] = new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(text) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** What a file holds but a number: `max` and what isn't there are Infinity. */
export function limitOf(path: string): number {
  const text = textOf(path).trim()
  return /^\d+$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
}

/** The folders of a controller's control groups, from this process's own to the outermost that is seen; cgroups(7). */
export function cgroupFolders(controller: string): string[] {
  const lines = textOf('/proc/self/cgroup').split('\n')
  const own = lines.map((line) => line.split(':')).find(([, names]) => names?.split(',').includes(controller))
  const unified = lines.map((line) => /^0::(.*)$/.exec(line)).find((match) => match !== null)
  const root = own ? `/sys/fs/cgroup/${controller}` : '/sys/fs/cgroup'
  const path = own ? own.slice(2).join(':') : unified?.[1]
  if (path === undefined) return []
  const names = path.split('/').filter(Boolean)
  return [...names, ''].map((_, index) => [root, ...names.slice(0, names.length - index)].join('/'))
}
