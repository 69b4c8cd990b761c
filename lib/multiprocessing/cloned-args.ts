// Arguments for a function of another process: structured clone, by v8.serialize.
import { deserialize, serialize } from 'node:v8'
import { invalidArgType, invalidArgValue } from '../errors'

/**
 * Arguments as bytes.
 *
 * @param args what the function is to be called with
 * @param name what the caller knows them by
 * @throws ERR_INVALID_ARG_TYPE if it is no list; ERR_INVALID_ARG_VALUE naming the argument that can't be cloned, such
 *   as a function; `cause` is v8's own error
 */
export function serializeArgs(args: unknown, name: string): Buffer {
  if (!Array.isArray(args)) throw invalidArgType(name, 'an instance of Array', args)
  try {
    return serialize(args)
  } catch (error) {
    const index = args.findIndex((arg) => !isCloneable(arg))
    const reason = `can't be sent to another process: ${(error as Error).message.replace(/\.$/, '')}`
    throw Object.assign(invalidArgValue(`${name}[${index}]`, args[index], reason), { cause: error })
  }
}

export function deserializeArgs(bytes: Uint8Array): unknown[] {
  return deserialize(bytes) as unknown[]
}

function isCloneable(value: unknown): boolean {
  try {
    serialize(value)
    return true
  } catch {
    return false
  }
}
