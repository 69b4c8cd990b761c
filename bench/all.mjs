// All benchmarks, one after the other; or one, with arguments of its own: npm run bench -- pause 50
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const all = ['pause', 'child-speed', 'spawn-after-fork', 'spawn', 'hazards', 'warm-worker', 'pool']

const [, , one, ...args] = process.argv
for (const name of one === undefined ? all : [one]) {
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(`${name}.mjs`, import.meta.url)), ...args], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exitCode = 1
  console.log()
}
