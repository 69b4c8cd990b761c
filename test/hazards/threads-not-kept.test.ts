import t, { type Test } from 'tap'
import { withoutAllThreads } from '../support/fork'
import { folderOf } from '../support/hazards'
import { onLoad, withoutCompiler } from '../support/native'
import { root, runProgram } from '../support/program'

const skip = withoutAllThreads || withoutCompiler

/** JavaScript after which the kernel refuses to queue a signal to a thread, as in a sandbox. */
const filtered = (t: Test): string =>
  onLoad(
    folderOf(t),
    ['errno.h', 'linux/filter.h', 'linux/seccomp.h', 'stddef.h', 'stdlib.h', 'sys/prctl.h', 'sys/syscall.h'],
    `struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_tgsigqueueinfo, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) abort();`,
  )
const told = `
  const { _exit, fork, forkHazards, waitpid } = require(${JSON.stringify(root)})
  const find = (options) => forkHazards(options).hazards.find(({ id }) => id === 'threads-not-kept')
`

t.test('all threads were asked for where they can’t be had', { skip }, async (t) => {
  const { stdout } = await runProgram(`${filtered(t)} ${told}
    const { severity, detail } = find({ threads: 'all' })
    console.log(severity, detail)
    console.log(find() === undefined, forkHazards().hazards.map(({ id }) => id).join())`)
  t.match(stdout, /^fatal signals can't be queued .*\ntrue dead-v8-workers\n$/)
})

t.test('where they can be had it is none', { skip }, async (t) => {
  t.equal((await runProgram(`${told} console.log(find({ threads: 'all' }) === undefined)`)).stdout, 'true\n')
})

t.test('nothing makes the fork go on', { skip }, async (t) => {
  const { stdout } = await runProgram(`${filtered(t)} ${told}
    for (const policy of [{}, { accept: ['threads-not-kept'] }, { hazards: 'warn' }, { hazards: 'ignore' }]) {
      try { fork({ threads: 'all', ...policy }) } catch ({ hazards: [{ id }] }) { console.log(id) }
    }`)
  t.equal(stdout, 'threads-not-kept\n'.repeat(4))
})
