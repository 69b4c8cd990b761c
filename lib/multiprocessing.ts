// truefork/multiprocessing: Python's module, in Node's habits.
export { cpuCount } from './multiprocessing/cpu-count'
