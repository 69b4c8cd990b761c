// In a child that is no copy of its parent: finds the target, and calls it.
import { enterChild } from './child-main'
import { becomeProcess, setImporting } from './current'
import { findIn, importFrom } from './import-export'
import { type CurrentProcess, setCurrent } from './own-process'
import { type JobHeader, unpackData, unpackHeader } from './spawn-job'
import { setStartMethod } from './start-methods'

/** What Python says where an export is missing. */
class AttributeError extends Error {
  override readonly name = 'AttributeError'
  readonly code = 'ERR_MISSING_EXPORT'
}

/**
 * Does a job.
 *
 * @param bytes what packJob made
 * @param fds the descriptors that came with it
 */
export async function runJob(bytes: Uint8Array, fds: readonly number[]): Promise<unknown> {
  const [header, data] = unpackHeader(bytes)
  enterChild(header.identity)
  setStartMethod(header.method, { force: true })
  const target = await importTarget(header)
  // Also makes known here all that can travel, such as a Lock.
  const { Process } = require('../multiprocessing') as typeof import('../multiprocessing')
  process.argv = [...header.argv]
  const { name, daemon } = header.identity
  if (header.isClass) {
    // As Python's pickle does: not constructed anew, but given the properties that it had.
    const own = Reflect.construct(Process, [{ name, daemon }], target) as InstanceType<typeof Process>
    Object.assign(own, unpackData(data, fds))
    become(own, header)
    return own.run()
  }
  const args = unpackData(data, fds) as unknown[]
  become(new Process({ name, daemon }), header)
  return target(...args)
}

function become(own: CurrentProcess, { identity }: JobHeader): void {
  becomeProcess(identity) // its own children are counted from 1
  setCurrent(own)
}

async function importTarget({ target, directory }: JobHeader): Promise<(...args: unknown[]) => unknown> {
  setImporting(true)
  const exports = await importFrom(target.module, directory)
  setImporting(false)
  const found = findIn(exports, target)
  if (found !== undefined) return found
  throw new AttributeError(
    `Can't get attribute '${target.export}' on module '${target.module}': it must be exported wherever the module is imported`,
  )
}
