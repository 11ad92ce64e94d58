import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { OutputClosed, openStdout, tolerateClosedPipe } from '../../src/cli/stdout.ts'

class Sink extends Writable {
  text = ''
  readonly #waiting: (() => void)[] = []
  readonly fault: NodeJS.ErrnoException | undefined
  readonly isSlow: boolean

  constructor(options: { isSlow?: boolean; code?: string } = {}) {
    super()
    this.isSlow = options.isSlow ?? false
    this.fault = options.code
      ? Object.assign(new Error(`write ${options.code}`), { code: options.code })
      : undefined
  }

  release(): void {
    this.#waiting.shift()?.()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.text += chunk.toString()
    if (this.isSlow) this.#waiting.push(done)
    else done(this.fault)
  }
}

async function* numbers(onClose = () => {}): AsyncGenerator<Uint8Array> {
  try {
    for (let at = 0; at < 5; at += 1) yield Buffer.from(`${at}`)
  } finally {
    onClose()
  }
}

describe('stdout', () => {
  it('takes text and bytes as they are', async () => {
    const sink = new Sink()
    const stdout = openStdout(sink)
    await stdout.write('ä\n')
    await stdout.writeAll(numbers())
    expect(sink.text).toBe('ä\n01234')
  })

  it('waits for a slow reader before it takes more', async () => {
    const sink = new Sink({ isSlow: true })
    const written = openStdout(sink).writeAll(numbers())
    for (const so of ['0', '01', '012', '0123', '01234']) {
      await new Promise(setImmediate)
      await new Promise(setImmediate)
      expect(sink.text).toBe(so)
      sink.release()
    }
    await written
  })

  it('closes the source when the reader has gone', async () => {
    let isClosed = false
    const source = numbers(() => {
      isClosed = true
    })
    await expect(openStdout(new Sink({ code: 'EPIPE' })).writeAll(source)).rejects.toBeInstanceOf(
      OutputClosed,
    )
    expect(isClosed).toBe(true)
  })

  it('says that the reader has gone every time it is written to', async () => {
    const stdout = openStdout(new Sink({ code: 'EPIPE' }))
    await expect(stdout.write('a')).rejects.toBeInstanceOf(OutputClosed)
    await expect(stdout.write('b')).rejects.toBeInstanceOf(OutputClosed)
  })

  it.skipIf(process.platform !== 'linux')('tells when the disk is full', async () => {
    const stdout = openStdout(createWriteStream('/dev/full'))
    await expect(stdout.write('a')).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/^cannot write to stdout: .*no space left/),
    })
  })

  it('notices a real pipe that is closed', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.destroy()'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    await new Promise(resolve => child.once('exit', resolve))
    await expect(openStdout(child.stdin).write('a'.repeat(1_000_000))).rejects.toBeInstanceOf(OutputClosed)
  })
})

describe('a closed stderr', () => {
  it('stops nothing, and other faults of it are still thrown', () => {
    const stderr = new Sink()
    tolerateClosedPipe(stderr)
    // EIO is a terminal that was closed.
    for (const code of ['EPIPE', 'EIO']) {
      expect(() => stderr.emit('error', Object.assign(new Error('gone'), { code }))).not.toThrow()
    }
    expect(() => stderr.emit('error', new Error('other'))).toThrow('other')
  })
})
