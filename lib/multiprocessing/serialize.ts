// Values as bytes: the structured clone algorithm, as node:v8 has it.
import { DefaultDeserializer, DefaultSerializer } from 'node:v8'
import { invalidArgValue } from '../errors'
import { hasTraveller } from './transfer'
import { describeUncloneable } from './uncloneable'

/**
 * A value's bytes, with some others before them.
 *
 * @param head what comes first
 * @param value anything that can be cloned
 * @param name what the error is to call it
 * @throws ERR_INVALID_ARG_VALUE naming what can't be cloned, or stands for more than its properties, such as a Lock
 */
export function serialized(head: Uint8Array, value: unknown, name: string): Buffer {
  if (hasTraveller(value)) {
    const advice = 'has a Connection, a Queue, a Lock or the like, which a process gets as its Process is started'
    throw invalidArgValue(name, value, advice)
  }
  const serializer = new DefaultSerializer()
  serializer.writeRawBytes(head)
  serializer.writeHeader()
  try {
    serializer.writeValue(value)
  } catch (error) {
    throw describeUncloneable(value, name, error)
  }
  return serializer.releaseBuffer()
}

/** The value of these bytes. Buffers in it are views of them. */
export function deserialized(bytes: Uint8Array): unknown {
  const deserializer = new DefaultDeserializer(bytes)
  deserializer.readHeader()
  return deserializer.readValue()
}
