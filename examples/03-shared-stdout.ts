// Ten children count on the standard output that they share with their parent, and the parent ends first. The
// output stays open until the last of them is done; a shell that waits for the parent alone prints its prompt
// in the middle. Run it several times: who counts when is the kernel's choice.
import { closeSync, readSync } from 'node:fs'
import { _exit, fork, pipe } from 'truefork'
import { say } from './support/say'

// Nobody writes here. The pipe ends for its readers when the last write end is closed: the parent's, by its end.
const [readEnd, writeEnd] = pipe()

for (let number = 1; number <= 10; number++) {
  if (fork() === 0) {
    closeSync(writeEnd)
    readSync(readEnd, Buffer.alloc(1))
    for (let count = 1; count <= 3; count++) say(`child ${number} (${process.pid}) counts ${count}`)
    _exit(0)
  }
}

say(`parent (${process.pid}) ends`)
// Without waiting. Its orphans are adopted by process 1, whose task it is to reap them.
