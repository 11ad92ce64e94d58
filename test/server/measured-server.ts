import { startServer } from '../../src/server/server.ts'

// A process of its own that serves a folder: DIR. It prints where. At SIGUSR2 it prints how many bytes its buffers hold,
// without those that nobody uses any more.
const [dir = ''] = process.argv.slice(2)
const server = await startServer({ dir, host: '127.0.0.1', port: 0, graceMs: 0 })
process.on('SIGTERM', () => server.close())
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  console.log(`holds ${process.memoryUsage().arrayBuffers}.`)
})
console.log(server.url)
