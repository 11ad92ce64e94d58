import { withFileLock } from '../../src/files/file-lock.ts'

// A process of its own that is killed while it holds the lock of PATH.
const [path = ''] = process.argv.slice(2)
await withFileLock(path, async () => {
  process.kill(process.pid, 'SIGKILL')
  await new Promise(() => {})
})
