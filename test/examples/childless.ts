// Loaded before an example: at its end, throws if it has left a child unreaped.
import { isChildless } from '../support/process-state'

process.on('exit', () => {
  isChildless()
})
