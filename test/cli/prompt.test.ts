import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { promptLine } from '../../src/cli/prompt.ts'

class Keyboard extends PassThrough {
  readonly modes: boolean[] = []

  setRawMode(raw: boolean): void {
    this.modes.push(raw)
  }
}

const terminal = () => {
  const input = new Keyboard()
  const output = new PassThrough()
  return { input, output, close: () => {}, shown: () => String(output.read() ?? '') }
}

const ask = async (keys: (string | Buffer)[], echo = false) => {
  const screen = terminal()
  for (const key of keys) screen.input.write(key)
  const line = await promptLine('Password: ', screen, { echo })
  return { line, shown: screen.shown(), modes: screen.input.modes }
}

describe('a prompt', () => {
  it('shows nothing of a password', async () => {
    expect(await ask(['hunter2\r'])).toEqual({ line: 'hunter2', shown: 'Password: \n', modes: [true, false] })
  })

  it('shows a user name as it is typed', async () => {
    expect(await ask(['b', 'ob', '\n'], true)).toMatchObject({ line: 'bob', shown: 'Password: bob\n' })
  })

  it.each([
    ['backspace', 'ab\x7f\bc\r', 'c'],
    ['backspace on an empty line', '\x7fa\r', 'a'],
    ['Ctrl-U', 'wrong\x15right\r', 'right'],
    ['arrow keys', 'a\x1b[D\x1b[1;5Cb\x1bOAc\r', 'abc'],
    ['Alt with a letter', 'a\x1bbc\r', 'ac'],
    ['other control characters', 'a\tb\0c\r', 'abc'],
    ['Ctrl-D behind something', 'a\x04b\r', 'ab'],
    ['an empty answer', '\r', ''],
    ['characters beyond ASCII', 'pä🔑ss\x7f\r', 'pä🔑s'],
  ])('understands %s', async (_, keys, line) => {
    expect((await ask([keys])).line).toBe(line)
  })

  it('takes back what it showed, also of wide characters', async () => {
    expect(await ask(['日a\x7f\x7f\r'], true)).toMatchObject({
      line: '',
      shown: 'Password: 日a\b \b\b \b\b \b\n',
    })
  })

  it('joins a character and a key that come in pieces', async () => {
    const bytes = Buffer.from('ä\x1b[A!\r')
    expect((await ask([...bytes].map(byte => Buffer.from([byte])))).line).toBe('ä!')
  })

  it('keeps what was pasted behind the line for the next question', async () => {
    const screen = terminal()
    screen.input.write('bob\nhunter2\n')
    expect(await promptLine('Username: ', screen, { echo: true })).toBe('bob')
    expect(await promptLine('Password: ', screen)).toBe('hunter2')
    expect(screen.shown()).toBe('Username: bob\nPassword: \n')
  })

  it.each([
    ['Ctrl-C', (input: Keyboard) => input.write('abc\x03')],
    ['Ctrl-D on an empty line', (input: Keyboard) => input.write('\x04')],
    ['a terminal that goes away', (input: Keyboard) => input.end()],
  ])('is given up at %s and puts the terminal back', async (_, act) => {
    const screen = terminal()
    act(screen.input)
    await expect(promptLine('? ', screen)).rejects.toMatchObject({ code: 'ABORTED' })
    expect(screen.input.modes).toEqual([true, false])
    expect(screen.input.listenerCount('data')).toBe(0)
  })

  it('is given up when the caller says so, before or during it', async () => {
    const screen = terminal()
    const abort = new AbortController()
    const line = promptLine('? ', screen, { signal: abort.signal })
    abort.abort()
    await expect(line).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(promptLine('? ', screen, { signal: abort.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect(screen.input.modes).toEqual([true, false, true, false])
  })
})
