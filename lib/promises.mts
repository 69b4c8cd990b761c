// The same single instance of the package for ES modules.
export * from './promises.js'
