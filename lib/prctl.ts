// prctl(2): what a process wants of its parent and of its orphans.
import { binding } from './binding'
import { checked } from './errors'
import { type Signal, toBoolean, toSignal } from './validate'

/**
 * Has the kernel send this process a signal when its parent ends. If the parent has ended already, the signal is raised
 * at once, as nobody else would: it is the process that forked this one, or the parent that this one had when the
 * package was loaded.
 *
 * @param signal a name or a number; 0: none any more
 * @throws PosixError EINVAL: no such signal; ENOSYS on macOS
 * @throws ERR_INVALID_ARG_TYPE, ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE: no int32, no known name
 * Hazard: "the parent" is the thread that made this process: the end of a Worker counts for what it spawned. Children
 * don't inherit it; exec keeps it, but not that of a set-user-ID program. Source: PR_SET_PDEATHSIG(2const), Linux.
 */
function setPdeathsig(signal: Signal): void {
  checked(binding.setPdeathsig(toSignal(signal, 'signal')), 'prctl')
}

/**
 * Makes this process the parent of its descendants whose own parent has ended, as process 1 is otherwise. It has to wait
 * for them, or they stay zombies. In the main thread `wait()` and `waitpid(-1)` see them.
 *
 * @param on whether it is to be so
 * @throws PosixError ENOSYS on macOS
 * @throws ERR_INVALID_ARG_TYPE if it is no boolean
 * Children don't inherit it; exec keeps it. Source: PR_SET_CHILD_SUBREAPER(2const), Linux.
 */
function setChildSubreaper(on: boolean): void {
  checked(binding.setChildSubreaper(toBoolean(on, 'on')), 'prctl')
}

export const prctl = Object.freeze({ setPdeathsig, setChildSubreaper })
