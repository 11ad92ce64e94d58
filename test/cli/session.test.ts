import { PassThrough } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import type { CliContext } from '../../src/cli/context.ts'
import { type CommonFlags, Session, withSession } from '../../src/cli/session.ts'
import { openStdout } from '../../src/cli/stdout.ts'
import { chunksOf } from '../support/sample-image.ts'

describe('a session', () => {
  let stdin: PassThrough & { isTTY?: boolean }
  let stdout: PassThrough & { isTTY?: boolean }
  let stderr: PassThrough
  beforeEach(() => {
    stdin = new PassThrough()
    stdout = new PassThrough()
    stderr = new PassThrough()
  })

  function start(flags: CommonFlags = {}): Session {
    const { signal } = new AbortController()
    const machine = { env: {}, homeDir: '/nowhere', platform: 'linux', uid: 1000, signal }
    // Streams in the place of the process's own.
    const context = { ...machine, stdin, stdout: openStdout(stdout), stderr } as unknown as CliContext
    return new Session(context, flags)
  }

  it('refuses to write an archive onto a terminal', () => {
    stdout.isTTY = true
    expect(() => start().storage.streams.writeStdout('-')).toThrow('an archive is nothing for a terminal')
  })

  it('refuses to read an archive from a terminal', () => {
    stdin.isTTY = true
    expect(() => start().storage.streams.readStdin('oci-archive:-')).toThrow(
      'oci-archive:-: stdin is a terminal',
    )
  })

  it('gives stdin and stdout away once', () => {
    const { streams } = start().storage
    streams.readStdin('-')
    streams.writeStdout('-')
    expect(() => streams.readStdin('-')).toThrow('once only')
    expect(() => streams.writeStdout('-')).toThrow('once only')
  })

  it.each(['passwordStdin', 'fromPasswordStdin', 'toPasswordStdin'])(
    'does not read an archive from where a password comes from: %s',
    flag => {
      expect(() => start({ [flag]: true }).storage.streams.readStdin('-')).toThrow(
        'both an archive and a password',
      )
    },
  )

  it('prints its result on stderr once an archive goes to stdout', async () => {
    const session = start({ format: { kind: 'json' } })
    await session.storage.streams.writeStdout('-')(chunksOf('an archive'))
    await session.print({ a: 1 }, () => 'text')
    expect(stdout.read().toString()).toBe('an archive')
    expect(JSON.parse(stderr.read().toString())).toEqual({ a: 1 })
  })

  it('finishes once what was to be finished', async () => {
    const session = start()
    let finished = 0
    session.finishLater({
      finish: async () => {
        finished += 1
      },
    })
    session.finishLater({})
    await session.finish()
    await session.finish()
    expect(finished).toBe(1)
  })

  it('closes what it opened however it ends, the last first', async () => {
    const closed: string[] = []
    const run = withSession(start(), async ({ storage }) => {
      for (const name of ['first', 'second']) {
        storage.closeLater({ [Symbol.asyncDispose]: async () => void closed.push(name) })
      }
      throw new Error('a failure')
    })
    await expect(run).rejects.toThrow('a failure')
    expect(closed).toEqual(['second', 'first'])
  })

  it('lets go of stdin when it ends', async () => {
    await withSession(start(), async ({ storage }) => void storage.streams.readStdin('-'))
    expect(stdin.destroyed).toBe(true)
  })
})
