// Values as bytes: the structured clone algorithm, as node:v8 has it.
import { DefaultDeserializer, DefaultSerializer } from 'node:v8'
import { invalidArgValue } from '../errors'

/**
 * A value's bytes, with some others before them.
 *
 * @param head what comes first
 * @param value anything that can be cloned
 * @param name what the error is to call it
 * @throws ERR_INVALID_ARG_VALUE: it can't be cloned; its `cause` says what of it
 */
export function serialized(head: Uint8Array, value: unknown, name: string): Buffer {
  const serializer = new DefaultSerializer()
  serializer.writeRawBytes(head)
  serializer.writeHeader()
  try {
    serializer.writeValue(value)
  } catch (error) {
    const reason = `can't be sent to another process: ${(error as Error).message}`
    throw Object.assign(invalidArgValue(name, value, reason), { cause: error })
  }
  return serializer.releaseBuffer()
}

/** The value of these bytes. Buffers in it are views of them. */
export function deserialized(bytes: Uint8Array): unknown {
  const deserializer = new DefaultDeserializer(bytes)
  deserializer.readHeader()
  return deserializer.readValue()
}
