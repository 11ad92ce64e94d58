import { writeSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

// A process of its own that serves a folder and kills itself at one of its file operations, counted from SIGUSR2:
// DIR KIND NUMBER HOW. KIND is a pattern over the names of operations that count. HOW is `before` the operation, `during`
// it (a write has then written a part), or `after` it.
const [dir = '', kind = '', number = '', how = 'before'] = process.argv.slice(2)

const functions = ['link', 'mkdir', 'open', 'rename', 'rm', 'writeFile']
const writes = ['appendFile', 'write', 'writeFile']
const methods = [...writes, 'sync', 'truncate']
type Operation = (this: unknown, ...parameters: unknown[]) => Promise<unknown>

let left = Number.POSITIVE_INFINITY

function count(owner: Record<string, Operation>, name: string): void {
  const original = owner[name]
  if (original === undefined || !new RegExp(kind).test(name)) return
  owner[name] = function (...parameters) {
    left -= 1
    const operate = () => original.apply(this, parameters)
    if (left !== 0) return operate()
    const [content] = parameters
    const isWrite = writes.includes(name) && isOpen(this) && isContent(content)
    return die(operate, isWrite ? () => writeSync(this.fd, half(content)) : operate)
  }
}

async function die(operate: () => Promise<unknown>, begin: () => unknown): Promise<unknown> {
  if (how === 'after') await Promise.allSettled([operate()])
  if (how === 'during') void begin()
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}

function isOpen(file: unknown): file is { readonly fd: number } {
  return typeof file === 'object' && file !== null && 'fd' in file && typeof file.fd === 'number'
}

function isContent(content: unknown): content is Uint8Array | string {
  return content instanceof Uint8Array || typeof content === 'string'
}

function half(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content)
  return bytes.subarray(0, bytes.length / 2)
}

for (const name of functions) count(fs as unknown as Record<string, Operation>, name)
await using file = await fs.open(import.meta.filename)
for (const name of methods) count(Object.getPrototypeOf(file), name)
syncBuiltinESMExports()

const { startServer } = await import('../../../src/server/server.ts')
const server = await startServer({ dir, host: '127.0.0.1', port: 0, graceMs: 0 })
process.on('SIGUSR2', () => {
  left = Number(number)
})
process.on('SIGTERM', () => server.close())
console.log(server.url)
