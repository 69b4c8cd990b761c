// C for what Node itself gives no access to, such as ignoring a signal. It runs when the file is loaded:
// process.dlopen throws, as it is no addon, but its constructor has done its work by then.
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Why tests that need a C compiler can't run, or false. */
export const withoutCompiler = spawnSync('cc', ['--version']).status === 0 ? false : 'no C compiler (cc) here'

/**
 * Compiles C statements into a library that runs them when a program loads it. They may call `functions`, while the
 * library is loaded.
 *
 * @returns JavaScript that loads it
 */
export function onLoad(directory: string, headers: readonly string[], statements: string, functions = ''): string {
  const [source, library] = [join(directory, 'on-load.c'), join(directory, 'on-load.so')]
  const includes = headers.map((header) => `#include <${header}>\n`).join('')
  writeFileSync(
    source,
    `${includes}${functions}\n__attribute__((constructor)) static void on_load(void) { ${statements} }\n`,
  )
  execFileSync('cc', ['-D_GNU_SOURCE', '-shared', '-fPIC', '-o', library, source])
  return `try { process.dlopen({ exports: {} }, ${JSON.stringify(library)}) } catch {}\n`
}
