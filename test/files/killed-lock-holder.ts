import { stat } from 'node:fs/promises'
import { withFileLock } from '../../src/files/file-lock.ts'

// A process of its own that is killed while it holds the lock of PATH, as soon as that says who holds it.
const [path = ''] = process.argv.slice(2)
await withFileLock(path, async () => {
  while ((await stat(`${path}.lock`)).size === 0) await new Promise(setImmediate)
  process.kill(process.pid, 'SIGKILL')
  await new Promise(() => {})
})
