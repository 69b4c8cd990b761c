// What the last fork noted in its child; native/fork/record.h.
import { binding, type RawForkRecord } from '../binding'
import type { ProcessView } from './process-view'

/** What became of a thread that a lock names. */
export interface NamedThread {
  /** Its tid as others see it, or null: it isn't in this process. */
  tidHere: number | null
  name: string
}

const { recordName, recordSize } = binding.diagnosisFacts()

/** The record of a process, or null where it has none of its own: another fork than ours made it, or exec did. */
export function readForkRecord(view: ProcessView): RawForkRecord | null {
  for (const { path, start } of view.mappings) {
    if (!path.startsWith(`/memfd:${recordName} `)) continue
    const bytes = view.memory(start, recordSize)
    const record = bytes === null ? null : binding.forkRecordOf(bytes)
    if (record !== null && record.process === view.ownPid) return record
  }
  return null
}
