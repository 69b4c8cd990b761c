// The same single instance of the package for ES modules.
export * from './multiprocessing.js'
