import { join } from 'node:path'

/**
 * How to start `docker-credential-dray`: the program and its first arguments. It lies beside `dray` in the package, so it
 * is found without a PATH.
 */
export function keychainProgram(): readonly [string, string] {
  // The built program lies as deep in the package as this file does.
  return [process.execPath, join(import.meta.dirname, '../../bin/docker-credential-dray.js')]
}
