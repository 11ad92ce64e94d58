import { startServer } from '../../src/server/server.ts'

// A process of its own that serves a folder: DIR. It prints where, and ends when it is told to.
const [dir = ''] = process.argv.slice(2)
const server = await startServer({ dir, host: '127.0.0.1', port: 0 })
process.on('SIGTERM', () => server.close())
console.log(server.url)
