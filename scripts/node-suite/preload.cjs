// Loaded before a test of Node's own (node -r). Directly, it only loads this package; forked, it moves the test into
// a child and stays behind to wait for it.
const mode = process.env.TRUEFORK_NODE_SUITE

// The processes and Workers of the test itself are none of ours, and it mustn't see that we were here.
delete process.env.TRUEFORK_NODE_SUITE

if (mode !== undefined) {
  const truefork = require('../..')
  const pid = mode === 'forked' ? truefork.fork() : 0
  if (pid !== 0) endAs(truefork, truefork.waitpid(pid).status)
}

function endAs({ _exit, getpid, kill, WEXITSTATUS, WIFEXITED, WTERMSIG }, status) {
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status))
  kill(getpid(), WTERMSIG(status))
  _exit(128 + WTERMSIG(status)) // for a signal that Node ignores or handles
}
