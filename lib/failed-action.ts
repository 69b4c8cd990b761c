// Which file action made posix_spawn fail: the C library tells only the error number. The actions are gone
// through as the child did, on what can be seen of the parent's files, and the first that must have failed with
// that number is it. What can't be known isn't guessed.
import { accessSync, constants as fsConstants, statSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { join } from 'node:path'
import { isatty } from 'node:tty'
import { binding } from './binding'
import { F_GETFD, O_CREAT, O_DIRECTORY, O_EXCL, O_RDWR, O_WRONLY } from './constants'
import type { FileAction } from './spawn'
import type { Bytes } from './validate'

type ErrorCode = string

/** What the child has of descriptors and directory by now. */
class ChildFiles {
  /** Where relative paths start; undefined when that can't be told. */
  #directory: string | undefined = process.cwd()
  readonly #changed = new Map<number, boolean>()
  #closedFrom = Number.POSITIVE_INFINITY

  isOpen(fd: number): boolean {
    return this.#changed.get(fd) ?? (fd < this.#closedFrom && binding.fcntl(fd, F_GETFD, 0) >= 0)
  }

  isInherited(fd: number): boolean {
    return !this.#changed.has(fd) && this.isOpen(fd)
  }

  setOpen(fd: number, open: boolean): void {
    this.#changed.set(fd, open)
  }

  closeFrom(first: number): void {
    this.#closedFrom = Math.min(this.#closedFrom, first)
    for (const fd of this.#changed.keys()) if (fd >= first) this.#changed.set(fd, false)
  }

  moveTo(directory: string | undefined): void {
    this.#directory = directory
  }

  resolve(path: Bytes): string | undefined {
    const text = path.toString()
    if (text.startsWith('/')) return text
    return this.#directory === undefined ? undefined : join(this.#directory, text)
  }
}

/**
 * @param actions what the child was told to do
 * @param errno the negative error number that posix_spawn returned
 * @returns the action that failed; undefined if none can be known to have
 */
export function failedAction(actions: readonly FileAction[], errno: number): FileAction | undefined {
  const files = new ChildFiles()
  return actions.find((action) => osConstants.errno[follow(action, files) as 'ENOENT'] === -errno)
}

/** Does an action to the child's files in thought, and returns the error that it must have met. */
function follow(action: FileAction, files: ChildFiles): ErrorCode | undefined {
  switch (action.action) {
    case 'open': {
      const error = openError(files.resolve(action.path), action.flags)
      files.setOpen(action.fd, true)
      return error
    }
    case 'close':
      files.setOpen(action.fd, false)
      return undefined // no C library minds a descriptor that isn't open
    case 'dup2': {
      const open = files.isOpen(action.fd)
      files.setOpen(action.newFd, true)
      return open ? undefined : 'EBADF'
    }
    case 'closefrom':
      files.closeFrom(action.fd)
      return undefined
    case 'chdir': {
      const path = files.resolve(action.path)
      files.moveTo(path)
      return directoryError(path)
    }
    case 'fchdir': {
      if (!files.isOpen(action.fd)) return 'EBADF'
      const path = files.isInherited(action.fd) ? `/proc/self/fd/${action.fd}` : undefined
      files.moveTo(path)
      return directoryError(path)
    }
    case 'tcsetpgrp':
      if (!files.isOpen(action.fd)) return 'EBADF'
      return files.isInherited(action.fd) && !isatty(action.fd) ? 'ENOTTY' : undefined
    case 'inherit':
      return files.isOpen(action.fd) ? undefined : 'EBADF'
  }
}

function codeOf(call: () => void): ErrorCode | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  }
}

function directoryError(path: string | undefined): ErrorCode | undefined {
  if (path === undefined) return undefined
  return codeOf(() => {
    if (!statSync(path).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' })
    accessSync(path, fsConstants.X_OK)
  })
}

function openError(path: string | undefined, flags: number): ErrorCode | undefined {
  if (path === undefined) return undefined
  const creates = (flags & O_CREAT) !== 0
  const writes = (flags & (O_WRONLY | O_RDWR)) !== 0
  const code = codeOf(() => statSync(path))
  if (code === 'ENOENT' && creates) return directoryError(join(path, '..'))
  if (code !== undefined) return code
  if (creates && (flags & O_EXCL) !== 0) return 'EEXIST'
  const isDirectory = statSync(path).isDirectory()
  if (isDirectory && writes) return 'EISDIR'
  if (!isDirectory && (flags & O_DIRECTORY) !== 0) return 'ENOTDIR'
  const reads = (flags & O_WRONLY) === 0
  return codeOf(() => accessSync(path, (reads ? fsConstants.R_OK : 0) | (writes ? fsConstants.W_OK : 0)))
}
