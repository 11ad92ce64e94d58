import { access } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { run, start } from './run.ts'

const node = process.execPath

/** Prints what the process sees of its world. */
const tellWorld = 'console.log(JSON.stringify({ env: process.env, cwd: process.cwd() }))'
const stayAlive = 'setInterval(() => undefined, 1000)'

describe('run', () => {
  it('gives the exit code, both outputs as text, and stdout as bytes', async () => {
    const result = await run(node, [
      '-e',
      'process.stdout.write(Buffer.from([255])); console.error("no"); process.exit(3)',
    ])
    expect(result).toMatchObject({ code: 3, signal: null, stderr: 'no\n', stdoutBytes: Buffer.from([255]) })
  })

  it('hands over input, which is empty if not given', async () => {
    expect((await run('cat', [], { input: 'text' })).stdout).toBe('text')
    expect((await run('cat', [])).stdout).toBe('')
  })

  it('keeps the environment of the tests away, and removes the home it made', async () => {
    const { stdout } = await run(node, ['-e', tellWorld], { env: { DRAY_X: '1' }, cwd: '/' })
    const world: { env: Record<string, string>; cwd: string } = JSON.parse(stdout)
    expect(Object.keys(world.env).sort()).toEqual(['DRAY_X', 'HOME', 'PATH'])
    expect(world.cwd).toBe('/')
    await expect(access(world.env.HOME ?? '/')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('sends a signal when something was printed', async () => {
    const printed = { signal: 'SIGINT', printed: /ready/ } as const
    const result = await run(node, ['-e', `console.log('ready'); ${stayAlive}`], { signalAfter: printed })
    expect(result).toMatchObject({ code: null, signal: 'SIGINT' })
  })

  it('ends what takes too long, and says so', async () => {
    const late = run(node, ['-e', stayAlive], { timeoutMs: 200 })
    await expect(late).rejects.toThrow(/ran for more than 200 ms/)
  })

  it('fails for a program that is not there', async () => {
    await expect(run('no-such-program', [])).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('start', () => {
  it('tells when something was printed, and ends the process when it is disposed of', async () => {
    const running = await start(node, ['-e', `console.error('port 80'); ${stayAlive}`])
    expect((await running.printed(/port (\d+)/))[1]).toBe('80')
    await running[Symbol.asyncDispose]()
    expect(await running.ended).toMatchObject({ signal: 'SIGTERM' })
  })

  it('fails the wait for a line when the process ends without it', async () => {
    const running = await start(node, ['-e', 'console.log("other")'])
    await expect(running.printed(/ready/)).rejects.toThrow('it ended without printing /ready/:\nother')
  })
  it('fails the wait for a line that does not come in time', async () => {
    await using running = await start(node, ['-e', stayAlive])
    await expect(running.printed(/ready/, 100)).rejects.toThrow('it ran for 100 ms without printing /ready/')
  })
})
